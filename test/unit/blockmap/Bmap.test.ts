import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailureError } from '../../../src-core/Failure.ts';
import { maxBmapBytes, parseBmap, readBmap } from '../../../src-image/blockmap/Bmap.ts';
import { BmapMapper, requireImageSize } from '../../../src-image/blockmap/BmapMapper.ts';
import { RangeChecksums } from '../../../src-image/blockmap/RangeChecksums.ts';
import { makeSparseFile, runTool } from '../../support/ext4Images.ts';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';
import { SeededRandom } from '../../support/SeededRandom.ts';
import { copyRanges, eachChunk, mapFile } from './MappedCopy.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const seed = 31_337;
const imageBytes = 40 * mebibyte + 1234;

let folder = '';
let image = '';
let bmapFile = '';

beforeAll(async () => {
  folder = await makeOwnFolder();
  image = join(folder, 'image');
  bmapFile = join(folder, 'image.bmap');
  makeHoles(image);
  runTool('bmaptool', ['create', '-o', bmapFile, image]);
});
afterAll(async () => {
  await removeOwnFolder(folder);
});

/** A sparse image: data of random lengths at random places, some of it in the last, short block. */
function makeHoles(file: string): void {
  const random = new SeededRandom(seed);
  makeSparseFile(file, imageBytes);
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, random.bytes(512), 0, 512, 0);
  for (let at = mebibyte; at < imageBytes - 500_000; at += 4096 * (1 + random.integer(120))) {
    const bytes = random.bytes(1 + random.integer(100_000));
    writeSync(descriptor, bytes, 0, bytes.length, at);
    at += bytes.length;
  }
  writeSync(descriptor, random.bytes(1000), 0, 1000, imageBytes - 1000);
  closeSync(descriptor);
}

interface MapText {
  readonly version?: string;
  readonly imageSize?: string;
  readonly blockSize?: string;
  readonly blocks?: string;
  readonly mapped?: string;
  readonly type?: string;
  readonly ranges?: readonly string[];
  readonly before?: string;
  readonly after?: string;
}

const algorithms: Readonly<Record<string, string>> = { sha1: 'sha1', sha512: 'sha512' };

/** A map of 10 blocks with a right checksum of its own, whatever else is wrong with it. */
function mapText(text: MapText = {}): Buffer {
  const { version = '2.0', type = 'sha256', ranges = ['<Range> 0-3 </Range>'] } = text;
  const algorithm = version === '1.3' ? 'sha1' : (algorithms[type] ?? 'sha256');
  const zeros = '0'.repeat(createHash(algorithm).digest('hex').length);
  const name = version === '1.3' ? 'BmapFileSHA1' : 'BmapFileChecksum';
  const lines = [
    '<?xml version="1.0" ?>',
    text.before ?? '',
    `<bmap version="${version}">`,
    `<ImageSize> ${text.imageSize ?? '40000'} </ImageSize>`,
    `<BlockSize> ${text.blockSize ?? '4096'} </BlockSize>`,
    `<BlocksCount> ${text.blocks ?? '10'} </BlocksCount>`,
    `<MappedBlocksCount> ${text.mapped ?? '4'} </MappedBlocksCount>`,
    version === '1.3' ? '' : `<ChecksumType> ${type} </ChecksumType>`,
    `<${name}> ${zeros} </${name}>`,
    '<BlockMap>',
    ...ranges,
    '</BlockMap>',
    text.after ?? '',
    '</bmap>',
  ];
  const content = lines.join('\n');
  return Buffer.from(content.replace(zeros, createHash(algorithm).update(content).digest('hex')));
}

function failureCode(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof FailureError) return thrown.failure.code;
    throw thrown;
  }
  return 'none';
}

