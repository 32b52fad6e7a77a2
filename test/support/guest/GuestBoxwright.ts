import { cliJsonSchema, type CliJson } from '../../../src-contract/CliJson.ts';
import type { Guest } from './Guest.ts';
import type { Finished, GuestCommand } from './GuestCommand.ts';

/** Where the program lies from power-on: a read-only disk of its own. */
const PROGRAM_FOLDER = '/program';

type Of<Type extends CliJson['type']> = Extract<CliJson, { readonly type: Type }>;
export type ListedDrive = Of<'drive'>;

/** A flash that ended. */
export interface FlashOutcome extends Finished {
  /** The codes of what stood against the whole job, with their facts. */
  readonly refusals: readonly Of<'refused'>['problems'][number]['failure'][];
  /** What became of a card. @throws Error where nothing was said of it */
  card(cardId: string): Of<'card'>;
}

/** A flash under way in the guest. */
export class GuestFlash {
  readonly command: GuestCommand;

  constructor(command: GuestCommand) {
    this.command = command;
  }

  /** Resolves when bytes of the card are being written. @throws Error where it ends before */
  async writing(cardId: string): Promise<void> {
    await this.command.line((line) => {
      const report = parseReport(line);
      return (
        report.type === 'progress' &&
        report.cardId === cardId &&
        report.phase === 'writing' &&
        report.bytes > 0
      );
    });
  }

  /** When the end of a card was told, in ms of the host's clock. */
  toldAt(cardId: string): number {
    const told = this.command.lines.find(({ text }) => {
      const report = parseReport(text);
      return report.type === 'card' && report.cardId === cardId;
    });
    if (told === undefined) throw new Error(`the end of ${cardId} was not told`);
    return told.at;
  }

  async outcome(): Promise<FlashOutcome> {
    const finished = await this.command.finished;
    const reports = reportsOf(finished);
    return {
      ...finished,
      refusals: reports.flatMap((report) =>
        report.type === 'refused' ? report.problems.map(({ failure }) => failure) : [],
      ),
      card: (cardId) => {
        const found = reports.find((report) => report.type === 'card' && report.cardId === cardId);
        if (found?.type !== 'card') throw new Error(`no end of ${cardId}: ${describe(finished)}`);
        return found;
      },
    };
  }
}

/** The program in the guest, as the unprivileged account runs it. */
export class GuestBoxwright {
  readonly #guest: Guest;
  readonly #folder: string;

  /** @param folder where its bundles and its Node are */
  constructor(guest: Guest, folder = PROGRAM_FOLDER) {
    this.#guest = guest;
    this.#folder = folder;
  }

  /** `boxwright drives --json`. */
  async drives(...options: readonly string[]): Promise<readonly ListedDrive[]> {
    const finished = await this.#start(['drives', '--json', ...options]).finished;
    if (finished.code !== 0) throw new Error(describe(finished));
    return reportsOf(finished).filter((report) => report.type === 'drive');
  }

  /** `boxwright drives --json --all`, the one at that path. */
  async drive(path: string): Promise<ListedDrive> {
    const drives = await this.drives('--all');
    const found = drives.find((drive) => drive.path === path);
    if (found === undefined) throw new Error(`${path} is not among ${JSON.stringify(drives)}`);
    return found;
  }

  /** `boxwright flash --json --yes`, with an image of the program disk. */
  flash(image: string, drives: readonly string[], ...options: readonly string[]): GuestFlash {
    const targets = drives.flatMap((drive) => ['--to', drive]);
    const file = `${PROGRAM_FOLDER}/images/${image}`;
    return new GuestFlash(this.#start(['flash', file, ...targets, '--json', '--yes', ...options]));
  }

  #start(words: readonly string[]): GuestCommand {
    const program = [`${this.#folder}/node`, `${this.#folder}/dist/boxwright.mjs`] as const;
    return this.#guest.start([...program, ...words], { technician: true });
  }
}

function parseReport(line: string): CliJson {
  return cliJsonSchema.parse(JSON.parse(line));
}

function reportsOf({ stdout }: Finished): CliJson[] {
  return stdout.split('\n').filter(Boolean).map(parseReport);
}

/** A finished command for the message of an exception. */
function describe({ code, signal, stdout, stderr }: Finished): string {
  return `exit ${String(code)} ${signal ?? ''}\n${stdout.slice(-3000)}\n${stderr.slice(-3000)}`;
}
