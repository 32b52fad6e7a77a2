import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';

export interface ToolRun {
  /** Absolute paths at which the tool may lie; the first that is there is run. */
  readonly tool: readonly string[];
  readonly arguments: readonly string[];
  /** Milliseconds after which its answer is no longer awaited. */
  readonly timeout: number;
}

/** What became of a tool. */
export type ToolOutcome =
  | { readonly kind: 'missing' }
  /** It ended by itself; `printed` is its standard output. */
  | { readonly kind: 'ended'; readonly exitCode: number; readonly printed: string }
  /** It did not start, was killed, printed without end, or did not answer in time. */
  | { readonly kind: 'unanswered' };

/** Runs a read-only tool of the system. Never throws. */
export type ToolCaller = (run: ToolRun) => Promise<ToolOutcome>;

/**
 * Runs a read-only tool of the system and gives what it printed, or null where it is not there,
 * failed, or did not answer in time. Never throws.
 */
export type ToolRunner = (run: ToolRun) => Promise<string | null>;

/** Most characters a tool may print: far above any machine's list of drives. */
const MOST_OUTPUT = 32 << 20;

async function firstExecutable(paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

/** Variables of Windows without which PowerShell does not start; nothing else is handed on. */
function environment(): Record<string, string> {
  if (process.platform !== 'win32') return { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const kept = ['SystemRoot', 'SystemDrive', 'TEMP', 'TMP', 'USERPROFILE'];
  return Object.fromEntries(
    kept.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** {@link ToolCaller} of this machine: no shell, a fixed environment, an empty standard input. */
export const callTool: ToolCaller = async (run) => {
  const tool = await firstExecutable(run.tool);
  if (tool === null) return { kind: 'missing' };
  return new Promise((resolve) => {
    const child = execFile(
      tool,
      [...run.arguments],
      { env: environment(), maxBuffer: MOST_OUTPUT, windowsHide: true, cwd: undefined },
      (error, stdout) => {
        clearTimeout(timer);
        const exitCode = error === null ? 0 : error.code;
        // A code in letters is that of a failure to start it or of too much output.
        if (typeof exitCode === 'number') resolve({ kind: 'ended', exitCode, printed: stdout });
        else resolve({ kind: 'unanswered' });
      },
    );
    child.stdin?.end();
    // A tool that waits for a dead device cannot be killed: its end is not awaited, and it must
    // not keep this process alive.
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ kind: 'unanswered' });
    }, run.timeout);
  });
};

/** {@link ToolRunner} of this machine. */
export const runTool: ToolRunner = async (run) => printedBy(await callTool(run));

/** What a tool printed that ended well, or null. */
export function printedBy(outcome: ToolOutcome): string | null {
  return outcome.kind === 'ended' && outcome.exitCode === 0 ? outcome.printed : null;
}
