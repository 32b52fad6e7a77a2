import { stripVTControlCharacters } from 'node:util';
import { isFinal } from '../src-core/FlashJob.ts';
import type { FlashJob } from '../src-core/FlashJob.ts';
import type { Words } from '../src-words/Words.ts';
import type { JobView } from './JobView.ts';
import { progressLines } from './ProgressLines.ts';
import type { Terminal } from './Terminal.ts';
import { screenLines } from './Terminal.ts';

/** Ten frames a second at most. */
const FRAME_MS = 100;

/** Control sequences of ECMA-48: cursor up, erase in line, erase in page; DEC private: hide, show. */
const UP = (lines: number): string => (lines === 0 ? '' : `\u001b[${String(lines)}A`);
const ERASE_LINE_END = '\u001b[K';
const ERASE_PAGE_END = '\u001b[J';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

/** Draws a line for every card and draws over it in place, each frame in one piece of output. */
export class LiveProgress implements JobView {
  readonly #terminal: Terminal;
  readonly #words: Words;
  readonly #names: ReadonlyMap<string, string>;
  #job: FlashJob | null = null;
  #drawn: readonly string[] = [];
  #lastFrame = -Infinity;
  #timer: NodeJS.Timeout | null = null;
  #started = false;

  constructor(terminal: Terminal, words: Words, names: ReadonlyMap<string, string>) {
    this.#terminal = terminal;
    this.#words = words;
    this.#names = names;
  }

  update(job: FlashJob): void {
    this.#job = job;
    // While a password may be asked for on the same screen, nothing is drawn over the question.
    const begun = job.cards.some(({ phase, state }) => phase !== null || isFinal(state));
    if (!begun || this.#timer !== null) return;
    const wait = Math.max(0, this.#lastFrame + FRAME_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#draw();
    }, wait);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const touched = this.#job?.cards.some(({ phase }) => phase !== null) === true;
    if (touched) this.#draw();
    if (this.#started) this.#terminal.write(SHOW_CURSOR);
    this.#job = null;
    this.#drawn = [];
  }

  #draw(): void {
    if (this.#job === null) return;
    const { columns, rows, hasUnicode } = this.#terminal;
    const paint = this.#terminal.paint.bind(this.#terminal);
    const style = { columns, hasUnicode, paint };
    const lines = progressLines(this.#job, this.#names, this.#words, style);
    const shown = [...lines.slice(0, Math.max(1, rows - 2)), ...this.#footer(this.#job)];
    const start = this.#started ? '' : HIDE_CURSOR;
    // The terminal may have become narrower since, and wrapped what was drawn before.
    const above = this.#drawn.reduce((sum, line) => sum + screenLines(line, columns), 0);
    const body = shown.map((line) => `${line}${ERASE_LINE_END}\n`).join('');
    this.#terminal.write(`${start}${UP(above)}\r${body}${ERASE_PAGE_END}`);
    this.#started = true;
    this.#drawn = shown.map(stripVTControlCharacters);
    this.#lastFrame = performance.now();
  }
  #footer({ cards }: FlashJob): string[] {
    const stopping = cards.some(({ cancelling, state }) => cancelling && !isFinal(state));
    return stopping ? [this.#words.say('progress.stopping')] : [];
  }
}
