import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isType, jsonLines, runCli } from './CliProcess.ts';
import { makeImage } from './SampleImage.ts';

const BYTES = 24 * 1024 * 1024;
let folder = '';
let image = '';
let sha256 = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-cli-'));
  image = path.join(folder, 'os.img');
  makeImage(image, BYTES);
  const bytes = readFileSync(image);
  sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(`${image}.gz`, gzipSync(bytes));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function card(name: string): string {
  return path.join(folder, name);
}

describe.concurrent('a practice card', () => {
  it('is written, read back, and explained (exit code 0)', async () => {
    const { exitCode, stdout, stderr } = await runCli(folder, ['flash', image, '--to', 'practice']);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^practice card: (preparing|writing)/);
    expect(stdout).toContain('practice card: verified. ');
    expect(stdout).toContain(`SHA-256 of the image: ${sha256}`);
    expect(stdout).toContain('Next: This was a practice card');
    const file = path.join(folder, '.local/share/boxwright/practice-card.img');
    expect(statSync(file).size).toBe(1024 ** 3);
    expect(readFileSync(file).subarray(0, BYTES).equals(readFileSync(image))).toBe(true);
  });

  it('tells everything as JSON, one object a line and nothing else', async () => {
    const args = ['flash', `${image}.gz`, '--to', `practice:${card('json.img')}`, '--json'];
    const result = await runCli(folder, args);
    const lines = jsonLines(result);
    expect(result.stderr).toBe('');
    const steps = lines.filter(({ type }) => type !== 'progress');
    const types = steps.map(({ type }) => type);
    expect(types.filter((type) => type !== 'hashed')).toEqual([
      ...['job', 'phase', 'phase', 'phase', 'phase', 'card', 'result'],
    ]);
    // Hashing ends while the card is written or read back, and before it becomes one that boots.
    const hashedAt = types.indexOf('hashed');
    const finishing = steps.find((line) => isType('phase')(line) && line.phase === 'finishing');
    expect(hashedAt).toBeGreaterThan(types.indexOf('phase'));
    expect(hashedAt).toBeLessThan(finishing === undefined ? -1 : steps.indexOf(finishing));
    const phases = lines.filter(isType('phase')).map(({ phase }) => phase);
    expect(phases).toEqual(['preparing', 'writing', 'verifying', 'finishing']);
    expect(lines.at(0)).toMatchObject({
      ...{ type: 'job', action: 'flash', image: { format: 'gzip' } },
      cards: [{ cardId: 'card-1', drive: card('json.img'), practice: true }],
    });
    expect(lines.at(-1)).toMatchObject({
      ...{ type: 'result', exitCode: 0, sha256 },
      cards: [{ state: 'done', condition: 'verified', problem: null, eject: null }],
    });
    expect(result.exitCode).toBe(0);
  });

  it('is compared with the image, and inspected', async () => {
    const on = ['--on', `practice:${card('compare.img')}`];
    const flashed = await runCli(folder, [
      'flash',
      image,
      '--to',
      `practice:${card('compare.img')}`,
    ]);
    expect(flashed.exitCode).toBe(0);
    const same = await runCli(folder, ['verify', `${image}.gz`, ...on]);
    expect(same).toMatchObject({ exitCode: 0, stderr: '' });
    expect(same.stdout).toContain('the same as the image');
    const seen = jsonLines(await runCli(folder, ['inspect', ...on, '--json']));
    expect(seen).toMatchObject([
      {
        type: 'content',
        content: {
          partitionTable: 'mbr',
          partitions: [{ start: 1024 * 1024, size: BYTES - 1024 * 1024 }],
          unfinished: null,
        },
      },
    ]);
  });

  it('that is not the image is told from one that is (exit code 1)', async () => {
    const other = card('other.img');
    copyFileSync(image, other);
    const bytes = readFileSync(other);
    bytes[9 * 1024 * 1024] = 1;
    writeFileSync(other, bytes);
    const before = statSync(other).mtimeMs;
    const result = await runCli(folder, ['verify', image, '--on', `practice:${other}`]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('It is not the same as the image.');
    expect(statSync(other).mtimeMs).toBe(before);
  });

  it('stays unfinished when the image is not the expected one (exit code 1)', async () => {
    const file = card('hash.img');
    const args = [
      'flash',
      image,
      '--to',
      `practice:${file}`,
      '--sha256',
      'AB'.repeat(32),
      '--json',
    ];
    const result = await runCli(folder, args);
    expect(result.exitCode).toBe(1);
    expect(jsonLines(result).at(-1)).toMatchObject({
      exitCode: 1,
      cards: [
        {
          ...{ state: 'failed', condition: 'unfinished' },
          problem: { failure: { code: 'image-hash-mismatch', facts: { actual: sha256 } } },
        },
      ],
    });
    expect(result.stderr).toMatch(/^practice card: FAILED\. [^]*\n {2}Next: Fetch the image again/);
    const { stdout } = await runCli(folder, ['inspect', '--on', `practice:${file}`]);
    expect(stdout).toContain('did not end');
  });

  it('is written but not verified where that is asked for (exit code 4)', async () => {
    const args = ['flash', image, '--to', `practice:${card('unverified.img')}`, '--no-verify'];
    const { exitCode, stdout } = await runCli(folder, args);
    expect(exitCode).toBe(4);
    expect(stdout).toContain('written, not verified');
  });
});

