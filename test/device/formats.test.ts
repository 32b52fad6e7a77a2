import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { flashWords, runBoxwright } from '../support/BoxwrightRun.ts';
import { FaultyDisk } from '../support/FaultyDisk.ts';
import { LoopDevice } from '../support/LoopDevice.ts';
import { makeOwnFolder, removeOwnFolder } from '../support/OwnFolder.ts';
import { IMAGE_FORMS, makePiImage, type PiImage } from '../support/PiImage.ts';
import { ZramDevice } from '../support/ZramDevice.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const CARD = 48 * MIB;

let folder = '';
let image: PiImage;

beforeAll(async () => {
  folder = await makeOwnFolder();
  image = await makePiImage(folder, 'pi', { table: 'dos', size: 32 * MIB, seed: 20 });
});

afterAll(async () => {
  await removeOwnFolder(folder);
});

/** Fills a device with bytes that are no image, so that what was not written shows. */
async function fillWithNoise(path: string): Promise<void> {
  await run('/usr/bin/dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'oflag=direct']).catch(
    (cause: unknown) => {
      // dd ends at the end of the device, and calls that an error.
      if (!String((cause as { stderr?: unknown }).stderr).includes('No space left')) throw cause;
    },
  );
}

/** The first bytes of a device, read past the page cache. */
async function medium(path: string, length: number): Promise<Buffer> {
  const copy = join(folder, 'medium');
  await run('/usr/bin/dd', [
    ...[`if=${path}`, `of=${copy}`, 'bs=1M', `count=${String(length)}`],
    'iflag=direct,fullblock,count_bytes',
  ]);
  return readFile(copy);
}

const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test.each(IMAGE_FORMS)('%s: flashed, verified, and the same byte for byte', async (form) => {
  await using device = await LoopDevice.create(CARD);
  await fillWithNoise(device.path);
  const ended = await runBoxwright(flashWords(await image.form(form), [device]));
  expect(ended).toMatchObject({ exitCode: 0, complaint: '' });
  expect(ended.run.story(device.path)).toEqual([
    ...['preparing', 'writing', 'verifying', 'finishing'],
    'done, verified, no failure',
  ]);
  expect(ended.run.all('hashed')).toMatchObject([{ sha256: image.sha256, size: image.size }]);
  expect(hash(await medium(device.path, image.size))).toBe(image.sha256);
});

test('the last MiB of a larger card holds no copy of an old partition table', async () => {
  await using device = await LoopDevice.create(CARD);
  await fillWithNoise(device.path);
  expect(await runBoxwright(flashWords(image.path, [device]))).toMatchObject({ exitCode: 0 });
  const content = await medium(device.path, CARD);
  expect(content.subarray(CARD - MIB).every((byte) => byte === 0)).toBe(true);
});

test('an image as large as the card fills it to the last byte', async () => {
  await using device = await ZramDevice.create(image.size);
  expect(await runBoxwright(flashWords(image.path, [device]))).toMatchObject({ exitCode: 0 });
  expect(hash(await medium(device.path, image.size))).toBe(image.sha256);
});

test.each([
  ['--bmap', async () => ['--bmap', await image.blockMap()]],
  ['--used-blocks', () => Promise.resolve(['--used-blocks'])],
] as const)('%s: what is in use is written, and no more', async (_name, options) => {
  await using device = await LoopDevice.create(CARD);
  await fillWithNoise(device.path);
  const ended = await runBoxwright(flashWords(image.path, [device], ...(await options())));
  expect(ended).toMatchObject({ exitCode: 0, complaint: '' });
  const [card] = ended.run.all('card');
  // A loop device discards: what is not written reads as zeros.
  expect(card).toMatchObject({ state: 'done', condition: 'verified', oldDataRemains: false });
  expect(card?.bytesWritten).toBeLessThan(image.size * 0.9);
  await compareFileSystems(await medium(device.path, image.size));
});

test('--used-blocks on a card that cannot discard: it says that old data remains', async () => {
  await using disk = await FaultyDisk.create(CARD);
  await fillWithNoise(disk.path);
  const ended = await runBoxwright(flashWords(image.path, [disk], '--used-blocks'));
  expect(ended).toMatchObject({ exitCode: 0, complaint: '' });
  expect(ended.run.all('card')).toMatchObject([{ state: 'done', oldDataRemains: true }]);
  await compareFileSystems(await medium(disk.path, image.size));
});

/** The root file system is clean and its files, like those of the boot partition, are the image's. */
async function compareFileSystems(content: Buffer): Promise<void> {
  const root = join(folder, 'root.ext4');
  const rootStart = 9 * MIB;
  await (await open(root, 'w')).writeFile(content.subarray(rootStart));
  await run('/usr/sbin/e2fsck', ['-fn', root]);
  const expected = await readFile(image.path);
  expect(hash(content.subarray(0, MIB))).toBe(hash(expected.subarray(0, MIB)));
  const dump = async (bytes: Buffer): Promise<string> => {
    const tree = join(folder, 'tree');
    const file = join(folder, 'side.ext4');
    await (await open(file, 'w')).writeFile(bytes.subarray(rootStart));
    await run('/usr/bin/rm', ['-rf', tree]);
    await run('/usr/bin/mkdir', [tree]);
    await run('/usr/sbin/debugfs', ['-R', `rdump / ${tree}`, file]);
    const sums = await run('/usr/bin/find', [tree, '-type', 'f', '-exec', 'sha256sum', '{}', '+']);
    return sums.stdout.split('\n').sort().join('\n');
  };
  expect(await dump(content)).toBe(await dump(expected));
}
