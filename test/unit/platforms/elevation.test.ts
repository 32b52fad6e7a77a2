import { accessSync, constants, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { failureOf } from '../../../src-core/Failure.ts';
import { explainMacosSudo, MacosElevation } from '../../../src-services/MacosElevation.ts';
import { explainConsent, isElevated } from '../../../src-services/WindowsElevation.ts';
import { quotedArgument, runAsOrder } from '../../../src-services/WindowsRunAs.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

const ASKPASS = path.resolve(import.meta.dirname, '../../../assets/macos/askpass');

function ended(errorText: string): Parameters<typeof explainConsent>[0] {
  return { code: 1, signal: null, errorText };
}

/** sudo 1.9.13 with an askpass program (that of macOS 14 is 1.9.13p2), run in the C locale. */
const sudoSays: readonly [text: string, code: string][] = [
  // The program gave nothing and ended with 1, as osascript does when somebody cancels.
  ['sudo: no password was provided\nsudo: a password is required\n', 'permission-dismissed'],
  // https://github.com/theseal/ssh-askpass/issues/19
  ['1176:1286: execution error: User canceled. (-128)\n', 'permission-dismissed'],
  [
    'Sorry, try again.\nSorry, try again.\nsudo: 3 incorrect password attempts\n',
    'permission-refused',
  ],
  ['bob is not in the sudoers file.\n', 'permission-not-administrator'],
  [
    'execution error: No user interaction allowed. (-1713)\nsudo: no password was provided\n',
    'permission-no-agent',
  ],
  // https://github.com/mitsuhiko/rust-runas/issues/9
  [
    'sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n',
    'permission-no-agent',
  ],
  ['', 'writer-unreachable'],
];

test.each(sudoSays)('sudo: %j', (errorText, code) => {
  expect(explainMacosSudo(ended(errorText)).code).toBe(code);
});

test('on a Mac without a terminal a dialog asks; without sudo nobody can', async () => {
  const asked: string[] = [];
  const situation = { isRoot: false, hasTerminal: false };
  const exists = (file: string): boolean => asked.push(file) > 0;
  expect(await new MacosElevation({ ...situation, exists }).ways()).toHaveLength(1);
  expect(asked).toEqual(['/usr/bin/sudo', ASKPASS]);
  const none = new MacosElevation({ ...situation, exists: () => false });
  const thrown: unknown = await none.ways().catch((cause: unknown) => cause);
  expect(failureOf(thrown)).toMatchObject({ code: 'permission-tool-missing' });
});

test('root is asked nothing, and a terminal needs no dialog', async () => {
  const missing = (file: string): boolean => file === '/usr/bin/sudo';
  const root = new MacosElevation({ isRoot: true, hasTerminal: false, exists: () => false });
  expect(await root.ways()).toHaveLength(1);
  const terminal = new MacosElevation({ isRoot: false, hasTerminal: true, exists: missing });
  expect(await terminal.ways()).toHaveLength(1);
});

test('the dialog is a fixed program that sudo can start, and the password goes nowhere else', () => {
  accessSync(ASKPASS, constants.X_OK);
  const text = readFileSync(ASKPASS, 'utf8');
  expect(text.startsWith('#!/usr/bin/osascript\n')).toBe(true);
  expect(text).toContain('hidden answer');
  expect(text).not.toMatch(/do shell script|\b(write|log) |open for access/);
});

/** `whoami /groups`: https://zybermark.blogspot.com/2012/06/, and the same without elevation. */
const labels: readonly [label: string, elevated: boolean][] = [
  ['Mandatory Label\\High Mandatory Level Label            S-1-16-12288\n', true],
  ['Mandatory Label\\System Mandatory Level Label          S-1-16-16384\n', true],
  ['Verbindliche Beschriftung\\Hohe Verbindlichkeitsstufe  Bezeichnung S-1-16-12288\r\n', true],
  ['Mandatory Label\\Medium Mandatory Level Label          S-1-16-8192\n', false],
  ['BUILTIN\\Administrators  Alias  S-1-5-32-544  Group used for deny only\n', false],
  ['S-1-16-122880', false],
  ['S-1-16-8192 S-1-5-16-12288', false],
  ['', false],
];

test.each(labels)('%j', (label, elevated) => {
  expect(isElevated(label)).toBe(elevated);
});

/** Errors of ShellExecuteEx; 1223 is what a refused prompt gives (winerror.h, ERROR_CANCELLED). */
const runAsSays: readonly [text: string, code: string][] = [
  ['runas 1223 The operation was canceled by the user\r\n', 'permission-dismissed'],
  ['runas 1223 Der Vorgang wurde durch den Benutzer abgebrochen\r\n', 'permission-dismissed'],
  ['runas 1260 This program is blocked by group policy\r\n', 'permission-refused'],
  ['runas 5 Access is denied\r\n', 'permission-refused'],
  ['runas 1314 A required privilege is not held by the client\r\n', 'permission-not-administrator'],
  ['runas 1459 This operation requires an interactive window station\r\n', 'permission-no-agent'],
  ['#< CLIXML\r\nrunas 1223 x\r\n', 'permission-dismissed'],
  ['runas 2 The system cannot find the file specified\r\n', 'writer-unreachable'],
  ['runas  no number\r\n', 'writer-unreachable'],
  ['no pipe could be made', 'writer-unreachable'],
  ['', 'writer-unreachable'],
];

test.each(runAsSays)('consent: %j', (errorText, code) => {
  expect(explainConsent(ended(errorText)).code).toBe(code);
});

/** Reads a command line as CommandLineToArgvW does ("Parsing C command-line arguments"). */
function argumentsOf(line: string): string[] {
  const found: string[] = [];
  let current: string | null = null;
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    if (slashes > 0 && line[at + slashes] === '"') {
      current = (current ?? '') + '\\'.repeat(Math.floor(slashes / 2));
      at += slashes;
      if (slashes % 2 === 1) current += '"';
      else quoted = !quoted;
    } else if (line[at] === '"') {
      quoted = !quoted;
      current ??= '';
    } else if (line[at] === ' ' && !quoted) {
      if (current !== null) found.push(current);
      current = null;
    } else current = (current ?? '') + (line[at] ?? '');
  }
  return current === null ? found : [...found, current];
}

test.each([
  '',
  'a b',
  'C:\\Program Files\\Boxwright\\',
  '\\\\.\\pipe\\x',
  'a"b',
  'a\\"b',
  '\\\\"',
  '" --evil "',
])('the argument %j comes through a command line as it is', (argument) => {
  expect(argumentsOf(`${quotedArgument(argument)} ${quotedArgument('next')}`)).toEqual([
    argument,
    'next',
  ]);
});

test('any arguments come through', () => {
  const seed = 20260713;
  const random = new SeededRandom(seed);
  for (let run = 0; run < 2000; run++) {
    const word = (): string =>
      Array.from({ length: random.integer(8) }, () => '"\\ a'[random.integer(4)] ?? '').join('');
    const words = [word(), word(), word()];
    const line = words.map(quotedArgument).join(' ');
    expect(argumentsOf(line), `seed ${String(seed)} run ${String(run)}`).toEqual(words);
  }
});

test('the order is one line of ASCII, whatever the folder is called', () => {
  const folder = 'C:\\Users\\J\u00f6rg \u{1f355}\n\\node.exe';
  const order = runAsOrder([folder, 'x y']);
  expect(order).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(order)).toEqual({ file: folder, arguments: '"x y"' });
});
