import { describe, expect, test } from 'vitest';
import {
  explainPkexec,
  explainSilentSudo,
  explainSudo,
  LinuxElevation,
} from '../../../src-services/LinuxElevation.ts';

/** What sudo 1.9.13 and sudo-rs 0.2 print in the C locale. */
const sudoSays: readonly [text: string, code: string][] = [
  ['bob is not in the sudoers file.\n', 'permission-not-administrator'],
  [
    'bob is not in the sudoers file.  This incident will be reported.\n',
    'permission-not-administrator',
  ],
  [
    "Sorry, user bob is not allowed to execute '/n /s' as root on host.\n",
    'permission-not-administrator',
  ],
  ['Sorry, user bob may not run sudo on host.\n', 'permission-not-administrator'],
  ["sudo: I'm sorry bob. I'm afraid I can't do that\n", 'permission-not-administrator'],
  ['Sorry, try again.\nsudo: 3 incorrect password attempts\n', 'permission-refused'],
  ['sudo: no password was provided\nsudo: 1 incorrect password attempt\n', 'permission-refused'],
  ['sudo: maximum 3 incorrect authentication attempts\n', 'permission-refused'],
  ['sudo: account validation failure, is your account locked?\n', 'permission-refused'],
  ['sudo: a password is required\n', 'permission-dismissed'],
  ['sudo: a terminal is required to read the password; either use ...\n', 'permission-no-agent'],
  ['sudo: effective uid is not 0, is sudo installed setuid root?\n', 'writer-unreachable'],
  ['', 'writer-unreachable'],
];

test.each(sudoSays)('sudo: %j', (errorText, code) => {
  expect(explainSudo({ code: 1, signal: null, errorText }).code).toBe(code);
});

test('sudo that may not ask found nobody to ask', () => {
  const ending = { code: 1, signal: null, errorText: 'sudo: a password is required\n' };
  expect(explainSilentSudo(ending).code).toBe('permission-no-agent');
});

const prefix = 'Error executing command as another user: ';
const pkexecSays: readonly [
  text: string,
  code: number | null,
  signal: string | null,
  failure: string,
][] = [
  [`${prefix}Request dismissed\n`, 126, null, 'permission-dismissed'],
  ['', 126, null, 'permission-dismissed'],
  ['', null, 'SIGINT', 'permission-dismissed'],
  [
    `${prefix}Not authorized\n\nThis incident has been reported.\n`,
    127,
    null,
    'permission-refused',
  ],
  [`${prefix}No authentication agent found.\n`, 127, null, 'permission-no-agent'],
  [
    'Error creating textual authentication agent: Error opening ...\n',
    127,
    null,
    'permission-no-agent',
  ],
  [
    'Error getting authority: Error initializing authority: Could not connect\n',
    127,
    null,
    'permission-no-agent',
  ],
  ['pkexec must be setuid root\n', 127, null, 'writer-unreachable'],
];

test.each(pkexecSays)('pkexec: %j, code %s, signal %s', (errorText, code, signal, failure) => {
  expect(explainPkexec({ code, signal, errorText }).code).toBe(failure);
});

describe('what is tried', () => {
  async function tried(tools: readonly string[], isRoot: boolean, hasTerminal: boolean) {
    const findTool = (name: string) =>
      Promise.resolve(tools.includes(name) ? `/none/${name}` : null);
    const ways = await new LinuxElevation({ isRoot, hasTerminal, findTool }).ways();
    const endings = ways.map((way) => way.start(['/none/supervisor']).ended);
    return (await Promise.all(endings)).map(({ errorText }) =>
      errorText.replace(/^spawn (\S+).*$/s, '$1'),
    );
  }

  test.each<[tools: string[], isRoot: boolean, hasTerminal: boolean, order: string[]]>([
    [['sudo', 'pkexec'], true, true, ['/none/supervisor']],
    [['sudo', 'pkexec'], false, true, ['/none/sudo', '/none/pkexec']],
    [['sudo', 'pkexec'], false, false, ['/none/pkexec', '/none/sudo']],
    [['sudo'], false, true, ['/none/sudo']],
    [['sudo'], false, false, ['/none/sudo']],
    [['pkexec'], false, true, ['/none/pkexec']],
    [['pkexec'], false, false, ['/none/pkexec']],
  ])('with %j, root %s, terminal %s', async (tools, isRoot, hasTerminal, order) => {
    expect(await tried(tools, isRoot, hasTerminal)).toEqual(order);
  });

  test('nothing that could ask is a missing tool', async () => {
    await expect(tried([], false, true)).rejects.toMatchObject({
      failure: { code: 'permission-tool-missing', facts: { tools: 'sudo, pkexec' } },
    });
  });
});
