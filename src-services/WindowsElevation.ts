import { storageRun } from '../src-drives/windows/StorageScript.ts';
import { runTool } from '../src-drives/ToolRunner.ts';
import { ChildProgram } from './ChildProgram.ts';
import { failure } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import type { Elevation, ElevationWay, ProgramEnding } from './Elevation.ts';
import { WindowsPipeProgram } from './WindowsPipeProgram.ts';
import { runAsScript } from './WindowsRunAs.ts';

const SYSTEM = `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32`;

export interface WindowsSituation {
  /** What `whoami /groups` prints; null where it does not answer. */
  readonly groups: () => Promise<string | null>;
}

/** The supervisor as a child where this program is elevated already; a consent prompt otherwise. */
export class WindowsElevation implements Elevation {
  readonly #situation: WindowsSituation;

  constructor(situation: WindowsSituation = thisSituation) {
    this.#situation = situation;
  }

  async ways(): Promise<readonly ElevationWay[]> {
    return isElevated((await this.#situation.groups()) ?? '') ? [directWay] : [consentWay];
  }
}

/** Whether the integrity level is high or that of the system: S-1-16 of "Well-known SIDs". */
export function isElevated(groups: string): boolean {
  return /\bS-1-16-(12288|16384)\b/.test(groups);
}

/** Node adds the variables without which nothing starts on Windows. */
const directWay: ElevationWay = {
  asksNobody: true,
  start: (command) => new ChildProgram(command, {}),
  explain: ({ errorText }) => failure('writer-unreachable', { detail: errorText.trim() }),
};

const consentWay: ElevationWay = {
  asksNobody: false,
  start: (command) =>
    new WindowsPipeProgram(command, () => {
      const script = Buffer.from(runAsScript, 'utf16le').toString('base64');
      const [powershell = ''] = storageRun.tool;
      const options = ['-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', script];
      return new ChildProgram([powershell, ...options], {});
    }),
  explain: explainConsent,
};

/** System error codes of winerror.h that ShellExecuteEx gives for the verb "runas". */
const CONSENT: ReadonlyMap<number, Failure> = new Map<number, Failure>([
  // Refused by the policy for standard users, and by one against this program.
  [5, failure('permission-refused', {})],
  [1260, failure('permission-refused', {})],
  // ERROR_CANCELLED: the prompt was answered with no, or closed.
  [1223, failure('permission-dismissed', {})],
  [1314, failure('permission-not-administrator', {})],
  // No desktop to ask on, as over SSH.
  [1008, failure('permission-no-agent', {})],
  [1459, failure('permission-no-agent', {})],
]);

/** Why no supervisor came, from what the script of WindowsRunAs.ts printed. */
export function explainConsent({ errorText }: ProgramEnding): Failure {
  const code = /^runas (\d{1,10}) /m.exec(errorText)?.[1];
  const known = code === undefined ? undefined : CONSENT.get(Number(code));
  return known ?? failure('writer-unreachable', { detail: errorText.trim() });
}

const thisSituation: WindowsSituation = {
  groups: () =>
    runTool({ tool: [`${SYSTEM}\\whoami.exe`], arguments: ['/groups'], timeout: 10_000 }),
};
