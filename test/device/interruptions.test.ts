import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BoxwrightRun, flashWords, runBoxwright } from '../support/BoxwrightRun.ts';
import { FaultyDisk } from '../support/FaultyDisk.ts';
import { makeOwnFolder, removeOwnFolder } from '../support/OwnFolder.ts';
import { makePiImage, type PiImage } from '../support/PiImage.ts';
import { SeededRandom } from '../support/SeededRandom.ts';

const run = promisify(execFile);
const MIB = 1 << 20;
const SIZE = 32 * MIB;
const CARD = 40 * MIB;
/** What is written before the image: the first and the last MiB, in which a partition table may lie. */
const POISON = 2 * MIB;
const KILLS = 20;
const SEED = 2;

let folder = '';
const images: PiImage[] = [];

beforeAll(async () => {
  folder = await makeOwnFolder();
  for (const table of ['dos', 'gpt'] as const) {
    images.push(await makePiImage(folder, table, { table, size: SIZE, seed: 30 }));
    images.push(await makePiImage(folder, `${table}-older`, { table, size: SIZE, seed: 31 }));
  }
});

afterAll(async () => {
  await removeOwnFolder(folder);
});

/** What the system's own tools see on a device: each must see no partition table at all. */
async function seenBy(tool: string, ...words: string[]): Promise<string> {
  const { stdout, stderr } = await run(tool, words).catch(
    (cause: unknown) => cause as { stdout: string; stderr: string },
  );
  return stdout + stderr;
}

async function expectUnfinished(path: string): Promise<void> {
  expect(await seenBy('/usr/sbin/sfdisk', '--dump', path)).toContain(
    'does not contain a recognized partition table',
  );
  const probed = await seenBy('/usr/sbin/blkid', '-p', '-o', 'export', path);
  expect(probed).toContain('LABEL=BW-UNFINISHED');
  expect(probed).not.toContain('PTTYPE');
  const table = await seenBy('/usr/sbin/gdisk', '-l', path);
  expect(table).toContain('MBR: not present');
  expect(table).toContain('GPT: not present');
  const { run: scan } = await runBoxwright(['drives', '--all']);
  const drive = scan.all('drive').find((seen) => seen.path === path);
  expect(drive).toMatchObject({ unfinished: true });
}

/** A card as it comes back from a box: an older image of the same layout, its GPT moved to the card's end. */
async function writeOlder(disk: FaultyDisk, older: PiImage): Promise<void> {
  await run('/usr/bin/dd', [`if=${older.path}`, `of=${disk.path}`, 'bs=1M', 'oflag=direct']);
  if (older.path.includes('gpt')) await run('/usr/sbin/sgdisk', ['-e', disk.path]);
}

const random = new SeededRandom(SEED);
const kills = Array.from({ length: KILLS }, (_, index) => ({
  table: index % 2 === 0 ? ('dos' as const) : ('gpt' as const),
  offset: POISON + random.integer(SIZE - MIB),
}));

test.concurrent.each(kills)(
  'killed after $offset bytes over an older $table image: unfinished, and flashed again',
  async ({ table, offset }) => {
    const [image, older] = table === 'dos' ? images : images.slice(2);
    if (image === undefined || older === undefined) throw new Error('no image');
    await using disk = await FaultyDisk.create(CARD);
    await writeOlder(disk, older);
    expect(await seenBy('/usr/sbin/blkid', '-p', disk.path)).toContain(`PTTYPE="${table}"`);
    await disk.inject({ kind: 'stall', operation: 'write', afterBytes: offset });
    {
      await using flash = new BoxwrightRun(flashWords(image.path, [disk]));
      await disk.struck('stall');
      flash.killAll();
      await disk.heal();
      expect(await flash.ended).toMatchObject({ signal: 'SIGKILL' });
    }
    await expectUnfinished(disk.path);
    const again = await runBoxwright(flashWords(image.path, [disk]));
    expect(again).toMatchObject({ exitCode: 0, complaint: '' });
    expect(await seenBy('/usr/sbin/blkid', '-p', disk.path)).toContain(`PTTYPE="${table}"`);
  },
);

test('Ctrl+C: over within two seconds, exit code 3, and the state of the card is told', async () => {
  const [image] = images;
  if (image === undefined) throw new Error('no image');
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject({ kind: 'slow', operation: 'write', bytesPerSecond: 4 * MIB });
  await using flash = new BoxwrightRun(flashWords(image.path, [disk]));
  await flash.first('progress', ({ phase, bytes }) => phase === 'writing' && bytes > 0);
  const interrupted = Date.now();
  flash.interrupt();
  const ended = await flash.ended;
  expect(ended.at - interrupted).toBeLessThan(2000);
  expect(ended).toMatchObject({ exitCode: 3 });
  expect(flash.all('card')).toMatchObject([{ state: 'cancelled', condition: 'unfinished' }]);
  expect(flash.all('result')).toMatchObject([{ exitCode: 3 }]);
  await disk.heal();
  await expectUnfinished(disk.path);
});

test('Ctrl+C while the card does not answer: over within two seconds all the same', async () => {
  const [image] = images;
  if (image === undefined) throw new Error('no image');
  await using disk = await FaultyDisk.create(CARD);
  await disk.inject({ kind: 'stall', operation: 'write', afterBytes: 8 * MIB });
  await using flash = new BoxwrightRun(flashWords(image.path, [disk]));
  await disk.struck('stall');
  const interrupted = Date.now();
  flash.interrupt();
  const ended = await flash.ended;
  expect(ended.at - interrupted).toBeLessThan(2000);
  expect(ended).toMatchObject({ exitCode: 3 });
  expect(flash.all('card')).toMatchObject([{ state: 'cancelled', condition: 'unfinished' }]);
});