describe.concurrent('refused before anything is touched (exit code 2)', () => {
  async function refusalOf(args: readonly string[]): Promise<string[]> {
    const result = await runCli(folder, [...args, '--json']);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('Next: ');
    const [refused, end, ...more] = jsonLines(result);
    expect(more).toEqual([]);
    expect(end).toMatchObject({ type: 'result', exitCode: 2, cards: [] });
    if (refused?.type !== 'refused') throw new Error(result.stdout);
    return refused.problems.map(({ failure }) => failure.code);
  }

  it('an image that is none', async () => {
    const practice = ['--to', `practice:${card('never.img')}`];
    expect(await refusalOf(['flash', card('nothing.img'), ...practice])).toEqual([
      'image-not-found',
    ]);
    expect(await refusalOf(['flash', folder, ...practice])).toEqual(['image-not-a-file']);
    writeFileSync(card('text.img'), 'no image at all\n'.repeat(10_000));
    expect(await refusalOf(['flash', card('text.img'), ...practice])).toEqual([
      'image-not-recognised',
    ]);
    writeFileSync(card('bad.bmap'), '<bmap>');
    expect(await refusalOf(['flash', image, ...practice, '--bmap', card('bad.bmap')])).toEqual([
      'block-map-unreadable',
    ]);
    expect(existsSync(card('never.img'))).toBe(false);
  });

  it('a file that is not called a practice card, and a drive that is none', async () => {
    expect(await refusalOf(['flash', image, '--to', image])).toEqual(['drive-is-a-file']);
    expect(await refusalOf(['flash', image, '--to', '/dev/nothing'])).toEqual(['drive-not-found']);
    expect(await refusalOf(['flash', image, '--to', 'serial:nothing', '--yes'])).toEqual([
      'drive-not-found',
    ]);
  });

  it('the image as its own practice card, by whatever name', async () => {
    const before = readFileSync(image);
    expect(await refusalOf(['flash', image, '--to', `practice:${image}`, '--yes'])).toEqual([
      'drive-refused',
    ]);
    expect(readFileSync(image).equals(before)).toBe(true);
  });

  it('a link, a folder or a device as a practice card', async () => {
    symlinkSync(card('elsewhere'), card('link.img'));
    mkdirSync(card('folder.img'));
    for (const file of [card('link.img'), card('folder.img'), '/dev/null']) {
      expect(await refusalOf(['flash', image, '--to', `practice:${file}`, '--yes'])).toEqual([
        'practice-card-not-a-file',
      ]);
    }
    expect(existsSync(card('elsewhere'))).toBe(false);
  });

  it('a file of the user, unless it was agreed that it be lost', async () => {
    const file = card('mine.img');
    copyFileSync(image, file);
    const before = readFileSync(file);
    const args = ['flash', image, '--to', `practice:${file}`];
    expect(await refusalOf(args)).toEqual(['drive-not-confirmed']);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect((await runCli(folder, [...args, '--yes'])).exitCode).toBe(0);
  });

  it('every refusal of a job at once, and one refuses all', async () => {
    const args = ['flash', image, '--to', '/dev/nothing', '--to', 'serial:x', '--to', image];
    expect(await refusalOf([...args, '--yes'])).toEqual([
      ...['drive-not-found', 'drive-not-found', 'drive-is-a-file'],
    ]);
  });
});