describe(`a map by bmaptool (seed ${String(seed)})`, () => {
  it.each([4 * kibibyte, 64 * kibibyte, mebibyte])(
    'gives the card that bmaptool copy gives, in chunks of %i bytes',
    (chunkBytes) => {
      const bmap = readBmap(bmapFile);
      expect(bmap.imageSize).toBe(imageBytes);
      expect(bmap.ranges.length).toBeGreaterThan(20);
      const ranges = mapFile(image, new BmapMapper(bmap), chunkBytes);
      const card = join(folder, 'card');
      makeSparseFile(card, imageBytes);
      copyRanges(image, card, ranges);
      const theirs = join(folder, 'theirs');
      runTool('bmaptool', ['copy', '--bmap', bmapFile, image, theirs]);
      expect(readFileSync(card).equals(readFileSync(theirs))).toBe(true);
      const written = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      const used = bmap.mappedBlocks * bmap.blockSize + mebibyte;
      expect(written / used).toBeLessThanOrEqual(1.02);
      rmSync(theirs);
    },
  );

  it.each([4 * kibibyte, 100_000, mebibyte])(
    'has checksums that fit the image and no other, in chunks of %i bytes',
    (chunkBytes) => {
      const bmap = structuredClone(readBmap(bmapFile));
      const checksums = new RangeChecksums(bmap);
      eachChunk(image, chunkBytes, (offset, chunk) => {
        checksums.update(offset, chunk);
      });
      checksums.finish();
      const random = new SeededRandom(chunkBytes);
      for (let round = 0; round < 5; round++) {
        const range = bmap.ranges[random.integer(bmap.ranges.length)];
        if (range === undefined) throw new Error('no range');
        const at = Math.min(range.first * bmap.blockSize + random.integer(4096), imageBytes - 1);
        const check = new RangeChecksums(bmap);
        const flip = (): void => {
          eachChunk(image, chunkBytes, (offset, chunk) => {
            const index = at - offset;
            const byte = chunk[index];
            if (index >= 0 && byte !== undefined) chunk[index] = byte ^ 1;
            check.update(offset, chunk);
          });
        };
        expect(flip).toThrow(
          `"firstBlock":${String(range.first)},"lastBlock":${String(range.last)}`,
        );
      }
    },
  );

  it('notices an image that ends early or goes on', () => {
    const bmap = readBmap(bmapFile);
    const short = new BmapMapper(bmap);
    short.map(0, new Uint8Array(mebibyte));
    expect(
      failureCode(() => {
        short.finish();
      }),
    ).toBe('block-map-mismatch');
    expect(failureCode(() => short.map(mebibyte, new Uint8Array(40 * mebibyte)))).toBe(
      'block-map-mismatch',
    );
    const checksums = new RangeChecksums(bmap);
    expect(
      failureCode(() => {
        checksums.finish();
      }),
    ).toBe('block-map-range-differs');
    expect(
      failureCode(() => {
        requireImageSize(bmap, imageBytes);
      }),
    ).toBe('none');
    expect(
      failureCode(() => {
        requireImageSize(bmap, imageBytes + 1);
      }),
    ).toBe('block-map-mismatch');
  });

  it('refuses every change of one byte', () => {
    const good = readFileSync(bmapFile);
    const random = new SeededRandom(seed);
    for (let round = 0; round < 400; round++) {
      const bad = Buffer.from(good);
      const at = random.integer(bad.length);
      bad[at] = (bad[at] ?? 0) ^ (1 << random.integer(8));
      expect(
        failureCode(() => parseBmap(bad, 'x')),
        `round ${String(round)}`,
      ).toMatch(/^block-map-(corrupt|unreadable)$/);
    }
  });

  it('refuses every truncation', () => {
    const good = readFileSync(bmapFile);
    const end = good.lastIndexOf('</bmap>') + '</bmap>'.length;
    for (let length = 0; length < end; length += 97) {
      expect(failureCode(() => parseBmap(good.subarray(0, length), 'x'))).toBe(
        'block-map-unreadable',
      );
    }
  });
});

