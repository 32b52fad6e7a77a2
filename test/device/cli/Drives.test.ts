import { mkdtempSync, rmSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { isType, jsonLines, runCli } from './CliProcess.ts';
import { makeImage } from './SampleImage.ts';
import { inTerminal } from './TerminalSession.ts';

const MIB = 1024 * 1024;
let folder = '';
let image = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-drives-'));
  image = path.join(folder, 'os.img');
  makeImage(image, 8 * MIB);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A card of ordinary size, and one that is unusually large; both hold nothing yet. */
async function card(): Promise<LoopDevice> {
  return LoopDevice.create(64 * MIB);
}

async function largeCard(): Promise<LoopDevice> {
  return LoopDevice.create(300 * 1024 * MIB);
}

/** Whether anything was ever written to it: its file is sparse. */
async function isTouched({ backing }: LoopDevice): Promise<boolean> {
  return (await stat(backing)).blocks > 0;
}

async function problemsOf(
  args: readonly string[],
): Promise<{ code: number | null; problems: string[] }> {
  const result = await runCli(folder, ['flash', image, ...args, '--json']);
  const refused = jsonLines(result).filter(isType('refused'));
  const problems = refused.flatMap((line) => line.problems.map(({ failure }) => failure.code));
  return { code: result.exitCode, problems };
}

describe('what must be permitted', () => {
  it('a virtual drive is refused without --allow-virtual', async () => {
    await using drive = await card();
    expect(await problemsOf(['--to', drive.path, '--yes'])).toEqual({
      ...{ code: 2, problems: ['drive-refused'] },
    });
    expect(await isTouched(drive)).toBe(false);
  });

  it('without a person and without --yes nothing is written', async () => {
    await using drive = await card();
    expect(await problemsOf(['--to', drive.path, '--allow-virtual'])).toEqual({
      ...{ code: 2, problems: ['drive-not-confirmed'] },
    });
    expect(await isTouched(drive)).toBe(false);
  });

  it('--yes does not cover a drive that calls for a second look, --allow-warned does', async () => {
    await using drive = await largeCard();
    const args = ['--to', drive.path, '--allow-virtual', '--yes'];
    expect(await problemsOf(args)).toEqual({ code: 2, problems: ['drive-warned'] });
    expect(await isTouched(drive)).toBe(false);
    expect(await problemsOf([...args, '--allow-warned'])).toEqual({ code: 0, problems: [] });
    expect(await isTouched(drive)).toBe(true);
  });

  it('one refused drive refuses the job, and no other is touched', async () => {
    await using good = await card();
    await using small = await LoopDevice.create(4 * MIB);
    const listed = jsonLines(await runCli(folder, ['drives', '--all', '--json']));
    const system = listed
      .filter(isType('drive'))
      .find(({ refusals }) => refusals.some(({ code }) => code === 'carries-root'));
    if (system === undefined) throw new Error('no system drive');
    const args = [good.path, small.path, system.path, '/dev/no-such-drive'].flatMap((each) => [
      '--to',
      each,
    ]);
    expect(await problemsOf([...args, '--allow-virtual', '--allow-warned', '--yes'])).toEqual({
      code: 2,
      problems: ['drive-not-found', 'image-too-large', 'drive-refused'],
    });
    expect([await isTouched(good), await isTouched(small)]).toEqual([false, false]);
  });

  it('the same drive by two names is one too many', async () => {
    await using drive = await card();
    const args = ['--to', drive.path, '--to', `/dev/../dev/${drive.name}`];
    expect(await problemsOf([...args, '--allow-virtual', '--yes'])).toEqual({
      ...{ code: 2, problems: ['drive-chosen-twice'] },
    });
  });

  it('a write-protected drive is refused', async () => {
    await using drive = await LoopDevice.create(64 * MIB, { readOnly: true });
    const result = await runCli(folder, [
      'flash',
      image,
      '--to',
      drive.path,
      '--allow-virtual',
      '--yes',
    ]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('it is write-protected');
  });
});

describe('asking for real drives', () => {
  it('shows each of them, and writes all after one yes', async () => {
    await using one = await card();
    await using two = await card();
    const args = ['flash', image, '--to', one.path, '--to', two.path, '--allow-virtual'];
    const steps = [{ see: 'Type yes', type: 'yes\n' }];
    const { exitCode, screen } = await inTerminal(folder, args, { steps });
    expect(screen.lines).toEqual(
      expect.arrayContaining([
        'Everything on these 2 drives will be lost:',
        `  ${one.path}`,
        '    67.1 MB, virtual',
        `  ${two.path}`,
        'All 2 cards are done.',
      ]),
    );
    expect(screen.lines.filter((line) => line.includes('%'))).toHaveLength(2);
    expect(exitCode).toBe(0);
  });

  it('wants the name of a drive that calls for a second look', async () => {
    await using drive = await largeCard();
    const args = ['flash', image, '--to', drive.path, '--allow-virtual'];
    const question = `Type ${drive.name} to write`;
    const wrong = await inTerminal(folder, args, { steps: [{ see: question, type: 'yes\n' }] });
    expect(wrong.exitCode).toBe(3);
    expect(await isTouched(drive)).toBe(false);
    const steps = [{ see: question, type: `${drive.name}\n` }];
    const right = await inTerminal(folder, args, { steps });
    expect(right.exitCode).toBe(0);
    expect(right.screen.lines.join('\n')).toContain('unusually large for a card (322 GB)');
  });
});

it('compares and inspects a drive without changing it', async () => {
  await using drive = await card();
  const to = ['--to', drive.path, '--allow-virtual', '--yes'];
  expect((await runCli(folder, ['flash', image, ...to])).exitCode).toBe(0);
  expect((await runCli(folder, ['verify', image, '--on', drive.path])).exitCode).toBe(0);
  const medium = await open(drive.backing, 'r+');
  await medium.write('changed', 5 * MIB);
  await medium.sync();
  await medium.close();
  const differs = await runCli(folder, ['verify', image, '--on', drive.path]);
  expect(differs.exitCode).toBe(1);
  expect(differs.stderr).toContain('It is not the same as the image.');
  const seen = await runCli(folder, ['inspect', '--on', drive.path]);
  expect(seen).toMatchObject({ exitCode: 0, stderr: '' });
  expect(seen.stdout).toContain('Partition table: MBR');
});
