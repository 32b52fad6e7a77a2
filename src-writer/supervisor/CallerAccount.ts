import { fail } from '../../src-core/Failure.ts';
import { runTool, toolPath } from './SystemTool.ts';

const NOBODY = '65534';

/**
 * Whoever called sudo or pkexec, as numbers; nobody where that is root. sudo always sets SUDO_UID,
 * so a PKEXEC_UID beside it may come from the caller and is ignored.
 */
export async function callerAccount(): Promise<{ uid: string; gid: string; isRoot: boolean }> {
  const { SUDO_UID, PKEXEC_UID } = process.env;
  const caller = SUDO_UID ?? PKEXEC_UID ?? '0';
  const isRoot = Number(caller) === 0;
  const uid = isRoot ? NOBODY : caller;
  const id = await runTool(toolPath('id', 'coreutils'), ['-g', '--', uid]);
  const gid = isRoot ? NOBODY : id.output;
  if (!/^[0-9]+ [0-9]+$/.test(`${uid} ${gid}`)) throw fail('internal', { detail: id.errorText });
  return { uid, gid, isRoot };
}
