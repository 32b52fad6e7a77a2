import { isFinal } from '../src-core/FlashJob.ts';
import type { CardJob, FlashJob } from '../src-core/FlashJob.ts';
import type { Words } from '../src-words/Words.ts';
import type { Colour } from './Terminal.ts';
import { fitText, textWidth } from './TextWidth.ts';

/** How lines may look where they are shown. */
export interface LineStyle {
  readonly columns: number;
  readonly hasUnicode: boolean;
  readonly paint: (colour: Colour, text: string) => string;
}

const PERCENT = 5;
const SPEED = 11;
const TIME = 18;
const LEAST_BAR = 10;
const MOST_BAR = 40;
const LEAST_NAME = 8;
const MOST_NAME = 34;

/**
 * One line for each card, none wider than the screen (the last column stays free, so that no
 * terminal wraps): name, phase, bar, percent, speed, time left. What does not fit is left out, the
 * least needed first.
 */
export function progressLines(
  job: FlashJob,
  names: ReadonlyMap<string, string>,
  words: Words,
  style: LineStyle,
): string[] {
  const layout = layoutOf(style.columns - 1, widestPhase(words), names);
  return job.cards.map((card) => {
    const name = fitText(names.get(card.cardId) ?? card.cardId, layout.name, mark(style));
    const phase = fitText(phaseWords(card, words), layout.phase, mark(style));
    return [name, painted(card, phase, style), ...measures(card, words, layout, style)]
      .filter((part) => part !== '')
      .join(' ')
      .trimEnd();
  });
}

/** What is being done with a card, in a word. */
export function phaseWords(card: CardJob, words: Words): string {
  if (card.cancelling && !isFinal(card.state)) return words.say('state.cancelling');
  if (isFinal(card.state) || card.phase === null) return words.say(`state.${card.state}`);
  return words.say(`phase.${card.phase}`);
}

/** Columns of the longest of them, so that nothing moves when a card goes on to the next. */
function widestPhase(words: Words): number {
  const phases = ['preparing', 'writing', 'verifying', 'finishing', 'ejecting'] as const;
  const states = ['done', 'failed', 'cancelled', 'cancelling'] as const;
  const said = [
    ...phases.map((phase) => words.say(`phase.${phase}`)),
    ...states.map((state) => words.say(`state.${state}`)),
  ];
  return Math.max(...said.map(textWidth));
}

interface Layout {
  readonly name: number;
  readonly phase: number;
  readonly bar: number;
  readonly speed: boolean;
  readonly time: boolean;
}

function layoutOf(width: number, phase: number, names: ReadonlyMap<string, string>): Layout {
  const longest = Math.max(...[...names.values()].map(textWidth));
  const wished = Math.max(LEAST_NAME, Math.min(MOST_NAME, longest));
  const extras = [
    { speed: true, time: true },
    { speed: true, time: false },
    { speed: false, time: false },
  ];
  for (const { speed, time } of extras) {
    const fixed = phase + 2 + PERCENT + (speed ? SPEED + 1 : 0) + (time ? TIME + 1 : 0);
    const name = Math.min(wished, Math.max(LEAST_NAME, width - fixed - LEAST_BAR - 1));
    const bar = Math.min(MOST_BAR, width - fixed - name - 1);
    if (bar >= LEAST_BAR) return { name, phase, bar, speed, time };
  }
  const name = Math.max(1, Math.min(wished, width - phase - PERCENT - 2));
  const left = Math.max(0, width - name - PERCENT - 2);
  return { name, phase: Math.min(phase, left), bar: 0, speed: false, time: false };
}

function measures(card: CardJob, words: Words, layout: Layout, style: LineStyle): string[] {
  // Nothing is whole before its verdict.
  const progress = card.state === 'done' ? 1 : Math.min(card.progress, 0.99);
  const percent = words.format.percent(progress).padStart(PERCENT);
  if (isFinal(card.state)) return [bar(progress, layout.bar, style), percent];
  const speed = card.speed === null ? '' : words.format.speed(card.speed);
  const time =
    card.timeLeft === null || card.timeLeft === 0
      ? ''
      : words.say('progress.left', { time: words.format.duration(card.timeLeft) });
  return [
    bar(progress, layout.bar, style),
    percent,
    layout.speed ? fitText(speed.padStart(SPEED), SPEED, mark(style)) : '',
    layout.time ? fitText(time, TIME, mark(style)) : '',
  ];
}

function bar(progress: number, width: number, style: LineStyle): string {
  if (width === 0) return '';
  const full = Math.floor(progress * width);
  const [done, open] = style.hasUnicode ? ['█', '░'] : ['#', '-'];
  return done.repeat(full) + style.paint('dim', open.repeat(width - full));
}

function painted(card: CardJob, text: string, style: LineStyle): string {
  if (card.state === 'done') return style.paint('green', text);
  if (card.state === 'failed') return style.paint('red', text);
  return card.state === 'cancelled' || card.cancelling ? style.paint('yellow', text) : text;
}

function mark({ hasUnicode }: LineStyle): string {
  return hasUnicode ? '…' : '~';
}
