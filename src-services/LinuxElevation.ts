import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { fail, failure } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import { ChildProgram } from './ChildProgram.ts';
import type { Elevation, ElevationWay, ProgramEnding } from './Elevation.ts';
import { hasControllingTerminal } from './ControllingTerminal.ts';

/** Only folders of root's; NixOS keeps its setuid programs in the first. */
const FOLDERS = ['/run/wrappers/bin', '/usr/bin', '/bin'];

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * What the tools get to see: pkexec refuses a SHELL it does not know, and sudo's sentences are read
 * below, so they must not be translated. No SUDO_ or PKEXEC_ variable is handed on: the supervisor
 * takes its caller from them.
 */
const ENVIRONMENT = { PATH, SHELL: '/bin/sh', LC_ALL: 'C', TERM: 'dumb' };

const PROMPT = 'Boxwright needs administrator rights to write to drives. Password for %p: ';

export interface LinuxSituation {
  readonly isRoot: boolean;
  /** sudo and pkexec's own agent ask on it. */
  readonly hasTerminal: boolean;
  /** Absolute path of a tool, or null. */
  readonly findTool: (name: string) => Promise<string | null>;
}

/** sudo where there is a terminal to ask on, polkit where there is a desktop to ask on. */
export class LinuxElevation implements Elevation {
  readonly #situation: LinuxSituation;

  constructor(situation: LinuxSituation = thisSituation()) {
    this.#situation = situation;
  }

  async ways(): Promise<readonly ElevationWay[]> {
    const { isRoot, hasTerminal, findTool } = this.#situation;
    if (isRoot) return [new LinuxWay([], explainDirect)];
    const sudo = await findTool('sudo');
    const pkexec = await findTool('pkexec');
    const asking = sudo === null ? [] : [new LinuxWay([sudo, '-p', PROMPT, '--'], explainSudo)];
    // For services and the like: a rule of the administrator's may need no password at all.
    const silent = sudo === null ? [] : [new LinuxWay([sudo, '-n', '--'], explainSilentSudo)];
    const polkit = pkexec === null ? [] : [new LinuxWay([pkexec], explainPkexec)];
    const ways = hasTerminal ? [...asking, ...polkit] : [...polkit, ...silent];
    if (ways.length === 0) throw fail('permission-tool-missing', { tools: 'sudo, pkexec' });
    return ways;
  }
}

class LinuxWay implements ElevationWay {
  readonly asksNobody: boolean;
  readonly explain: ElevationWay['explain'];
  readonly #before: readonly string[];

  constructor(before: readonly string[], explain: ElevationWay['explain']) {
    this.#before = before;
    this.asksNobody = before.length === 0;
    this.explain = explain;
  }

  start(command: readonly string[]): ChildProgram {
    return new ChildProgram([...this.#before, ...command], ENVIRONMENT);
  }
}

function explainDirect({ errorText }: ProgramEnding): Failure {
  return failure('writer-unreachable', { detail: errorText });
}

/** The sentences of sudo 1.9 (plugins/sudoers) and of sudo-rs, which Ubuntu has since 25.10. */
const SUDO_SENTENCES: readonly (readonly [RegExp, Failure])[] = [
  [/not in the sudoers|not allowed to|may not run sudo|can't do that/i, notAdministrator()],
  [/incorrect (password|authentication) attempt/i, failure('permission-refused', {})],
  [/authentication failure|account validation|expired/i, failure('permission-refused', {})],
  [
    /terminal is required|no askpass|interactive authentication/i,
    failure('permission-no-agent', {}),
  ],
  [/no password was provided/i, failure('permission-dismissed', {})],
  [/password is required/i, failure('permission-dismissed', {})],
];

/** Why sudo started nothing, from what it printed in the C locale. */
export function explainSudo({ errorText }: ProgramEnding): Failure {
  return explainBy(SUDO_SENTENCES, errorText);
}

/** `sudo -n` asks nobody: a password that would be needed means that there was no one to ask. */
export function explainSilentSudo(ending: ProgramEnding): Failure {
  const found = explainSudo(ending);
  return found.code === 'permission-dismissed' ? failure('permission-no-agent', {}) : found;
}

/** The sentences of polkit's pkexec.c (0.105 to 126), which are never translated. */
const PKEXEC_SENTENCES: readonly (readonly [RegExp, Failure])[] = [
  // Nobody's desktop, and no terminal for the agent that pkexec brings along.
  [/no authentication agent|textual authentication agent/i, failure('permission-no-agent', {})],
  [/request dismissed/i, failure('permission-dismissed', {})],
  [/not authorized/i, failure('permission-refused', {})],
  // No system bus, or no polkitd on it: nobody is there who could be asked.
  [/getting authority|could not connect|dbus/i, failure('permission-no-agent', {})],
];

/**
 * pkexec(1): 126 when the dialog was dismissed, 127 when not authorised or anything else failed. A
 * signal is Ctrl+C, or Ctrl+D, at the agent that it brings along for terminals.
 */
export function explainPkexec(ending: ProgramEnding): Failure {
  if (ending.code === 126 || ending.signal !== null) return failure('permission-dismissed', {});
  return explainBy(PKEXEC_SENTENCES, ending.errorText);
}

function explainBy(sentences: readonly (readonly [RegExp, Failure])[], errorText: string): Failure {
  const [, known] = sentences.find(([sentence]) => sentence.test(errorText)) ?? [];
  return known ?? failure('writer-unreachable', { detail: errorText.trim() });
}

function notAdministrator(): Failure {
  return failure('permission-not-administrator', {});
}

function thisSituation(): LinuxSituation {
  return {
    isRoot: process.geteuid?.() === 0,
    hasTerminal: hasControllingTerminal(),
    findTool: async (name) => {
      for (const folder of FOLDERS) {
        const path = `${folder}/${name}`;
        const found = await access(path, constants.X_OK).then(
          () => true,
          () => false,
        );
        if (found) return path;
      }
      return null;
    },
  };
}
