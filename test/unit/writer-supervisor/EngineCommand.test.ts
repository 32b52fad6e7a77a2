import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
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
  const engine = ['--disable-sigusr1', '/p/engine-launcher.mjs', '/p/engine.cjs'];
  expect(command.slice(4, 7)).toEqual(engine);
  return { ids: command.slice(7), handsFiles };
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

test.each(['', ' ', '0x0', 'no-number', '-1', '1 ', '4000000000', '1; id'])(
  'no account %j',
  async (uid) => {
    vi.stubEnv('SUDO_UID', uid);
    await expect(account()).rejects.toMatchObject({ failure: { code: 'internal' } });
  },
);

test.runIf(process.getuid?.() === 0)(
  'started by neither sudo nor pkexec, the caller is who started it',
  () => {
    const module = new URL('../../../src-writer/supervisor/CallerAccount.ts', import.meta.url);
    const program = `import { callerAccount } from ${JSON.stringify(fileURLToPath(module))};
      console.log(JSON.stringify(await callerAccount()));`;
    const child = `require('node:child_process').execFileSync(process.execPath,
      ['--input-type=module', '-e', process.argv[1]], { stdio: 'inherit' })`;
    // Its real user is account 1, with the rights of root, as a setuid program's is.
    const become = ['--ruid', '1', '--', process.execPath, '-e', child, program];
    const told = execFileSync('/usr/bin/setpriv', become, { encoding: 'utf8', env: {} });
    expect(JSON.parse(told)).toEqual({ uid: '1', gid: '1', isRoot: false });
  },
);
