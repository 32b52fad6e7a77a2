import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { allChecks, runChecks } from '../check/checks.ts';
import { checkout, runNode } from '../check/Checkout.ts';
import type { Tally } from './Tally.ts';

export interface SuiteResult {
  readonly tally: Tally;
  /** What there is to read about it. */
  readonly report: string;
}

export interface Suite {
  readonly name: string;
  /** @param live whether the suite may write to this program's output while it runs */
  readonly run: (live: boolean) => Promise<SuiteResult>;
}

/** The parts of vitest's JSON report that are read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** How a suite of vitest ended. A run that breaks without a failed test has failed all the same. */
export function vitestTally(report: VitestReport | null, exitCode: number): Tally {
  const tests = (report?.testResults ?? []).flatMap(({ assertionResults }) => assertionResults);
  const passed = tests.filter(({ status }) => status === 'passed').length;
  const failed = tests.filter(({ status }) => status === 'failed').length;
  const broken = exitCode !== 0 || passed + failed === 0;
  return {
    passed,
    failed: failed === 0 && broken ? 1 : failed,
    skipped: tests.length - passed - failed,
  };
}

/** Names of the tests that did not run, because a skip that nobody sees is a test that nobody has. */
function skippedNames(report: VitestReport | null): string[] {
  return (report?.testResults ?? [])
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `skipped: ${fullName}`);
}

export interface VitestOptions {
  /** Shown instead of the folder's name. */
  readonly name?: string;
  /** Only files with one of these in their paths. */
  readonly files?: readonly string[];
  /** No files that this pattern fits. */
  readonly exclude?: string;
  /** Given to the tests besides the environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A folder of tests under test/, run by vitest as the project of that name. */
export function vitestSuite(
  project: string,
  { name = project, files = [], exclude, env = {} }: VitestOptions = {},
): Suite {
  return {
    name,
    run: async (live) => {
      const results = path.join(checkout, '.cache/results', `${name}.json`);
      mkdirSync(path.dirname(results), { recursive: true });
      rmSync(results, { force: true });
      const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`];
      const without = exclude === undefined ? [] : [`--exclude=${exclude}`];
      const which = ['--project', project, ...files, ...without];
      const words = ['node_modules/vitest/vitest.mjs', 'run', ...which, ...reporters];
      const colours = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
      const environment = { ...process.env, ...colours, ...env };
      const { code, output } = await runNode(words, { live, env: environment });
      const report = readReport(results);
      return {
        tally: vitestTally(report, code),
        report: [output, ...skippedNames(report)].join('\n'),
      };
    },
  };
}

function readReport(file: string): VitestReport | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as VitestReport;
  } catch {
    return null;
  }
}

export const checkSuite: Suite = {
  name: 'check',
  run: async () => {
    const results = await runChecks(allChecks(), () => undefined);
    const broken = results.filter(({ problems }) => problems.length > 0);
    return {
      tally: { passed: results.length - broken.length, failed: broken.length, skipped: 0 },
      report: broken.map(({ name, problems }) => `${name}:\n${problems.join('\n')}\n`).join('\n'),
    };
  },
};
