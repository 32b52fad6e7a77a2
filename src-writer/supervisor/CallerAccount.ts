import { readFile } from 'node:fs/promises';
import { fail } from '../../src-core/Failure.ts';
import { runTool, toolPath } from './SystemTool.ts';

const NOBODY = '65534';

/**
 * Whoever called sudo or pkexec, as numbers; nobody where that is root. sudo always sets SUDO_UID,
 * so a PKEXEC_UID beside it may come from the caller and is ignored. Where neither is set, it is
 * whoever started this process.
 * @throws FailureError internal (no such account), system-tool-missing
 */
export async function callerAccount(): Promise<{ uid: string; gid: string; isRoot: boolean }> {
  const { SUDO_UID, PKEXEC_UID } = process.env;
  const caller = SUDO_UID ?? PKEXEC_UID ?? (await parentAccount());
  const isRoot = /^0+$/.test(caller);
  const uid = isRoot ? NOBODY : caller;
  const id = await runTool(toolPath('id', 'coreutils'), ['-g', '--', uid]);
  const gid = isRoot ? NOBODY : id.output;
  if (!/^[0-9]+ [0-9]+$/.test(`${uid} ${gid}`)) throw fail('internal', { detail: id.errorText });
  return { uid, gid, isRoot };
}

/** The real user; not the owner of /proc/PID, who is root where a program made itself undumpable. */
async function parentAccount(): Promise<string> {
  const parent = String(process.ppid);
  if (process.platform === 'darwin')
    return (await runTool(toolPath('ps', 'macOS'), ['-o', 'ruid=', '-p', parent])).output;
  const status = await readFile(`/proc/${parent}/status`, 'utf8').catch(() => '');
  return /^Uid:\t(\d+)/m.exec(status)?.[1] ?? '';
}
