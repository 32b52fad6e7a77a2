import { CLI_JSON_VERSION } from '../src-contract/CliJson.ts';
import type { CliJson } from '../src-contract/CliJson.ts';
import { jsonLine } from '../src-core/JsonLines.ts';
import type { Failure } from '../src-core/Failure.ts';
import { isFinal } from '../src-core/FlashJob.ts';
import type { CardJob, FlashJob, JobEvent } from '../src-core/FlashJob.ts';
import type { Words } from '../src-words/Words.ts';
import type { JobView } from './JobView.ts';
import type { Terminal } from './Terminal.ts';

/** Progress of one card is told this often at most, in milliseconds. */
const PROGRESS_MS = 250;

type Report<Item> = Item extends CliJson ? Omit<Item, 'v'> : never;
type Of<Type extends CliJson['type']> = Extract<CliJson, { readonly type: Type }>;

/** Invisible and reordering characters, which JSON allows in strings and a screen would obey. */
const invisible = /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/gu;

/** Prints one object of docs/cli-json.md. What nobody could see is escaped, and means the same. */
export function reportJson(terminal: Terminal, report: Report<CliJson>): void {
  const line = jsonLine({ v: CLI_JSON_VERSION, ...report }).trimEnd();
  terminal.line(line.replace(invisible, escaped));
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

export function problemOf(words: Words, failure: Failure): Of<'refused'>['problems'][number] {
  return { failure, ...words.failure(failure) };
}

/** What became of each card, as the card and the result reports tell it. */
export function cardResults(
  job: FlashJob,
  names: ReadonlyMap<string, string>,
  words: Words,
): Of<'result'>['cards'] {
  return job.cards
    .filter(({ state }) => isFinal(state))
    .map((card) => resultOf(card, names, words));
}

function resultOf(
  card: CardJob,
  names: ReadonlyMap<string, string>,
  words: Words,
): Of<'result'>['cards'][number] {
  const { cardId, condition, bytesWritten, bytesVerified, oldDataRemains } = card;
  const { failure, eject, startedAt, endedAt } = card;
  const state = card.state === 'done' || card.state === 'cancelled' ? card.state : 'failed';
  const problem = (given: Failure | null) => (given === null ? null : problemOf(words, given));
  return {
    ...{ cardId, drive: names.get(cardId) ?? cardId, state, condition, problem: problem(failure) },
    ...{ bytesWritten, bytesVerified, oldDataRemains },
    eject: eject === null ? null : { outcome: eject.outcome, problem: problem(eject.failure) },
    duration: startedAt === null || endedAt === null ? null : endedAt - startedAt,
  };
}

/** Prints the steps of a job, one object a line. */
export class CliJsonReport implements JobView {
  readonly #terminal: Terminal;
  readonly #words: Words;
  readonly #drives: ReadonlyMap<string, string>;
  readonly #told = new Map<string, number>();
  readonly #ended = new Set<string>();

  /** @param drives paths of the cards by their ids */
  constructor(terminal: Terminal, words: Words, drives: ReadonlyMap<string, string>) {
    this.#terminal = terminal;
    this.#words = words;
    this.#drives = drives;
  }

  update(job: FlashJob, event: JobEvent): void {
    if (event.type === 'awaiting-permission') reportJson(this.#terminal, { type: 'permission' });
    if (event.type === 'hashed') {
      reportJson(this.#terminal, { type: 'hashed', sha256: event.sha256, size: event.size });
    }
    if (event.type === 'phase') reportJson(this.#terminal, event);
    if (event.type === 'progress') this.#progress(job, event.cardId);
    for (const result of cardResults(job, this.#drives, this.#words)) {
      if (this.#ended.has(result.cardId) || job.refusals.length > 0) continue;
      this.#ended.add(result.cardId);
      reportJson(this.#terminal, { type: 'card', ...result });
    }
  }

  close(): void {
    this.#told.clear();
  }

  #progress(job: FlashJob, cardId: string): void {
    const card = job.cards.find((each) => each.cardId === cardId);
    if (card === undefined || card.phase === null || isFinal(card.state)) return;
    const key = `${cardId} ${card.phase}`;
    const now = performance.now();
    const isLast = card.fraction === 1;
    if (!isLast && now < (this.#told.get(key) ?? -Infinity) + PROGRESS_MS) return;
    this.#told.set(key, now);
    const { phase, bytes, total, fraction, progress, speed, timeLeft } = card;
    const rest = { bytes, total, fraction, progress, bytesPerSecond: speed, timeLeft };
    reportJson(this.#terminal, { type: 'progress', cardId, phase, ...rest });
  }
}
