import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from './SeededRandom.ts';

const path = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a tool of e2fsprogs or fdisk; its output, or an error that shows it. */
export function runTool(tool: string, args: readonly string[], input = ''): string {
  return execFileSync(tool, args, {
    input,
    encoding: 'utf8',
    env: { PATH: path, LC_ALL: 'C', MKE2FS_CONFIG: '/etc/mke2fs.conf' },
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** A file of holes. */
export function makeSparseFile(file: string, bytes: number): void {
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
}

/** One ext file system in an image. */
export interface ExtPart {
  /** Bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** Arguments of mke2fs beside those for the place and the contents. */
  readonly options: readonly string[];
}

/** How e2fsprogs name a file system inside an image. */
export function extDevice(image: string, { offset }: Pick<ExtPart, 'offset'>): string {
  return offset === 0 ? image : `${image}?offset=${String(offset)}`;
}

/** Makes the file system in an image that is large enough, with the contents of `tree`. */
export function makeExt(image: string, part: ExtPart, tree: string): void {
  const { offset, bytes, options } = part;
  const place = offset === 0 ? [] : ['-E', `offset=${String(offset)}`];
  const size = `${String(bytes / 1024)}k`;
  runTool('mke2fs', ['-q', '-F', ...options, ...place, '-d', tree, image, size]);
}

/** Files of many sizes, folders, symbolic links, a sparse file; about `bytes` in all. */
export function makeTree(folder: string, random: SeededRandom, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  let left = bytes;
  for (let index = 0; left > 0; index++) {
    const parent = join(folder, `d${String(index % 7)}`, index % 3 === 0 ? 'deep' : '.');
    mkdirSync(parent, { recursive: true });
    const size = Math.min(left, random.integer(index % 5 === 0 ? 400_000 : 9000));
    writeFileSync(join(parent, `f${String(index)}`), random.bytes(size));
    left -= size + 1;
  }
  symlinkSync('d0/f0', join(folder, 'short-link'));
  symlinkSync(`d0/${'x'.repeat(200)}`, join(folder, 'long-link'));
  const sparse = openSync(join(folder, 'sparse'), 'w');
  ftruncateSync(sparse, 3_000_000);
  closeSync(sparse);
  writeFileSync(join(folder, 'tiny'), 'inline');
}

/** The free blocks that dumpe2fs tells, as bytes of the image: [start, end) pairs. */
export function freeRanges(image: string, part: Pick<ExtPart, 'offset'>): [number, number][] {
  const report = runTool('dumpe2fs', [extDevice(image, part)]);
  const blockSize = Number(/^Block size:\s+(\d+)$/m.exec(report)?.[1]);
  return [...report.matchAll(/^ {2}Free blocks: (.*)$/gm)].flatMap(([, list = '']) =>
    list
      .split(', ')
      .filter((span) => span !== '')
      .map((span): [number, number] => {
        const [first, last = first] = span.split('-').map(Number);
        if (first === undefined || last === undefined) throw new Error(`dumpe2fs: ${span}`);
        return [part.offset + first * blockSize, part.offset + (last + 1) * blockSize];
      }),
  );
}