describe('parseBmap', () => {
  it('reads the formats 1.3, 1.4 and 2.0', () => {
    const sha1 = 'A'.repeat(40);
    const old = mapText({ version: '1.3', ranges: [`<Range sha1="${sha1}"> 1-4 </Range>`] });
    expect(parseBmap(old, 'x')).toEqual({
      path: 'x',
      imageSize: 40_000,
      blockSize: 4096,
      mappedBlocks: 4,
      checksumType: 'sha1',
      ranges: [{ first: 1, last: 4, checksum: sha1.toLowerCase() }],
    });
    for (const version of ['1.4', '2.0']) {
      for (const [type, digits] of [
        ['sha1', 40],
        ['sha256', 64],
        ['sha512', 128],
      ] as const) {
        const checksum = 'b'.repeat(digits);
        const ranges = [`<Range chksum="${checksum}">0</Range>`, '<Range> 7 - 9 </Range>'];
        const bmap = parseBmap(mapText({ version, type, ranges }), 'x');
        expect(bmap.checksumType).toBe(type);
        expect(bmap.ranges).toEqual([
          { first: 0, last: 0, checksum },
          { first: 7, last: 9, checksum: null },
        ]);
      }
    }
  });

  it('reads a map without ranges', () => {
    expect(parseBmap(mapText({ ranges: [], mapped: '0' }), 'x').ranges).toEqual([]);
  });

  it.each<[string, MapText]>([
    ['ranges that overlap', { ranges: ['<Range>0-2</Range>', '<Range>2</Range>'] }],
    ['a range given twice', { ranges: ['<Range>0-1</Range>', '<Range>0-1</Range>'] }],
    ['ranges out of order', { ranges: ['<Range>5-6</Range>', '<Range>0-1</Range>'] }],
    ['a range beyond the end', { ranges: ['<Range>7-10</Range>'] }],
    ['a range backwards', { ranges: ['<Range>4-3</Range>'], mapped: '0' }],
    ['a range of three', { ranges: ['<Range>0-1-3</Range>'] }],
    ['a negative range', { ranges: ['<Range>-1</Range>'] }],
    ['an empty range', { ranges: ['<Range></Range>'] }],
    ['a range that is no number', { ranges: ['<Range>0x0-0x3</Range>'] }],
    ['a range too large for a number', { ranges: ['<Range>0-9007199254740993</Range>'] }],
    ['a short checksum', { ranges: ['<Range chksum="abcd">0-3</Range>'] }],
    ['a checksum that is no hex', { ranges: [`<Range chksum="${'g'.repeat(64)}">0-3</Range>`] }],
    ['a wrong count of mapped blocks', { mapped: '5' }],
    ['a wrong count of blocks', { blocks: '11' }],
    ['an image of no size', { imageSize: '0', blocks: '0', ranges: [], mapped: '0' }],
    ['an image size that is no number', { imageSize: '4e4' }],
    ['a block size of 0', { blockSize: '0' }],
    ['a block size that is no power of two', { blockSize: '4000' }],
    ['a huge block size', { blockSize: '1073741824', blocks: '1', ranges: [], mapped: '0' }],
    ['an unknown kind of checksum', { type: 'crc32' }],
    ['no kind of checksum', { type: '' }],
  ])('calls a map with %s corrupt', (_, text) => {
    expect(failureCode(() => parseBmap(mapText(text), 'x'))).toBe('block-map-corrupt');
  });

  it('calls a map without or with a wrong checksum of its own corrupt', () => {
    const good = mapText().toString();
    const checksum = /<BmapFileChecksum> (\w+) /.exec(good)?.[1] ?? '';
    for (const bad of [
      good.replace(
        checksum,
        checksum.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      ),
      good.replace(/<BmapFileChecksum>.*<\/BmapFileChecksum>/, ''),
      good.replace(checksum, checksum.slice(1)),
      good.replace('</bmap>', `<!-- ${checksum} --></bmap>`),
    ]) {
      expect(failureCode(() => parseBmap(Buffer.from(bad), 'x'))).toBe('block-map-corrupt');
    }
  });

  it.each<[string, MapText]>([
    ['a document type', { before: '<!DOCTYPE bmap [<!ENTITY a "0-3">]>' }],
    ['an external document type', { before: '<!DOCTYPE bmap SYSTEM "file:///etc/passwd">' }],
    ['an undefined entity', { ranges: ['<Range>&a;</Range>'] }],
    ['a processing instruction', { after: '<?php 1 ?>' }],
    ['a CDATA section', { ranges: ['<Range><![CDATA[0-3]]></Range>'] }],
    ['elements in a range', { ranges: ['<Range>0-3<Range>5</Range></Range>'] }],
    ['elements in a field', { imageSize: '40000<b/>' }],
    ['other elements in the block map', { ranges: ['<Ranges>0-3</Ranges>'] }],
    ['text between ranges', { ranges: ['0-3'] }],
    ['a field given twice', { after: '<ImageSize>40000</ImageSize>' }],
    ['two block maps', { after: '<BlockMap></BlockMap>' }],
    ['an endless text', { imageSize: '1'.repeat(10_000) }],
    [
      'a hundred fields',
      { after: Array.from({ length: 100 }, (_, n) => `<F${String(n)}/>`).join('') },
    ],
    ['deep nesting', { after: '<a>'.repeat(50_000) }],
    ['version 3.0', { version: '3.0' }],
    ['version 1.2', { version: '1.2' }],
    ['no version', { version: '' }],
  ])('calls a map with %s unreadable', (_, text) => {
    expect(failureCode(() => parseBmap(mapText(text), 'x'))).toBe('block-map-unreadable');
  });

  it.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(10_000)],
    ['random bytes', new SeededRandom(seed).bytes(10_000)],
    ['text', Buffer.from('0-3\n')],
    ['other XML', Buffer.from('<html><body/></html>')],
    ['only a root', Buffer.from('<bmap version="2.0"/>')],
    ['invalid UTF-8', Buffer.concat([mapText(), Buffer.from([0xff, 0xfe])])],
    ['too much', Buffer.alloc(maxBmapBytes + 1, 0x20)],
  ])('calls %s unreadable', (_, bytes) => {
    expect(failureCode(() => parseBmap(bytes, 'x'))).toBe('block-map-unreadable');
  });

  it('bears maps put together at random', () => {
    const random = new SeededRandom(seed);
    const words = [
      '<Range>',
      '</Range>',
      '0-3',
      '9',
      '<BlockMap>',
      '</BlockMap>',
      '<!--',
      '-->',
      '&lt;',
    ];
    for (let round = 0; round < 500; round++) {
      const ranges = Array.from(
        { length: random.integer(6) },
        () => words[random.integer(9)] ?? '',
      );
      expect(failureCode(() => parseBmap(mapText({ ranges }), 'x'))).toMatch(/^(none|block-map-)/);
    }
  });
});

