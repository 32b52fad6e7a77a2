import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { cliJsonSchema } from '../../../src-contract/CliJson.ts';
import type { CliJson } from '../../../src-contract/CliJson.ts';

const main = path.join(import.meta.dirname, '..', '..', '..', 'src-cli', 'main.ts');

export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line as a person starts it: a real process, with its own data folder. */
export class CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<CliResult>;
  #stdout = '';
  #stderr = '';

  /** @param nodeArgs for Node itself, before the program */
  constructor(folder: string, args: readonly string[], nodeArgs: readonly string[] = []) {
    this.child = spawn(process.execPath, [...nodeArgs, main, ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8' },
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.ended = once(this.child, 'close').then(([code]) => ({
      exitCode: typeof code === 'number' ? code : null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** The first line of JSON for which `wanted` holds. */
  async line(wanted: (line: CliJson) => boolean): Promise<CliJson> {
    for await (const text of createInterface({ input: this.child.stdout })) {
      const line = cliJsonSchema.parse(JSON.parse(text));
      if (wanted(line)) return line;
    }
    throw new Error(`ended without that line: ${this.#stdout} ${this.#stderr}`);
  }
}

export async function runCli(
  folder: string,
  args: readonly string[],
  nodeArgs: readonly string[] = [],
): Promise<CliResult> {
  return new CliProcess(folder, args, nodeArgs).ended;
}

/** Every line of an output, each checked by the schema; a line of anything else is an error. */
export function jsonLines({ stdout }: CliResult): CliJson[] {
  const lines = stdout.split('\n').slice(0, -1);
  return lines.map((line) => cliJsonSchema.parse(JSON.parse(line)));
}

export function isType<Type extends CliJson['type']>(type: Type) {
  return (line: CliJson): line is Extract<CliJson, { readonly type: Type }> => line.type === type;
}