describe.concurrent('a wrong command line (exit code 64)', () => {
  it.each([
    [['flsh']],
    [['flash', 'os.img']],
    [['flash', 'os.img', '--to']],
    [['flash', 'os.img', '--to', 'practice', '--sha256', 'abc']],
    [['flash', 'os.img', '--to', 'practice', '--bmap', 'x', '--used-blocks']],
    [['flash', 'os.img', '--to', 'practice', '--unknown']],
    [['flash', 'os.img', '--to', 'practice', '--bmap', 'x', '--bmap', 'y']],
    [
      [
        'flash',
        'os.img',
        '--to',
        'x',
        ...['a', 'b'].flatMap((hex) => ['--sha256', hex.repeat(64)]),
      ],
    ],
    [['flash', 'os.img', '--to', '']],
    [['flash', 'os.img', '--to', 'practice', '--to', 'serial:']],
    [['verify', 'os.img']],
    [['verify', 'os.img', '--on', 'practice:']],
    [['verify', 'os.img', '--on', 'practice', '--on', '/dev/sdb']],
    [['inspect', '--on', 'practice', '--on', '/dev/sdb']],
    [['drives', 'surplus']],
    [[]],
  ])('%j', async (args) => {
    const { exitCode, stdout, stderr } = await runCli(folder, args);
    expect(exitCode).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).toMatch(args.length === 0 ? /Examples:/ : /boxwright --help/);
  });

  it('more cards than a job takes', async () => {
    const cards = Array.from({ length: 33 }, () => ['--to', 'x']).flat();
    const { exitCode, stderr } = await runCli(folder, ['flash', image, ...cards]);
    expect(exitCode).toBe(64);
    expect(stderr).toContain('more than 32 cards');
  });

  it('two practice cards, or one beside a drive', async () => {
    makeImage(card('small.img'), 4 * 1024 * 1024);
    const args = ['--to', 'practice', '--to', `practice:${card('second.img')}`, '--yes'];
    expect((await runCli(folder, ['flash', card('small.img'), ...args])).exitCode).toBe(64);
  });
});

describe.concurrent('a fault of the program says where, and has its own exit code (70)', () => {
  it.each([
    ['in a step of the job', 'performance.now=()=>{throw new Error("broken on purpose")}'],
    [
      'in nothing that is waited for',
      'process.on("newListener",(name)=>{if(name==="SIGINT")' +
        'setTimeout(()=>{throw new Error("broken on purpose")},1)})',
    ],
  ])('%s', async (name, broken) => {
    const args = ['flash', image, '--to', `practice:${card(`${name}.img`)}`, '--json'];
    const result = await runCli(folder, args, ['--import', `data:text/javascript,${broken}`]);
    expect(result.exitCode).toBe(70);
    expect(result.stderr).toMatch(/broken on purpose[^]*\n\s*at /);
    const [fault, end] = jsonLines(result).slice(-2);
    expect(fault).toMatchObject({ type: 'fault', problem: { failure: { code: 'internal' } } });
    expect(end).toMatchObject({ type: 'result', exitCode: 70 });
  });
});

describe.concurrent('help', () => {
  it.each([
    [['--help']],
    [['flash', '--help']],
    [['verify', '-h']],
    [['inspect', '-h']],
    [['drives', '-h']],
  ])('%j teaches by example', async (args) => {
    const { exitCode, stdout, stderr } = await runCli(folder, args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('Examples:\n  boxwright ');
    expect(stdout.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  it('the version is that of the package', async () => {
    const { exitCode, stdout } = await runCli(folder, ['--version']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('hostile names', () => {
  const hostile = 'a\u001b]0;owned\u0007\u202egnp\n$t(help.program){{path}}.img';

  it('reach no terminal as they are', async () => {
    const written = await runCli(folder, ['flash', image, '--to', `practice:${card(hostile)}`]);
    expect(written.exitCode).toBe(0);
    const refused = await runCli(folder, ['flash', card(`none${hostile}`), '--to', 'practice']);
    expect(refused.exitCode).toBe(2);
    for (const text of [written.stdout, refused.stderr]) {
      expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Cf}/u);
      expect(text).toContain('$t(help.program){{path}}');
    }
  });

  it('are exact in JSON, and escaped', async () => {
    const args = ['inspect', '--on', `practice:${card(hostile)}`, '--json'];
    const result = await runCli(folder, args);
    expect(result.stdout.trimEnd()).not.toMatch(/\p{Cc}|\p{Cf}/u);
    expect(jsonLines(result)).toMatchObject([{ type: 'content', drive: card(hostile) }]);
  });
});

it('lists the drives as JSON, each judged', async () => {
  const result = await runCli(folder, ['drives', '--all', '--json']);
  expect(result.exitCode).toBe(0);
  const drives = jsonLines(result).filter(isType('drive'));
  expect(drives.length).toBeGreaterThan(0);
  const system = drives.find(({ refusals }) =>
    refusals.some(({ code }) => code === 'carries-root'),
  );
  expect(system?.verdict).toBe('refused');
  const shown = jsonLines(await runCli(folder, ['drives', '--json'])).filter(isType('drive'));
  expect(shown.every(({ virtual, bus }) => !virtual && bus !== 'virtio')).toBe(true);
});
