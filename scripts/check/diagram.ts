import type { ICruiseResult } from 'dependency-cruiser';

const BEGIN = '<!-- diagram: begin -->';
const END = '<!-- diagram: end -->';

/** Parts that are shown apart, because they run as programs of their own. */
const programs = ['src-writer/supervisor', 'src-writer/engine'];

/** The box in which a module is shown; null for what is no part of the product. */
function boxOf(module: string): string | null {
  const program = programs.find((folder) => module.startsWith(`${folder}/`));
  return program ?? /^src-[^/]+(?=\/)/.exec(module)?.[0] ?? null;
}

/** Mermaid reads dashes and slashes in a name as parts of an arrow or a shape. */
const id = (box: string) => box.replaceAll(/[^a-z]/g, '_');

/** A Mermaid flow chart of which folder imports from which, and of the packages that each uses. */
export function importDiagram(graph: ICruiseResult): string {
  const arrows = new Set<string>();
  const packages = new Map<string, Set<string>>();
  for (const { source, dependencies } of graph.modules) {
    const from = boxOf(source);
    if (from === null) continue;
    const own = packages.get(from) ?? new Set();
    packages.set(from, own);
    for (const { resolved } of dependencies) {
      const used = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(resolved)?.[1];
      const to = boxOf(resolved);
      if (used !== undefined) own.add(used);
      else if (to !== null && to !== from) arrows.add(`  ${id(from)} --> ${id(to)}`);
    }
  }
  const boxes = [...packages].sort().map(([folder, used]) => {
    const lines = [folder, ...[...used].sort().map((name) => `<i>${name}</i>`)];
    return `  ${id(folder)}["${lines.join('<br/>')}"]`;
  });
  return ['```mermaid', 'flowchart TD', ...boxes, ...[...arrows].sort(), '```'].join('\n');
}

/** The page with the diagram put between its marks. */
export function withDiagram(page: string, diagram: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page lacks ${BEGIN} or ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${diagram}\n\n${page.slice(end)}`;
}
