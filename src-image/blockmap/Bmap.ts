import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { fail, type FailureError } from '../../src-core/Failure.ts';
import { readBmapXml, type BmapXml } from './BmapXml.ts';

export type BmapChecksumType = 'sha1' | 'sha256' | 'sha512';

/** Blocks `first` to `last`, both included. */
export interface BmapRange {
  readonly first: number;
  readonly last: number;
  /** Lower-case hex; null where the map was made without checksums. */
  readonly checksum: string | null;
}

/** What a .bmap file says. Plain data: it crosses threads. Sizes in bytes. */
export interface Bmap {
  /** Shown in failures. */
  readonly path: string;
  readonly imageSize: number;
  readonly blockSize: number;
  readonly mappedBlocks: number;
  readonly checksumType: BmapChecksumType;
  /** In order, disjoint, inside the image. */
  readonly ranges: readonly BmapRange[];
}

/** Some 130,000 ranges. */
export const maxBmapBytes = 16 * 1024 * 1024;

const hexDigits: Readonly<Record<BmapChecksumType, number>> = { sha1: 40, sha256: 64, sha512: 128 };

/**
 * Reads a .bmap file.
 * @param opened a descriptor of it that is open already and is closed here; null to open the path
 * @throws FailureError block-map-unreadable, block-map-corrupt
 */
export function readBmap(path: string, opened: number | null = null): Bmap {
  return parseBmap(readBounded(path, opened), path);
}

function readBounded(path: string, opened: number | null): Uint8Array {
  let descriptor = opened;
  try {
    // A named pipe would otherwise wait for its writer.
    descriptor ??= openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFile()) throw new Error('not a file');
    const bytes = new Uint8Array(Math.min(fstatSync(descriptor).size, maxBmapBytes) + 1);
    let filled = 0;
    for (;;) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, null);
      if (count === 0) return bytes.subarray(0, filled);
      filled += count;
    }
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw fail('block-map-unreadable', { path, detail }, { cause });
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/**
 * Parses a block map of the formats 1.3, 1.4 and 2.0, which differ in the names of the checksums
 * only.
 *
 * Source: bmap-tools, BmapCreate.py (the format's description and change log) and BmapCopy.py.
 * @throws FailureError block-map-unreadable where it is no such file, block-map-corrupt where it
 *   contradicts itself
 */
export function parseBmap(bytes: Uint8Array, path: string): Bmap {
  if (bytes.length > maxBmapBytes) {
    throw fail('block-map-unreadable', { path, detail: 'larger than 16 MiB' });
  }
  let xml: BmapXml;
  try {
    xml = readBmapXml(bytes);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw fail('block-map-unreadable', { path, detail }, { cause });
  }
  const old = xml.version === '1.3';
  if (!old && xml.version !== '1.4' && xml.version !== '2.0') {
    const detail = `format version ${JSON.stringify(xml.version.slice(0, 20))} is not supported`;
    throw fail('block-map-unreadable', { path, detail });
  }
  const reader = new BmapReader(xml, path);
  const checksumType = old ? 'sha1' : reader.checksumType();
  reader.checkFile(bytes, old ? 'BmapFileSHA1' : 'BmapFileChecksum', checksumType);
  const imageSize = reader.number('ImageSize');
  const blockSize = reader.number('BlockSize');
  if (blockSize < 512 || blockSize > 2 ** 24 || (blockSize & (blockSize - 1)) !== 0) {
    throw reader.corrupt(`BlockSize ${String(blockSize)}`);
  }
  const blocks = Math.ceil(imageSize / blockSize);
  if (imageSize === 0 || reader.number('BlocksCount') !== blocks) {
    throw reader.corrupt('BlocksCount does not agree with ImageSize');
  }
  const ranges = reader.ranges(blocks, old ? 'sha1' : 'chksum', hexDigits[checksumType]);
  const mappedBlocks = reader.number('MappedBlocksCount');
  if (ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0) !== mappedBlocks) {
    throw reader.corrupt('MappedBlocksCount does not agree with the ranges');
  }
  return { path, imageSize, blockSize, mappedBlocks, checksumType, ranges };
}

class BmapReader {
  readonly #xml: BmapXml;
  readonly #path: string;

  constructor(xml: BmapXml, path: string) {
    this.#xml = xml;
    this.#path = path;
  }

  corrupt(detail: string): FailureError {
    return fail('block-map-corrupt', { path: this.#path, detail });
  }

  number(name: string): number {
    const value = decimal(this.#xml.fields.get(name) ?? '');
    if (value === null) throw this.corrupt(`${name} is missing or not a number`);
    return value;
  }

  checksumType(): BmapChecksumType {
    const type = this.#xml.fields.get('ChecksumType') ?? '';
    if (type === 'sha1' || type === 'sha256' || type === 'sha512') return type;
    throw this.corrupt(`ChecksumType ${JSON.stringify(type)}`);
  }

  /** The checksum is taken with zeros ("0") in its own place. */
  checkFile(bytes: Uint8Array, field: string, type: BmapChecksumType): void {
    const expected = this.#xml.fields.get(field) ?? '';
    if (!isHex(expected, hexDigits[type])) throw this.corrupt(`${field} is missing or malformed`);
    const copy = Buffer.from(bytes);
    const at = copy.indexOf(expected, 0, 'latin1');
    if (at === -1 || copy.includes(expected, at + 1, 'latin1')) {
      throw this.corrupt(`${field} does not stand in the file exactly once`);
    }
    copy.fill('0', at, at + expected.length, 'latin1');
    if (createHash(type).update(copy).digest('hex') !== expected.toLowerCase()) {
      throw this.corrupt(`${field} is wrong`);
    }
  }

  ranges(blocks: number, attribute: 'sha1' | 'chksum', digits: number): BmapRange[] {
    let next = 0;
    return this.#xml.ranges.map(({ text, attributes }) => {
      const [firstText = '', lastText = firstText, ...rest] = text.split('-');
      const first = decimal(firstText.trim());
      const last = decimal(lastText.trim());
      if (first === null || last === null || rest.length > 0 || last < first) {
        throw this.corrupt(`Range ${JSON.stringify(text.slice(0, 40))}`);
      }
      if (first < next) throw this.corrupt(`Range ${text} overlaps or is out of order`);
      if (last >= blocks) throw this.corrupt(`Range ${text} lies beyond the image's end`);
      next = last + 1;
      const checksum = attributes.get(attribute) ?? null;
      if (checksum !== null && !isHex(checksum, digits)) {
        throw this.corrupt(`Range ${text} has a malformed checksum`);
      }
      return { first, last, checksum: checksum?.toLowerCase() ?? null };
    });
  }
}

function decimal(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function isHex(text: string, digits: number): boolean {
  return text.length === digits && /^[0-9a-f]+$/i.test(text);
}
