import { describe, expect, it } from 'vitest';
import { UNFINISHED_LABEL } from '../../../src-core/Drive.ts';
import {
  decodeMarker,
  encodeMarker,
  MARKER_BYTES,
} from '../../../src-writer/engine/UnfinishedMarker.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';

const marker = {
  jobId: 'job-1',
  started: '2026-11-21T10:00:00.000Z',
  imageSha256: 'a'.repeat(64),
};

describe('the unfinished marker', () => {
  it('comes back as it was written', () => {
    expect(decodeMarker(encodeMarker(marker))).toEqual(marker);
    const unhashed = { ...marker, imageSha256: null };
    expect(decodeMarker(encodeMarker(unhashed))).toEqual(unhashed);
  });

  it('leaves the first sector without a partition table', () => {
    expect(
      encodeMarker(marker)
        .subarray(0, 512)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  it('looks like a labelled swap area to libblkid', () => {
    const text = new TextDecoder('latin1').decode(encodeMarker(marker));
    expect(text.slice(4086)).toBe('SWAPSPACE2');
    expect(text.slice(1052, 1052 + UNFINISHED_LABEL.length)).toBe(UNFINISHED_LABEL);
  });

  it('fits with the longest job id', () => {
    const longest = { ...marker, jobId: 'x'.repeat(64) };
    expect(decodeMarker(encodeMarker(longest))).toEqual(longest);
  });

  it('is not seen in anything else', () => {
    const random = new SeededRandom(7);
    expect(decodeMarker(new Uint8Array(MARKER_BYTES))).toBeNull();
    for (let run = 0; run < 2000; run += 1) {
      const bytes = random.bytes(random.integer(MARKER_BYTES + 1));
      expect(decodeMarker(bytes)).toBeNull();
    }
  });

  it('never throws on a damaged one', () => {
    const random = new SeededRandom(8);
    for (let run = 0; run < 2000; run += 1) {
      const bytes = encodeMarker(marker);
      const at = 512 + random.integer(200);
      bytes[at] = random.integer(256);
      const decoded = decodeMarker(bytes.subarray(0, random.integer(MARKER_BYTES)));
      if (decoded !== null) expect(decoded.jobId.length).toBeLessThanOrEqual(64);
    }
  });
});
