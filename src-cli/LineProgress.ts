import { isFinal } from '../src-core/FlashJob.ts';
import type { CardJob, FlashJob, JobEvent } from '../src-core/FlashJob.ts';
import type { Words } from '../src-words/Words.ts';
import type { JobView } from './JobView.ts';
import { phaseWords } from './ProgressLines.ts';
import type { Terminal } from './Terminal.ts';

/** Says in plain lines what changes: every phase, and every tenth of it. For logs and pipes. */
export class LineProgress implements JobView {
  readonly #terminal: Terminal;
  readonly #words: Words;
  readonly #names: ReadonlyMap<string, string>;
  readonly #said = new Map<string, string>();

  constructor(terminal: Terminal, words: Words, names: ReadonlyMap<string, string>) {
    this.#terminal = terminal;
    this.#words = words;
    this.#names = names;
  }

  update(job: FlashJob, event: JobEvent): void {
    if (event.type === 'cancel') this.#terminal.notice(this.#words.say('progress.stopping'));
    for (const card of job.cards) {
      if (card.phase === null || isFinal(card.state)) continue;
      const tenth = Math.floor(card.fraction * 10);
      const step = `${card.phase} ${String(tenth)} ${String(card.cancelling)}`;
      if (this.#said.get(card.cardId) === step) continue;
      this.#said.set(card.cardId, step);
      this.#terminal.line(this.#line(card, tenth / 10));
    }
  }

  close(): void {
    this.#said.clear();
  }

  #line(card: CardJob, fraction: number): string {
    const { format } = this.#words;
    const name = this.#names.get(card.cardId) ?? card.cardId;
    const facts = { card: name, phase: phaseWords(card, this.#words) };
    if (fraction === 0 || card.cancelling) return this.#words.say('progress.line', facts);
    const percent = format.percent(fraction);
    if (card.speed === null) return this.#words.say('progress.line-percent', { ...facts, percent });
    const speed = format.speed(card.speed);
    if (card.timeLeft === null || card.timeLeft === 0) {
      return this.#words.say('progress.line-speed', { ...facts, percent, speed });
    }
    const time = format.duration(card.timeLeft);
    return this.#words.say('progress.line-left', { ...facts, percent, speed, time });
  }
}
