import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { folders, ownershipProblems } from './architecture.ts';
import { checkout, readText, runNode, trackedFiles } from './Checkout.ts';
import { importDiagram, withDiagram } from './diagram.ts';
import { importGraph, importProblems } from './imports.ts';
import { licenceProblems, thirdPartyNotices } from './licences.ts';
import { readLock } from './Lock.ts';
import { fileProblems, folderProblems, lockProblems } from './texts.ts';

/** One thing that `npm run check` looks at. */
export interface Check {
  readonly name: string;
  /** What is wrong, in sentences or as a tool prints it; empty when all is well. */
  readonly problems: () => Promise<readonly string[]>;
}

export interface CheckResult {
  readonly name: string;
  readonly problems: readonly string[];
  readonly milliseconds: number;
}

/** A tool whose exit code says whether it found something. */
function tool(name: string, ...words: string[]): Check {
  return {
    name,
    problems: async () => {
      const { code, output } = await runNode(words);
      return code === 0 ? [] : [output.trim()];
    },
  };
}

/** The compiler over one folder, with what that folder may know. It remembers what has not changed. */
function types(project: string): Check {
  const memory = `.cache/types/${project.replaceAll('/', '-')}.tsbuildinfo`;
  const words = ['-p', project, '--incremental', '--tsBuildInfoFile', memory];
  return tool(`types of ${project}`, 'node_modules/typescript/bin/tsc', ...words);
}

/** A generated page must be what its script would write now. */
function upToDate(file: string, script: string, written: string): string[] {
  return readText(file) === written ? [] : [`${file} is out of date: run scripts/${script}`];
}

/** The longest first, so that the short ones fill the gaps. */
export function allChecks(): Check[] {
  const graph = importGraph();
  const lock = readLock();
  return [
    tool('lint', 'node_modules/eslint/bin/eslint.js', '.'),
    ...['tsconfig.json', ...globSync('src-*/tsconfig.json', { cwd: checkout })].map(types),
    tool('format', 'node_modules/prettier/bin/prettier.cjs', '--log-level=warn', '--check', '.'),
    tool(
      'dead code',
      'node_modules/knip/bin/knip.js',
      '--no-progress',
      '--treat-config-hints-as-errors',
    ),
    { name: 'import rules', problems: async () => importProblems(await graph) },
    {
      name: 'diagram',
      problems: async () => {
        const page = readText('ARCHITECTURE.md');
        const drawn = withDiagram(page, importDiagram(await graph));
        return upToDate('ARCHITECTURE.md', 'write-diagram.ts', drawn);
      },
    },
    {
      name: 'owners of packages',
      problems: () => Promise.resolve(ownershipProblems(runtimeDependencies())),
    },
    { name: 'licences', problems: () => Promise.resolve(licenceProblems(lock)) },
    {
      name: 'third-party notices',
      problems: () =>
        Promise.resolve(
          upToDate('THIRD-PARTY-NOTICES.md', 'write-notices.ts', thirdPartyNotices(lock)),
        ),
    },
    { name: 'lock file', problems: () => Promise.resolve(lockProblems(lock)) },
    {
      name: 'texts',
      problems: async () => fileProblems(await trackedFiles()),
    },
    {
      name: 'folders',
      problems: async () => folderProblems(await trackedFiles(), Object.keys(folders), readText),
    },
  ];
}

function runtimeDependencies(): string[] {
  const { dependencies } = JSON.parse(readText('package.json')) as {
    dependencies: Record<string, string>;
  };
  return Object.keys(dependencies);
}

/** Runs checks side by side, as many as there are cores. */
export async function runChecks(
  checks: readonly Check[],
  report: (result: CheckResult) => void,
): Promise<CheckResult[]> {
  const waiting = [...checks];
  const results: CheckResult[] = [];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const begun = performance.now();
      const problems = await next.problems().catch((error: unknown) => [String(error)]);
      const result = { name: next.name, problems, milliseconds: performance.now() - begun };
      results.push(result);
      report(result);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return results;
}
