import { accessSync, constants, lstatSync, mkdirSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import path from 'node:path';
import { fail } from '../src-core/Failure.ts';
import type { PracticeChoice } from '../src-core/FlashPlan.ts';
import { dataFolder } from './DriveScan.ts';
import type { PreparedImage } from './ImagePreparation.ts';

const MIB = 1024 * 1024;

/** What a practice card holds unless the image needs more. The file is sparse: it takes no such space. */
export const PRACTICE_CARD_BYTES = 1024 * MIB;

/** Room for an image whose size only decoding tells: times the size of its compressed file. */
const MOST_EXPANSION = 32;

/** The file named by "practice" or "practice:FILE", as an absolute path; null for what names a drive. */
export function practicePath(named: string): string | null {
  if (named === 'practice') return defaultPath();
  const file = /^practice:(.+)$/s.exec(named)?.[1];
  return file === undefined ? null : path.resolve(file);
}

function defaultPath(): string {
  return path.join(dataFolder(), 'practice-card.img');
}

/**
 * Looks whether a plain file can play the card, and makes the folder of the default one.
 * @param file an absolute path
 * @throws FailureError practice-card-not-a-file, practice-card-unwritable, drive-refused
 */
export function choosePracticeCard(file: string, image: PreparedImage): PracticeChoice {
  const { path: source, fileSize } = image.order;
  if (file === defaultPath()) makeFolder(path.dirname(file));
  const existing = plainFile(file);
  if (existing !== null && isSame(existing, statSync(source))) {
    throw fail('drive-refused', { drive: file, reasons: `holds-image: ${source}` });
  }
  checkWritable(existing === null ? path.dirname(file) : file, file);
  const needed = image.size ?? Math.max(image.leastSize, fileSize * MOST_EXPANSION);
  const size = Math.max(PRACTICE_CARD_BYTES, Math.ceil(needed / MIB) * MIB);
  const holdsForeignFile = existing !== null && existing.size > 0 && file !== defaultPath();
  return { kind: 'practice', path: file, size, holdsForeignFile };
}

/**
 * A practice card that is there already, for comparing and looking.
 * @throws FailureError practice-card-missing, practice-card-not-a-file, practice-card-unwritable
 */
export function existingPracticeCard(file: string): PracticeChoice {
  const existing = plainFile(file);
  if (existing === null) throw fail('practice-card-missing', { path: file });
  return { kind: 'practice', path: file, size: existing.size, holdsForeignFile: false };
}

function plainFile(file: string): Stats | null {
  const existing = lookAt(file);
  if (existing === undefined) return null;
  if (!existing.isFile()) throw fail('practice-card-not-a-file', { path: file });
  return existing;
}

function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

function checkWritable(place: string, file: string): void {
  try {
    accessSync(place, constants.W_OK);
  } catch (cause) {
    throw unwritable(file, cause);
  }
}

function unwritable(file: string, cause: unknown): Error {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return fail('practice-card-unwritable', { path: file, cause: code }, { cause });
}
