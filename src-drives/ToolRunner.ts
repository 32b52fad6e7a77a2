import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';

export interface ToolRun {
  /** Absolute paths at which the tool may lie; the first that is there is run. */
  readonly tool: readonly string[];
  readonly arguments: readonly string[];
  /** Milliseconds after which its answer is no longer awaited. */
  readonly timeout: number;
}

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

/** {@link ToolRunner} of this machine: no shell, a fixed environment, an empty standard input. */
export const runTool: ToolRunner = async (run) => {
  const tool = await firstExecutable(run.tool);
  if (tool === null) return null;
  return new Promise((resolve) => {
    const child = execFile(
      tool,
      [...run.arguments],
      { env: environment(), maxBuffer: MOST_OUTPUT, windowsHide: true, cwd: undefined },
      (error, stdout) => {
        clearTimeout(timer);
        resolve(error === null ? stdout : null);
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
      resolve(null);
    }, run.timeout);
  });
};
