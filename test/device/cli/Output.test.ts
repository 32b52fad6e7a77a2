import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage } from './SampleImage.ts';

const BYTES = 8 * 1024 * 1024;
const main = path.join(import.meta.dirname, '..', '..', '..', 'src-cli', 'main.ts');
let folder = '';
let image = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-output-'));
  image = path.join(folder, 'os.img');
  makeImage(image, BYTES);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Stream = 'stdout' | 'stderr';

/** Runs the command line with a stream that leads to a full disk (full(4)). */
async function runOnFullDisk(
  full: readonly Stream[],
  args: readonly string[],
): Promise<{ exitCode: unknown; stdout: string; stderr: string }> {
  const device = openSync('/dev/full', 'w');
  const target = (stream: Stream): 'pipe' | number => (full.includes(stream) ? device : 'pipe');
  const child = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8' },
    stdio: ['ignore', target('stdout'), target('stderr')],
  });
  closeSync(device);
  const said = [child.stdout, child.stderr].map((stream) =>
    stream === null ? Promise.resolve('') : text(stream),
  );
  const [[exitCode], stdout = '', stderr = ''] = await Promise.all([
    once(child, 'close') as Promise<unknown[]>,
    ...said,
  ]);
  return { exitCode, stdout, stderr };
}

describe.concurrent('where the disk behind the output is full', () => {
  it.each([
    ['lines', []],
    ['JSON', ['--json']],
  ])('a card is flashed to its end all the same (%s)', async (name, options) => {
    const card = path.join(folder, `${name}.img`);
    const args = ['flash', image, '--to', `practice:${card}`, ...options];
    const { exitCode, stderr } = await runOnFullDisk(['stdout'], args);
    expect(stderr).toBe(
      'boxwright: Not everything that was to be said could be written to the standard output: there is no space left (ENOSPC).\n',
    );
    expect(exitCode).toBe(0);
    expect(readFileSync(card).subarray(0, BYTES).equals(readFileSync(image))).toBe(true);
  });

  it('a failed card is told by the exit code', async () => {
    const card = path.join(folder, 'failed.img');
    const args = ['flash', image, '--to', `practice:${card}`, '--sha256', 'ab'.repeat(32)];
    expect((await runOnFullDisk(['stderr'], args)).exitCode).toBe(1);
    const again = await runOnFullDisk(['stdout', 'stderr'], [...args, '--yes', '--json']);
    expect(again.exitCode).toBe(1);
  });

  it('a refusal is one', async () => {
    const args = ['flash', path.join(folder, 'none.img'), '--to', 'practice', '--json'];
    expect((await runOnFullDisk(['stdout'], args)).exitCode).toBe(2);
  });

  it('a list that was not written did not work', async () => {
    const { exitCode, stderr } = await runOnFullDisk(['stdout'], ['drives', '--all', '--json']);
    expect(stderr).toContain('ENOSPC');
    expect(exitCode).toBe(70);
  });
});
