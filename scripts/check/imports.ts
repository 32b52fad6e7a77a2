import { globSync } from 'node:fs';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { checkout } from './Checkout.ts';
import { forbidden, options } from './import-rules.ts';

/**
 * Reads the imports of a whole project and holds them against the rules.
 * @param project its folder
 */
export async function importGraph(project = checkout): Promise<ICruiseResult> {
  const folders = globSync(['src-*', 'scripts', 'bench', 'test'], { cwd: project });
  const { output } = await cruise(folders, {
    ...options,
    baseDir: project,
    validate: true,
    ruleSet: { forbidden },
  });
  if (typeof output === 'string') throw new Error(output);
  return output;
}

/** Broken import rules, in sentences. */
export function importProblems(graph: ICruiseResult): string[] {
  return graph.summary.violations.map(
    ({ rule, from, to }) => `${from} -> ${to} breaks "${rule.name}"`,
  );
}