describe('readBmap', () => {
  it('calls a missing, a too large and a special file and a pipe unreadable', () => {
    const large = join(folder, 'large');
    makeSparseFile(large, 10 * maxBmapBytes);
    const pipe = join(folder, 'pipe');
    runTool('mkfifo', [pipe]);
    for (const path of [join(folder, 'missing'), folder, '/dev/zero', large, pipe]) {
      expect(
        failureCode(() => readBmap(path)),
        path,
      ).toBe('block-map-unreadable');
    }
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    expect(failureCode(() => readBmap(empty))).toBe('block-map-unreadable');
  });
});

describe('BmapMapper', () => {
  it('aligns blocks of 512 bytes outwards', () => {
    const blocks = String((3 * mebibyte) / 512);
    const ranges = ['<Range>4099-4100</Range>'];
    const text = { imageSize: String(3 * mebibyte), blockSize: '512', blocks, ranges, mapped: '2' };
    const mapper = new BmapMapper(parseBmap(mapText(text), 'x'));
    expect(mapper.map(0, new Uint8Array(mebibyte))).toEqual([{ start: 0, end: mebibyte }]);
    expect(mapper.map(mebibyte, new Uint8Array(mebibyte))).toEqual([]);
    expect(mapper.map(2 * mebibyte, new Uint8Array(mebibyte))).toEqual([
      { start: 2 * mebibyte, end: 2 * mebibyte + 4096 },
    ]);
    mapper.finish();
  });

  it('refuses chunks out of order', () => {
    const bmap = readBmap(bmapFile);
    expect(failureCode(() => new BmapMapper(bmap).map(4096, new Uint8Array(4096)))).toBe(
      'internal',
    );
    const update = (): void => {
      new RangeChecksums(bmap).update(4096, new Uint8Array(4096));
    };
    expect(failureCode(update)).toBe('internal');
  });
});
