import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LinuxDevices } from '../../../src-writer/supervisor/linux/LinuxDevices.ts';

beforeEach(() => {
  vi.stubEnv('SUDO_UID', undefined);
  vi.stubEnv('PKEXEC_UID', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function account(): Promise<{ ids: string[]; handsFiles: boolean }> {
  const { command, handsFiles } = await new LinuxDevices('/p/').engineCommand();
  expect(command.slice(1, 3)).toEqual(['--no-new-privs', '--']);
  expect(command.slice(4, 6)).toEqual(['/p/engine-launcher.mjs', '/p/engine.cjs']);
  return { ids: command.slice(6), handsFiles };
}

// Account 1 is "daemon", of group 1, on every Linux.
test.each<
  [sudo: string | undefined, pkexec: string | undefined, ids: string[], handsFiles: boolean]
>([
  ['1', undefined, ['1', '1'], false],
  [undefined, '1', ['1', '1'], false],
  // Only sudo's own variable is sure not to come from the caller when both are there.
  ['1', '0', ['1', '1'], false],
  ['0', '1', ['65534', '65534'], true],
  [undefined, undefined, ['65534', '65534'], true],
  ['0', undefined, ['65534', '65534'], true],
])('SUDO_UID %s and PKEXEC_UID %s', async (sudo, pkexec, ids, handsFiles) => {
  vi.stubEnv('SUDO_UID', sudo);
  vi.stubEnv('PKEXEC_UID', pkexec);
  expect(await account()).toEqual({ ids, handsFiles });
});

test.each(['no-number', '-1', '1 ', '4000000000', '1; id'])('no account %j', async (uid) => {
  vi.stubEnv('SUDO_UID', uid);
  await expect(account()).rejects.toMatchObject({ failure: { code: 'internal' } });
});
