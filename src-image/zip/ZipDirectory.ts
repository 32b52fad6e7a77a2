import { fail } from '../../src-core/Failure.ts';
import { plainText } from '../../src-core/PlainText.ts';
import { imageFailures } from '../ImageFailures.ts';
import { bytesAt, viewOf } from '../ImageWindow.ts';
import type { ImageFile } from '../ImageSource.ts';

const { corrupt, trailingGarbage, truncated, unsupported } = imageFailures('zip');

/** The one image of a zip file. Sizes and offsets in bytes. */
export interface ZippedImage {
  readonly name: string;
  readonly method: 'stored' | 'deflate';
  readonly crc32: number;
  /** Where its compressed bytes begin. */
  readonly inputOffset: number;
  readonly inputSize: number;
  readonly outputSize: number;
}

/** APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16. */
const signature = {
  localHeader: 0x04034b50,
  centralHeader: 0x02014b50,
  zip64End: 0x06064b50,
  zip64Locator: 0x07064b50,
  end: 0x06054b50,
} as const;
const size = {
  localHeader: 30,
  centralHeader: 46,
  zip64End: 56,
  zip64Locator: 20,
  end: 22,
} as const;
const mostDirectoryBytes = 64 * 1024 * 1024;
/** More than the longest comment, so that an end record is found before some garbage as well. */
const searchedBytes = 1024 * 1024;
const in64 = 0xffffffff;

const imageName = /\.(img|raw|iso|wic|dd|sdcard|sdimg|hddimg|image)$/i;
const companionName =
  /(^|\/)(__MACOSX\/.*|\.DS_Store|Thumbs\.db|README|LICEN[CS]E|NOTICE|CHANGELOG)$|\.(txt|md|bmap|sha1|sha256|sha512|md5|sum|sums|sig|asc|gpg|minisig|json|xml|html?|pdf|info|log|manifest|url|ini|nfo|rtf|png|jpe?g)$/i;

/**
 * Finds the only image of a zip or zip64 file through its central directory. Folders and files that
 * go with images (checksums, notes, block maps) may lie beside it; among other files, those with the
 * ending of an image come first.
 *
 * @throws FailureError image-zip-empty, image-zip-several, image-unsupported, image-truncated,
 *   image-trailing-garbage, image-corrupt
 */
export function findZippedImage(file: ImageFile): ZippedImage {
  const entries = readDirectory(file, findEnd(file)).filter(
    ({ name }) => !name.endsWith('/') && !companionName.test(name),
  );
  const named = entries.filter(({ name }) => imageName.test(name));
  const images = named.length > 0 ? named : entries;
  const [image] = images;
  if (image === undefined) throw fail('image-zip-empty', { path: file.path });
  if (images.length > 1) {
    throw fail('image-zip-several', { path: file.path, names: listed(images) });
  }
  return located(file, image);
}

interface DirectoryEnd {
  readonly count: number;
  readonly offset: number;
  readonly bytes: number;
}

interface Entry {
  readonly name: string;
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly headerOffset: number;
  /** Where the central directory begins: no entry reaches beyond. */
  readonly dataEnd: number;
}

/** The end record stands last in the file, followed only by its own comment. */
function findEnd(file: ImageFile): DirectoryEnd {
  const from = Math.max(0, file.size - searchedBytes);
  const tail = bytesAt(file, from, file.size - from);
  const view = viewOf(tail);
  let garbageFrom: number | null = null;
  for (let at = tail.length - size.end; at >= 0; at--) {
    if (view.getUint32(at, true) !== signature.end) continue;
    const after = at + size.end + view.getUint16(at + 20, true);
    if (after > tail.length || !isEndRecord(view, at, from)) continue;
    if (after === tail.length) return readEnd(file, view, at, from);
    garbageFrom ??= from + after;
  }
  if (garbageFrom === null) throw truncated(file);
  throw trailingGarbage(file, garbageFrom);
}

/** Tells a real end record from its signature inside a comment or compressed data. */
function isEndRecord(view: DataView, at: number, from: number): boolean {
  const bytes = view.getUint32(at + 12, true);
  const offset = view.getUint32(at + 16, true);
  return bytes === in64 || offset === in64 || offset + bytes <= from + at;
}

