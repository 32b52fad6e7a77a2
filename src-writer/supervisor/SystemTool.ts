import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fail } from '../../src-core/Failure.ts';

/** Only folders that root alone can write to; the PATH of whoever called is never looked at. */
const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/run/current-system/sw/bin'];

/** Everything that tools and the engine get to see of an environment. */
export const CLEAN_ENVIRONMENT = { PATH: FOLDERS.join(':'), LC_ALL: 'C' } as const;

/** @throws FailureError system-tool-missing */
export function toolPath(tool: string, systemPackage: string): string {
  const path = FOLDERS.map((folder) => `${folder}/${tool}`).find((file) => existsSync(file));
  if (path === undefined) throw fail('system-tool-missing', { tool, package: systemPackage });
  return path;
}

/** A tool that waits for a dead device is given up. Milliseconds. */
const PATIENCE = 60_000;

/** @returns aborted with the given one, or when a tool has had its time */
export function inTime(...signals: AbortSignal[]): AbortSignal {
  return AbortSignal.any([...signals, AbortSignal.timeout(PATIENCE)]);
}

/** Runs a tool without a shell. @param path absolute @param signal kills it, and is not waited for */
export function runTool(
  path: string,
  args: readonly string[],
  signal = inTime(),
): Promise<{ readonly ok: boolean; readonly output: string; readonly errorText: string }> {
  return new Promise((resolve) => {
    const options = { cwd: '/', env: CLEAN_ENVIRONMENT, signal, killSignal: 'SIGKILL' } as const;
    execFile(path, args, options, (error, output, told) => {
      const errorText = (told.trim() || (error?.message ?? '')).slice(0, 1000);
      resolve({ ok: !error, output: output.trim(), errorText });
    }).stdin?.end();
  });
}
