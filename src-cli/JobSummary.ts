import type { CardJob, FlashJob } from '../src-core/FlashJob.ts';
import type { CardChoice } from '../src-core/FlashPlan.ts';
import type { PreparedFlash } from '../src-services/FlashPreparation.ts';
import type { Words } from '../src-words/Words.ts';
import { USUAL_SECTOR } from './DriveLines.ts';

export interface SummaryLine {
  readonly text: string;
  /** Of a card for which not all was done that was asked for. */
  readonly isProblem: boolean;
}

/** What became of every card, what it is now, and what to do next with it. */
export function summaryLines(
  job: FlashJob,
  prepared: PreparedFlash,
  names: ReadonlyMap<string, string>,
  words: Words,
): SummaryLine[] {
  const lines = job.cards.flatMap((card) => {
    const choice = prepared.cards.find(({ cardId }) => cardId === card.cardId)?.choice;
    if (choice === undefined) return [];
    const isProblem = card.state !== 'done';
    const name = names.get(card.cardId) ?? card.cardId;
    const next = nextSteps(card, choice, job, prepared, words);
    return [
      { text: resultOf(card, name, job, words), isProblem },
      ...next.map((nextStep) => ({
        text: `  ${words.say('result.next', { nextStep })}`,
        isProblem,
      })),
    ];
  });
  return [...lines, ...overall(job, words)];
}

function overall(job: FlashJob, words: Words): SummaryLine[] {
  const all = job.cards.length;
  const done = job.cards.filter(({ state }) => state === 'done').length;
  const count =
    done === all
      ? words.say('result.all', { count: all })
      : words.say('result.some', { done, all });
  return [
    ...(job.sha256 === null ? [] : [words.say('result.sha256', { sha256: job.sha256 })]),
    ...(all === 1 ? [] : [count]),
  ].map((text) => ({ text, isProblem: false }));
}

function resultOf(card: CardJob, name: string, job: FlashJob, words: Words): string {
  const condition = words.say(`condition.${card.condition}`);
  if (card.state === 'cancelled') return words.say('result.cancelled', { card: name, condition });
  if (card.failure !== null) return failed(card, name, words);
  const time = words.format.duration((card.endedAt ?? 0) - (card.startedAt ?? 0));
  const facts = { card: name, time };
  if (job.action === 'verify') {
    return words.say('result.compared', { ...facts, read: card.bytesVerified });
  }
  const sentence = card.condition === 'verified' ? 'result.verified' : 'result.unverified';
  return words.say(sentence, { ...facts, written: card.bytesWritten });
}

function failed({ condition, failure }: CardJob, name: string, words: Words): string {
  if (failure === null) return name;
  const facts: Readonly<Record<string, string | number>> = failure.facts;
  const { differingBytes, offset } = facts;
  const said = words.say(`condition.${condition}`);
  if (condition === 'different' && differingBytes !== undefined && offset !== undefined) {
    const difference = { card: name, condition: said, difference: differingBytes, offset };
    return words.say('result.differs', difference);
  }
  const { cause } = words.failure(failure);
  return words.say('result.failed', { card: name, cause, condition: said });
}

function nextSteps(
  card: CardJob,
  choice: CardChoice,
  job: FlashJob,
  { request }: PreparedFlash,
  words: Words,
): string[] {
  if (card.state === 'cancelled') {
    return card.condition === 'untouched' ? [] : [words.say('next.flash-again')];
  }
  if (card.condition === 'different') return [words.say('next.differs')];
  if (card.failure !== null) return [words.failure(card.failure).nextStep];
  if (job.action === 'verify') return [words.say('next.compared')];
  const image = request.image;
  if (choice.kind === 'practice') return [words.say('next.practice', { path: choice.path, image })];
  const sector = choice.drive.logicalBlockSize;
  return [
    ...(sector === USUAL_SECTOR ? [] : [words.say('next.sectors', { bytes: sector })]),
    ...(card.oldDataRemains ? [words.say('result.old-data')] : []),
    ...(card.condition === 'unverified'
      ? [words.say('next.verify', { image, drive: choice.drive.path })]
      : []),
    ...afterEjecting(card, words),
  ];
}

function afterEjecting({ eject }: CardJob, words: Words): string[] {
  if (eject === null) return [words.say('after.kept')];
  if (eject.failure !== null) {
    const { cause, nextStep } = words.failure(eject.failure);
    return [`${cause} ${nextStep}`];
  }
  return eject.outcome === 'failed'
    ? [words.say('after.kept')]
    : [words.say(`after.${eject.outcome}`)];
}
