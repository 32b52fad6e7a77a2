import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { checkout } from '../bootstrap/checkout.mjs';

export { checkout };

/** The text of a file of the checkout. */
export function readText(file: string): string {
  return readFileSync(path.join(checkout, file), 'utf8');
}

export interface Outcome {
  readonly code: number;
  /** Standard output, then standard error. */
  readonly output: string;
}

const running = new Set<ChildProcess>();

/** Ends what {@link runProgram} and {@link runNode} have started and what still runs. */
export function endPrograms(signal: NodeJS.Signals): void {
  for (const child of running) child.kill(signal);
}

export interface RunOptions {
  /** Whether the output goes straight to this program's own; nothing is kept then. */
  readonly live?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  /** Where it runs; the checkout unless given. */
  readonly folder?: string;
}

/** Runs a script with the pinned Node in the checkout. */
export function runNode(words: readonly string[], options?: RunOptions): Promise<Outcome> {
  return runProgram(process.execPath, words, options);
}

/** Runs a program, without input. */
export async function runProgram(
  program: string,
  words: readonly string[],
  { live = false, env = process.env, folder = checkout }: RunOptions = {},
): Promise<Outcome> {
  const output = live ? 'inherit' : 'pipe';
  const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', output, output] });
  running.add(child);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      running.delete(child);
      resolve(code ?? 1);
    });
  });
  const [said, complained, code] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    ended,
  ]);
  return { code, output: said + complained };
}

/** Every file that is, or is about to be, under version control. */
export async function trackedFiles(): Promise<string[]> {
  const { code, output } = await runProgram('git', [
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '-z',
  ]);
  if (code !== 0) throw new Error(`git ls-files: ${output}`);
  return output.split('\0').filter((file) => file !== '' && existsSync(path.join(checkout, file)));
}
