import type { Drive } from './Drive.ts';
import type { DriveVerdict, ReasonGiven } from './DriveVerdict.ts';
import { failure } from './Failure.ts';
import type { Failure } from './Failure.ts';
import type { JobAction } from './FlashJob.ts';

/** A drive as it was chosen, with the judgement of it for this image. */
export interface DriveChoice {
  readonly kind: 'drive';
  readonly drive: Drive;
  readonly verdict: DriveVerdict;
}

/** A plain file that plays the card. */
export interface PracticeChoice {
  readonly kind: 'practice';
  /** Absolute path. */
  readonly path: string;
  /** Bytes it will have. */
  readonly size: number;
  /** There is a file already that the program did not make itself: it would be lost. */
  readonly holdsForeignFile: boolean;
}

export type CardChoice = DriveChoice | PracticeChoice;

export interface FlashDraft {
  readonly action: JobAction;
  /** Bytes the image needs; null where the format does not tell before the end. */
  readonly imageSize: number | null;
  readonly choices: readonly CardChoice[];
  readonly allowWarned: boolean;
  /** `given` beforehand for all allowed cards, `askable` of a person, or `impossible` to get. */
  readonly consent: 'given' | 'askable' | 'impossible';
}

/** How a person must agree to a card's loss: not at all, with a yes, or by typing its name. */
export type ConsentNeeded = 'none' | 'yes' | 'name';

export interface PlannedCard {
  /** Unique in the job: "card-1", "card-2" ... in the order of choice. */
  readonly cardId: string;
  readonly choice: CardChoice;
  readonly consentNeeded: ConsentNeeded;
}

export type FlashPlan =
  | { readonly ok: true; readonly cards: readonly PlannedCard[] }
  | { readonly ok: false; readonly refusals: readonly Failure[] };

/** Plans a job, or lists everything that stands against it: one refused card refuses the job. */
export function planFlash(draft: FlashDraft): FlashPlan {
  const refusals = [
    ...refusedTogether(draft),
    ...draft.choices.flatMap((c) => refusedAlone(draft, c)),
  ];
  if (refusals.length > 0) return { ok: false, refusals };
  const cards = draft.choices.map((choice, index) => ({
    cardId: `card-${String(index + 1)}`,
    choice,
    consentNeeded: consentNeeded(draft, choice),
  }));
  return { ok: true, cards };
}

/** As a person tells cards apart: "/dev/sdb (Generic MassStorageClass)", or the path of a practice card. */
export function cardName(choice: CardChoice): string {
  if (choice.kind === 'practice') return choice.path;
  const { path, label, name } = choice.drive;
  return label === name ? path : `${path} (${label})`;
}

/** What may be repeated only once in a job, and what may not stand beside each other. */
function refusedTogether({ choices }: FlashDraft): Failure[] {
  if (choices.length === 0) return [failure('usage-invalid', { detail: 'no card chosen' })];
  const paths = choices.map(pathOf);
  const twice = new Set(paths.filter((path, index) => paths.indexOf(path) !== index));
  const refusals: Failure[] = [...twice].map((drive) => failure('drive-chosen-twice', { drive }));
  if (choices.length > 1 && twice.size === 0 && choices.some(({ kind }) => kind === 'practice')) {
    const detail = 'a practice card is flashed alone, not beside other cards';
    refusals.push(failure('usage-invalid', { detail }));
  }
  return refusals;
}

function refusedAlone(draft: FlashDraft, choice: CardChoice): Failure[] {
  const drive = cardName(choice);
  if (choice.kind === 'practice') {
    if (draft.action === 'verify') return tooSmall(draft, choice.size);
    const lost = choice.holdsForeignFile && draft.consent === 'impossible';
    return lost ? [failure('drive-not-confirmed', { drive })] : [];
  }
  const { refusals, warnings } = choice.verdict;
  // Reading harms no write-protected card; the supervisor reads nothing else that is refused.
  const counted = refusals.filter(({ code }) => draft.action === 'flash' || code !== 'read-only');
  if (counted.length > 0) {
    const small = tooSmall(draft, choice.drive.size);
    const others = counted.filter(({ code }) => code !== 'too-small' || small.length === 0);
    return [...refusedFor(drive, others), ...small];
  }
  if (draft.action === 'verify') return [];
  const unasked = draft.consent !== 'askable' && !draft.allowWarned;
  if (choice.verdict.verdict === 'warned' && unasked) {
    return [failure('drive-warned', { drive, reasons: reasonCodes(warnings) })];
  }
  return draft.consent === 'impossible' ? [failure('drive-not-confirmed', { drive })] : [];
}

/** A card that is only too small is told in bytes, which says more than the reason. */
function tooSmall({ imageSize }: FlashDraft, driveBytes: number): Failure[] {
  if (imageSize === null || driveBytes === 0 || imageSize <= driveBytes) return [];
  return [failure('image-too-large', { imageBytes: imageSize, driveBytes })];
}

function refusedFor(drive: string, reasons: readonly ReasonGiven[]): Failure[] {
  return reasons.length === 0
    ? []
    : [failure('drive-refused', { drive, reasons: reasonCodes(reasons) })];
}

/** Reasons as a fact: "carries-root: / through md0", joined with ", ". Words are found by the codes. */
function reasonCodes(reasons: readonly ReasonGiven[]): string {
  return reasons.map(({ code, about }) => (about === '' ? code : `${code}: ${about}`)).join(', ');
}

function consentNeeded(draft: FlashDraft, choice: CardChoice): ConsentNeeded {
  if (draft.action === 'verify') return 'none';
  if (choice.kind === 'practice') {
    return choice.holdsForeignFile && draft.consent === 'askable' ? 'yes' : 'none';
  }
  if (choice.verdict.verdict === 'warned' && !draft.allowWarned) return 'name';
  return draft.consent === 'given' ? 'none' : 'yes';
}

function pathOf(choice: CardChoice): string {
  return choice.kind === 'practice' ? choice.path : choice.drive.path;
}
