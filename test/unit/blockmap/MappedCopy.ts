import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { expect } from 'vitest';
import type { ByteRange, RangeMapper } from '../../../src-image/blockmap/RangeMapper.ts';

const mebibyte = 1024 * 1024;

/** Calls `take` with consecutive chunks of a file; the chunk is a view of shared memory, as in the engine. */
export function eachChunk(
  file: string,
  chunkBytes: number,
  take: (offset: number, chunk: Uint8Array) => void,
): void {
  const descriptor = openSync(file, 'r');
  const slot = new Uint8Array(new SharedArrayBuffer(chunkBytes));
  try {
    for (let offset = 0; ; offset += chunkBytes) {
      const length = readSync(descriptor, slot, 0, chunkBytes, offset);
      if (length === 0) return;
      take(offset, slot.subarray(0, length));
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The ranges that a mapper calls used, joined; every promise about their shape is checked. */
export function mapFile(file: string, mapper: RangeMapper, chunkBytes: number): ByteRange[] {
  const all: { start: number; end: number }[] = [];
  eachChunk(file, chunkBytes, (offset, chunk) => {
    const ranges = mapper.map(offset, chunk);
    expectShape(ranges, offset, chunk.length);
    for (const { start, end } of ranges) {
      const last = all.at(-1);
      if (last?.end === start) last.end = end;
      else all.push({ start, end });
    }
  });
  mapper.finish();
  return all;
}

/** Sorted, disjoint, aligned, inside the chunk, the first MiB complete. */
export function expectShape(ranges: readonly ByteRange[], offset: number, length: number): void {
  let reached = offset;
  for (const [index, { start, end }] of ranges.entries()) {
    const right =
      (index === 0 ? start >= reached : start > reached) &&
      end > start &&
      end <= offset + length &&
      start % 4096 === 0 &&
      (end % 4096 === 0 || end === offset + length);
    if (!right) expect.fail(`range ${String(start)}-${String(end)} of chunk ${String(offset)}`);
    reached = end;
  }
  if (offset < mebibyte) {
    expect(ranges[0]?.start).toBe(offset);
    expect(ranges[0]?.end).toBeGreaterThanOrEqual(Math.min(mebibyte, offset + length));
  }
}

/** Fills a file with a pattern that repeats every MiB. */
export function fillFile(file: string, bytes: number, pattern: Uint8Array): void {
  const descriptor = openSync(file, 'w');
  for (let offset = 0; offset < bytes; offset += pattern.length) {
    writeSync(descriptor, pattern, 0, Math.min(pattern.length, bytes - offset), offset);
  }
  closeSync(descriptor);
}

/** Copies the ranges from one file into another. */
export function copyRanges(from: string, to: string, ranges: readonly ByteRange[]): void {
  const source = openSync(from, 'r');
  const target = openSync(to, 'r+');
  const buffer = new Uint8Array(mebibyte);
  for (const { start, end } of ranges) {
    for (let at = start; at < end; at += buffer.length) {
      const length = readSync(source, buffer, 0, Math.min(buffer.length, end - at), at);
      writeSync(target, buffer, 0, length, at);
    }
  }
  closeSync(source);
  closeSync(target);
}

export function fileSize(file: string): number {
  const descriptor = openSync(file, 'r');
  const { size } = fstatSync(descriptor);
  closeSync(descriptor);
  return size;
}
