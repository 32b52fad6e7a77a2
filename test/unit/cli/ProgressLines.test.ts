import { describe, expect, it } from 'vitest';
import { progressLines } from '../../../src-cli/ProgressLines.ts';
import type { LineStyle } from '../../../src-cli/ProgressLines.ts';
import { fitText, textWidth } from '../../../src-cli/TextWidth.ts';
import { failure } from '../../../src-core/Failure.ts';
import { advance, planJob } from '../../../src-core/FlashJob.ts';
import type { FlashJob, JobEvent } from '../../../src-core/FlashJob.ts';
import { Words } from '../../../src-words/Words.ts';

const words = new Words('en');
const MIB = 1024 * 1024;

function written(cardId: string, mib: number): JobEvent {
  const [bytes, total] = [mib * MIB, 1000 * MIB];
  return { type: 'progress', cardId, phase: 'writing', bytes, total, fraction: bytes / total };
}

/** Cards at 21 and 42 MB/s after five seconds. */
function writing(cards: number): FlashJob {
  const cardIds = Array.from({ length: cards }, (_, index) => String(index));
  const plan = { jobId: 'j', action: 'flash', verify: true, eject: true, cardIds } as const;
  return cardIds.reduce((job, id, index) => {
    const seconds = [0, 1, 2, 3, 4, 5];
    const events = seconds.map((second) => written(id, 20 * (index + 1) * second));
    return events.reduce((state, event, second) => advance(state, event, second * 1000), job);
  }, planJob(plan));
}

const plain: LineStyle = { columns: 100, hasUnicode: true, paint: (_, text) => text };

function linesOf(
  names: readonly string[],
  style: Partial<LineStyle> = {},
  job = writing(names.length),
): string[] {
  const ids = new Map(names.map((name, index) => [String(index), name]));
  return progressLines(job, ids, words, { ...plain, ...style });
}

const two = ['/dev/sdb (Generic)', '/dev/sdc (SanDisk)'];

describe('progress lines', () => {
  it('show name, phase, bar, percent, speed and time left', () => {
    expect(linesOf(two)).toEqual([
      `/dev/sdb (Generic) writing    ██${'░'.repeat(30)}    6%   21.0 MB/s 1 min 10 sec left`,
      `/dev/sdc (SanDisk) writing    ████${'░'.repeat(28)}   13%   41.9 MB/s 33 sec left`,
    ]);
  });

  it('do without Unicode, and cut names with a mark', () => {
    expect(
      linesOf(['/dev/sdb (Generic MassStorageClass)'], { columns: 60, hasUnicode: false }),
    ).toEqual(['/dev/sdb (Generic ~ writing    ----------    6%   21.0 MB/s']);
  });

  it('are never wider than the screen, and leave out what is needed least', () => {
    const names = ['/dev/sdc (日本語メモリカードリーダー)', '👩‍👩‍👧‍👦 card', 'x'.repeat(200)];
    for (let columns = 12; columns <= 220; columns += 1) {
      for (const line of linesOf(names, { columns })) {
        expect(textWidth(line)).toBeLessThan(columns);
        expect(line).toMatch(/\d%/);
      }
    }
  });

  it('keep every column in its place from phase to phase', () => {
    const places = (['writing', 'verifying', 'finishing'] as const).map((phase) => {
      const job = advance(writing(1), { type: 'phase', cardId: '0', phase }, 6000);
      return linesOf(['sdb'], {}, job).join('').indexOf('%');
    });
    expect(new Set(places).size).toBe(1);
  });

  it('tell the end of each card in words and colours', () => {
    const end = { bytesWritten: 1, bytesVerified: 1, oldDataRemains: false } as const;
    const lost = failure('card-lost', { drive: 'sdb' });
    const events: JobEvent[] = [
      { type: 'card', cardId: '0', condition: 'verified', failure: null, ...end },
      { type: 'ejected', cardId: '0', outcome: 'ejected', failure: null },
      { type: 'card', cardId: '1', condition: 'unfinished', failure: lost, ...end },
      { type: 'cancel', cardId: '2' },
    ];
    const job = events.reduce((state, event) => advance(state, event, 6000), writing(3));
    const paint: LineStyle['paint'] = (colour, text) => `<${colour}>${text}`;
    const [first = '', second = '', third = ''] = linesOf(['sdb', 'sdc', 'sdd'], { paint }, job);
    expect(first).toMatch(/<green>done .*100%$/);
    expect(second).toMatch(/<red>FAILED .*13%$/);
    expect(third).toMatch(/<yellow>cancelling/);
  });
});

describe('the width of text', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['ｆｕｌｌ', 8],
    ['한글', 4],
    ['e\u0301', 1],
    ['👍', 2],
    ['', 0],
  ])('of %j is %d columns', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…'],
    ['abc', 5, 'abc  '],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日… '],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('%j in %d columns is %j', (text, width, fitted) => {
    expect(fitText(text, width, '…')).toBe(fitted);
  });
});