/** A zip64 end record and its locator may stand before the end record even where nothing needs them. */
function readEnd(file: ImageFile, view: DataView, at: number, from: number): DirectoryEnd {
  const before = from + at;
  const zip64 = readZip64End(file, before - size.zip64Locator);
  const end = zip64?.end ?? {
    count: view.getUint16(at + 10, true),
    bytes: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  if (end.bytes > mostDirectoryBytes) throw unsupported(file, 'central directory over 64 MiB');
  if (end.offset + end.bytes !== (zip64?.at ?? before)) throw corrupt(file, 'central directory');
  return end;
}

/** Sections 4.3.14 and 4.3.15; null where no locator stands there. */
function readZip64End(
  file: ImageFile,
  locatorAt: number,
): { readonly at: number; readonly end: DirectoryEnd } | null {
  const locator = viewOf(bytesAt(file, locatorAt, size.zip64Locator));
  if (locator.byteLength < size.zip64Locator) return null;
  if (locator.getUint32(0, true) !== signature.zip64Locator) return null;
  const at = safe(file, locator.getBigUint64(8, true));
  const record = viewOf(bytesAt(file, at, size.zip64End));
  if (record.byteLength < size.zip64End) throw corrupt(file, 'zip64 end record');
  if (record.getUint32(0, true) !== signature.zip64End) throw corrupt(file, 'zip64 end record');
  const end = {
    count: safe(file, record.getBigUint64(32, true)),
    bytes: safe(file, record.getBigUint64(40, true)),
    offset: safe(file, record.getBigUint64(48, true)),
  };
  return { at, end };
}

function readDirectory(file: ImageFile, end: DirectoryEnd): readonly Entry[] {
  const directory = bytesAt(file, end.offset, end.bytes);
  const view = viewOf(directory);
  const entries: Entry[] = [];
  let at = 0;
  while (at + size.centralHeader <= directory.length) {
    if (view.getUint32(at, true) !== signature.centralHeader) break;
    const nameEnd = at + size.centralHeader + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > directory.length) break;
    entries.push(readEntry(file, view, at, directory.subarray(nameEnd, extraEnd), end.offset));
    at = next;
  }
  if (at !== directory.length || entries.length !== end.count) {
    throw corrupt(file, 'central directory');
  }
  return entries;
}

function readEntry(
  file: ImageFile,
  view: DataView,
  at: number,
  extra: Uint8Array,
  dataEnd: number,
): Entry {
  const large = zip64Numbers(extra);
  const number = (offset: number): number => {
    const short = view.getUint32(at + offset, true);
    if (short !== in64) return short;
    const long = large.shift();
    return long === undefined ? short : safe(file, long);
  };
  const nameAt = view.byteOffset + at + size.centralHeader;
  const rawName = new Uint8Array(view.buffer, nameAt, view.getUint16(at + 28, true));
  const outputSize = number(24);
  const inputSize = number(20);
  const headerOffset = number(42);
  return {
    name: new TextDecoder().decode(rawName),
    rawName,
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    crc32: view.getUint32(at + 16, true),
    inputSize,
    outputSize,
    headerOffset,
    dataEnd,
  };
}

/** Section 4.5.3: in the order output size, input size, header offset, only those that need it. */
function zip64Numbers(extra: Uint8Array): bigint[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const bytes = view.getUint16(at + 2, true);
    const end = Math.min(at + 4 + bytes, extra.length);
    if (view.getUint16(at, true) === 1) {
      const numbers: bigint[] = [];
      for (let field = at + 4; field + 8 <= end && numbers.length < 3; field += 8) {
        numbers.push(view.getBigUint64(field, true));
      }
      return numbers;
    }
    at = end;
  }
  return [];
}

/** Checks the local header against the directory and finds where the data begins (4.3.7). */
function located(file: ImageFile, entry: Entry): ZippedImage {
  if ((entry.flags & 0x2041) !== 0) throw unsupported(file, 'encrypted');
  const method = methodOf(file, entry.method);
  const header = bytesAt(file, entry.headerOffset, size.localHeader);
  if (header.length < size.localHeader) throw corrupt(file, 'local header');
  const view = viewOf(header);
  const nameBytes = view.getUint16(26, true);
  const name = bytesAt(file, entry.headerOffset + size.localHeader, nameBytes);
  const isSame =
    view.getUint32(0, true) === signature.localHeader &&
    view.getUint16(8, true) === entry.method &&
    (view.getUint16(6, true) & 0x2041) === 0 &&
    name.length === entry.rawName.length &&
    name.every((byte, at) => byte === entry.rawName[at]);
  if (!isSame) throw corrupt(file, 'local header');

  const inputOffset = entry.headerOffset + size.localHeader + nameBytes + view.getUint16(28, true);
  if (inputOffset + entry.inputSize > entry.dataEnd) throw corrupt(file, 'entry too long');
  if (method === 'stored' && entry.inputSize !== entry.outputSize) {
    throw corrupt(file, 'stored entry of two sizes');
  }
  const { crc32, inputSize, outputSize } = entry;
  return { name: entry.name, method, crc32, inputOffset, inputSize, outputSize };
}

function methodOf(file: ImageFile, method: number): 'stored' | 'deflate' {
  if (method === 0) return 'stored';
  if (method === 8) return 'deflate';
  throw unsupported(file, `zip method ${String(method)}`);
}

function listed(entries: readonly Entry[]): string {
  const shown = entries.slice(0, 8).map(({ name }) => plainText(name));
  return shown.join(', ') + (entries.length > shown.length ? ', ...' : '');
}

function safe(file: ImageFile, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(file, 'impossible number');
  return Number(value);
}
