import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectCard } from '../../../src-writer/engine/CardInspection.ts';
import {
  openPracticeCard,
  openPracticeCardToRead,
} from '../../../src-writer/engine/PracticeCard.ts';
import { Ring } from '../../../src-writer/engine/Ring.ts';
import { encodeMarker } from '../../../src-writer/engine/UnfinishedMarker.ts';

const SIZE = 8 << 20;

let folder: string;
let card: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-practice-'));
  card = path.join(folder, 'card.img');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const anyCard = (): boolean => true;
const noCard = (): boolean => false;

function refusal(code: string): unknown {
  return expect.objectContaining({ failure: expect.objectContaining({ code }) as unknown });
}

describe('a practice card', () => {
  it('is made with its size, for its owner alone', async () => {
    await openPracticeCard(card, SIZE, noCard).close();
    expect(statSync(card).size).toBe(SIZE);
    expect(statSync(card).mode & 0o077).toBe(0);
  });

  it('keeps what is written', async () => {
    const device = openPracticeCard(card, SIZE, noCard);
    const ring = new Ring(2);
    ring.view(0).fill(7);
    await device.write(ring.view(0), 1 << 20);
    await device.flush();
    await device.read(ring.view(1), 1 << 20);
    await device.close();
    expect(ring.view(1).every((byte) => byte === 7)).toBe(true);
  });

  it('takes a file that looks like a card, and gives it the size that is asked for', async () => {
    writeFileSync(card, 'an old card');
    await openPracticeCard(card, SIZE, anyCard).close();
    expect(statSync(card).size).toBe(SIZE);
  });

  it("never writes over somebody's file", () => {
    writeFileSync(card, 'my thesis');
    expect(() => openPracticeCard(card, SIZE, noCard)).toThrow(refusal('practice-card-not-a-file'));
    expect(readFileSync(card, 'utf8')).toBe('my thesis');
  });

  it('never follows a symbolic link', () => {
    const other = path.join(folder, 'other');
    writeFileSync(other, 'precious');
    symlinkSync(other, card);
    expect(() => openPracticeCard(card, SIZE, anyCard)).toThrow(
      refusal('practice-card-not-a-file'),
    );
    expect(() => openPracticeCardToRead(card)).toThrow(refusal('practice-card-not-a-file'));
    expect(readFileSync(other, 'utf8')).toBe('precious');
  });

  it('never writes through a second name of a file', () => {
    const other = path.join(folder, 'other');
    writeFileSync(other, 'precious');
    linkSync(other, card);
    expect(() => openPracticeCard(card, SIZE, anyCard)).toThrow(
      refusal('practice-card-not-a-file'),
    );
    expect(readFileSync(other, 'utf8')).toBe('precious');
  });

  it('refuses folders and pipes without waiting', () => {
    mkdirSync(card);
    expect(() => openPracticeCard(card, SIZE, anyCard)).toThrow(
      refusal('practice-card-not-a-file'),
    );
    const pipe = path.join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(() => openPracticeCard(pipe, SIZE, anyCard)).toThrow(
      refusal('practice-card-not-a-file'),
    );
    expect(() => openPracticeCardToRead(pipe)).toThrow(refusal('practice-card-not-a-file'));
  });

  it('says when it cannot be made', () => {
    const nowhere = path.join(folder, 'none', 'card.img');
    expect(() => openPracticeCard(nowhere, SIZE, noCard)).toThrow(
      refusal('practice-card-unwritable'),
    );
  });
});

describe('looking at a card', () => {
  let target = { name: '', logicalBlockSize: 512 };

  beforeEach(() => {
    target = { name: card, logicalBlockSize: 512 };
  });

  it('finds the marker of an unfinished one', async () => {
    const marker = { jobId: 'job-1', started: '2026-11-21T10:00:00.000Z', imageSha256: null };
    const bytes = new Uint8Array(SIZE);
    bytes.set(encodeMarker(marker));
    writeFileSync(card, bytes);
    const content = await inspectCard(openPracticeCardToRead(card), target);
    expect(content).toEqual({ partitionTable: 'none', partitions: [], unfinished: marker });
  });

  it('finds nothing on an empty one, whatever its length', async () => {
    for (const length of [1, 511, 4096, 5000, SIZE + 1]) {
      writeFileSync(card, new Uint8Array(length));
      const content = await inspectCard(openPracticeCardToRead(card), target);
      expect(content).toEqual({ partitionTable: 'none', partitions: [], unfinished: null });
    }
  });

  it('finds the partitions of a flashed one', async () => {
    writeFileSync(
      card,
      execFileSync('xz', ['-dc', 'assets/practice.img.xz'], { maxBuffer: 1 << 28 }),
    );
    const content = await inspectCard(openPracticeCardToRead(card), target);
    expect(content.partitionTable).toBe('mbr');
    expect(content.partitions.map(({ fileSystem }) => fileSystem)).toEqual(['fat32', 'ext4']);
    expect(content.unfinished).toBeNull();
  });
});
