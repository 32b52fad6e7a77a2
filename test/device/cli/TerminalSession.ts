import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Screen } from './Screen.ts';

const main = path.join(import.meta.dirname, '..', '..', '..', 'src-cli', 'main.ts');

interface Step {
  readonly see: string;
  readonly type?: string;
  readonly columns?: number;
}

export interface Session {
  readonly exitCode: number | null;
  /** Every piece of output as it came. */
  readonly output: string;
  readonly screen: Screen;
  /** Milliseconds from the last piece that a step waited for to the end. */
  readonly sinceStep: number;
}

/** Runs the command in a real terminal, with a person who does what the steps say. */
export async function inTerminal(
  folder: string,
  args: readonly string[],
  {
    steps = [],
    columns = 100,
    environment = {},
  }: {
    readonly steps?: readonly Step[];
    readonly columns?: number;
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Promise<Session> {
  const command = [process.execPath, main, ...args];
  const script = path.join(import.meta.dirname, 'terminal.py');
  const child = spawn('python3', [script, String(columns), JSON.stringify(steps), ...command], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      LANG: 'C.UTF-8',
      TERM: 'xterm',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const see = steps.at(-1)?.see ?? '';
  let output = '';
  let seenAt = performance.now();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!output.includes(see) && (output + text).includes(see)) seenAt = performance.now();
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const screen = new Screen(columns);
  // What was typed for the program to start is echoed before anything else.
  screen.write(output.replace(/^\r\n/, ''));
  return { exitCode: code, output, screen, sinceStep: performance.now() - seenAt };
}
