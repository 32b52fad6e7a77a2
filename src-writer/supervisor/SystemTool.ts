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

/** Runs a tool without a shell. @param path absolute */
export function runTool(
  path: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly output: string; readonly errorText: string }> {
  return new Promise((resolve) => {
    const options = { cwd: '/', env: CLEAN_ENVIRONMENT };
    execFile(path, args, options, (error, output, errorText) => {
      resolve({ ok: !error, output: output.trim(), errorText: errorText.trim().slice(0, 1000) });
    }).stdin?.end();
  });
}
