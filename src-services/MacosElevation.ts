import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ChildProgram } from './ChildProgram.ts';
import { fail, failure } from '../src-core/Failure.ts';
import type { Elevation, ElevationWay, ProgramEnding } from './Elevation.ts';
import { explainSudo } from './LinuxElevation.ts';
import { hasControllingTerminal } from './ControllingTerminal.ts';

const SUDO = '/usr/bin/sudo';

/** Beside dist/ as beside src-services/. Fixed: sudo starts it to ask for the password. */
const ASKPASS = fileURLToPath(new URL('../assets/macos/askpass', import.meta.url));

/** What sudo gets to see; its sentences are read, so they must not be translated. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TERM: 'dumb' };

const PROMPT = 'Boxwright needs administrator rights to write to drives. Password for %p: ';

export interface MacosSituation {
  readonly isRoot: boolean;
  /** sudo asks on it. */
  readonly hasTerminal: boolean;
  readonly exists: (path: string) => boolean;
}

/**
 * sudo, asking on the terminal where there is one and in a dialog otherwise. `osascript ... with
 * administrator privileges` would ask in Apple's own dialog, but joins a shell string and hands on
 * neither standard input nor output until its command has ended; AuthorizationExecuteWithPrivileges
 * is deprecated and needs native code. sudo keeps the pipes.
 */
export class MacosElevation implements Elevation {
  readonly #situation: MacosSituation;

  constructor(situation: MacosSituation = thisSituation()) {
    this.#situation = situation;
  }

  ways(): Promise<readonly ElevationWay[]> {
    const { isRoot, hasTerminal, exists } = this.#situation;
    if (isRoot) return Promise.resolve([new MacosWay([], ENVIRONMENT)]);
    const asking = hasTerminal ? [] : [ASKPASS];
    const missing = [SUDO, ...asking].filter((file) => !exists(file));
    if (missing.length > 0) {
      return Promise.reject(fail('permission-tool-missing', { tools: missing.join(', ') }));
    }
    const way = hasTerminal
      ? new MacosWay([SUDO, '-p', PROMPT, '--'], ENVIRONMENT)
      : new MacosWay([SUDO, '-A', '-p', PROMPT, '--'], { ...ENVIRONMENT, SUDO_ASKPASS: ASKPASS });
    return Promise.resolve([way]);
  }
}

class MacosWay implements ElevationWay {
  readonly asksNobody: boolean;
  readonly #before: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;

  constructor(before: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#before = before;
    this.asksNobody = before.length === 0;
    this.#environment = environment;
  }

  start(command: readonly string[]): ChildProgram {
    return new ChildProgram([...this.#before, ...command], this.#environment);
  }

  explain(ending: ProgramEnding): ReturnType<ElevationWay['explain']> {
    return this.#before.length > 0 ? explainMacosSudo(ending) : explainSudo(ending);
  }
}

/**
 * As {@link explainSudo}, but an askpass program that gave no password was a dialog that somebody
 * cancelled, whatever sudo counts it as; and one that finds no desktop to ask on says so itself.
 */
export function explainMacosSudo(ending: ProgramEnding): ReturnType<ElevationWay['explain']> {
  const { errorText } = ending;
  // osascript: errAENoUserInteraction, and what it says in a session without a window server.
  if (/-1713|no user interaction allowed/i.test(errorText)) {
    return failure('permission-no-agent', {});
  }
  if (/no password was provided|user canceled|\(-128\)/i.test(errorText)) {
    return failure('permission-dismissed', {});
  }
  return explainSudo(ending);
}

function thisSituation(): MacosSituation {
  return {
    isRoot: process.geteuid?.() === 0,
    hasTerminal: hasControllingTerminal(),
    exists: existsSync,
  };
}
