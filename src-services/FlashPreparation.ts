import path from 'node:path';
import { imageFiles } from '../src-contract/WriterWire.ts';
import { failureOf } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import type { JobAction } from '../src-core/FlashJob.ts';
import { planFlash } from '../src-core/FlashPlan.ts';
import type { CardChoice, FlashDraft, PlannedCard } from '../src-core/FlashPlan.ts';
import { findDrive, judgedDrives } from './DriveScan.ts';
import type { JudgedDrive } from './DriveScan.ts';
import { prepareImage } from './ImagePreparation.ts';
import type { ImageRequest, PreparedImage } from './ImagePreparation.ts';
import { choosePracticeCard, existingPracticeCard, practicePath } from './PracticeCard.ts';

/** What a person asked for, in their words: nothing of it has been looked at. */
export interface FlashRequest extends ImageRequest {
  readonly action: JobAction;
  /** Paths of drives, "serial:NUMBER", "practice" or "practice:FILE". */
  readonly cards: readonly string[];
  readonly verify: boolean;
  readonly eject: boolean;
  readonly allowWarned: boolean;
  readonly allowVirtual: boolean;
  readonly consent: FlashDraft['consent'];
}

/** A job of which everything was looked at that can be without permission, and nothing stands against it. */
export interface PreparedFlash {
  readonly request: FlashRequest;
  readonly image: PreparedImage;
  readonly cards: readonly PlannedCard[];
}

export type FlashPreparation =
  | { readonly ok: true; readonly flash: PreparedFlash }
  | { readonly ok: false; readonly refusals: readonly Failure[] };

/**
 * Looks at the image, the block map and every card, then plans. Asks for no permission and changes
 * nothing but for making the folder of the default practice card.
 */
export async function prepareFlash(request: FlashRequest): Promise<FlashPreparation> {
  const image = await attempt(() => prepareImage(request));
  const chosen = await chooseCards(request, image.ok ? image.value : null);
  const refusals = [...(image.ok ? [] : [image.failure]), ...chosen.refusals];
  if (!image.ok || chosen.choices.length === 0) return { ok: false, refusals };
  const { action, allowWarned, consent } = request;
  const imageSize = image.value.leastSize;
  const plan = planFlash({ action, imageSize, choices: chosen.choices, allowWarned, consent });
  const all = [...refusals, ...(plan.ok ? [] : plan.refusals)];
  if (!plan.ok || all.length > 0) return { ok: false, refusals: all };
  return { ok: true, flash: { request, image: image.value, cards: plan.cards } };
}

/** Every card that can be chosen, and a refusal for each that cannot. */
async function chooseCards(
  request: FlashRequest,
  image: PreparedImage | null,
): Promise<{ choices: CardChoice[]; refusals: Failure[] }> {
  const choices: CardChoice[] = [];
  const refusals: Failure[] = [];
  const drives = await attempt(() => scanFor(request, image));
  if (!drives.ok) return { choices, refusals: [drives.failure] };
  for (const named of request.cards) {
    const choice = await attempt(() => chooseCard(request, image, drives.value, named));
    if (choice.ok) choices.push(...choice.value);
    else refusals.push(choice.failure);
  }
  return { choices, refusals };
}

/** The machine's drives, which nobody needs to look at for a practice card. */
async function scanFor(
  { image, blockMap, cards, allowVirtual }: FlashRequest,
  prepared: PreparedImage | null,
): Promise<JudgedDrive[]> {
  if (cards.every((named) => practicePath(named) !== null)) return [];
  const imageSize = prepared?.leastSize ?? null;
  const files = imageFiles({ path: image, blockMap }).map((file) => path.resolve(file));
  return judgedDrives({ image: files, imageSize, allowVirtual });
}

/** Without an image there is no telling what a practice card would have to hold. */
function chooseCard(
  { action }: FlashRequest,
  image: PreparedImage | null,
  drives: readonly JudgedDrive[],
  named: string,
): CardChoice[] {
  const practice = practicePath(named);
  if (practice === null) return [{ kind: 'drive', ...findDrive(drives, named) }];
  if (action === 'verify') return [existingPracticeCard(practice)];
  return image === null ? [] : [choosePracticeCard(practice, image)];
}

type Attempt<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly failure: Failure };

async function attempt<Value>(act: () => Value | Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { ok: true, value: await act() };
  } catch (thrown) {
    return { ok: false, failure: failureOf(thrown) };
  }
}
