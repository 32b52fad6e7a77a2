import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LoopDevice } from '../../support/LoopDevice.ts';
import { CliProcess, jsonLines, runCli } from './CliProcess.ts';
import { makeImage } from './SampleImage.ts';

let folder = '';
let image = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-interrupted-'));
  image = path.join(folder, 'os.img');
  makeImage(image, 2 * 1024 ** 3);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function flash(): CliProcess {
  return new CliProcess(folder, ['flash', image, '--to', 'practice', '--json']);
}

/** The processes that a process has started (proc(5), task/tid/children). */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${String(pid)}/task`).flatMap((thread) =>
    readFileSync(`/proc/${String(pid)}/task/${thread}/children`, 'utf8')
      .split(' ')
      .filter((text) => text !== '')
      .map(Number),
  );
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s while writing', (signal) => {
  it('ends within two seconds with the state of every card (exit code 3)', async () => {
    const cli = flash();
    await cli.line((line) => line.type === 'progress' && line.phase === 'writing');
    const asked = performance.now();
    cli.child.kill(signal);
    const result = await cli.ended;
    expect(performance.now() - asked).toBeLessThan(2000);
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toMatch(/^practice card: cancelled\. It is unfinished[^]*\n {2}Next: /);
    expect(jsonLines(result).at(-1)).toMatchObject({
      ...{ type: 'result', exitCode: 3 },
      cards: [
        {
          ...{ state: 'cancelled', condition: 'unfinished' },
          problem: { failure: { code: 'cancelled' } },
        },
      ],
    });
    const { stdout } = await runCli(folder, ['inspect', '--on', 'practice']);
    expect(stdout).toContain('Unfinished: its flash of');
  });
});

it('a writer that does not answer delays the end by no more than that, and is left nowhere', async () => {
  const cli = flash();
  await cli.line((line) => line.type === 'progress' && line.phase === 'writing');
  const [engine, ...others] = childrenOf(cli.child.pid ?? 0);
  if (engine === undefined) throw new Error('no engine');
  expect(others).toEqual([]);
  process.kill(engine, 'SIGSTOP');
  const asked = performance.now();
  cli.child.kill('SIGINT');
  const result = await cli.ended;
  expect(performance.now() - asked).toBeLessThan(2000);
  expect(jsonLines(result).at(-1)).toMatchObject({
    exitCode: 3,
    cards: [{ state: 'cancelled', condition: 'unfinished' }],
  });
  expect(isRunning(engine)).toBe(false);
});

it('nor does a supervisor that does not answer', async () => {
  await using drive = await LoopDevice.create(3 * 1024 ** 3);
  const args = ['flash', image, '--to', drive.path, '--allow-virtual', '--yes', '--json'];
  const cli = new CliProcess(folder, args);
  await cli.line((line) => line.type === 'progress' && line.phase === 'writing');
  const [supervisor] = childrenOf(cli.child.pid ?? 0);
  if (supervisor === undefined) throw new Error('no supervisor');
  process.kill(supervisor, 'SIGSTOP');
  const asked = performance.now();
  cli.child.kill('SIGINT');
  const result = await cli.ended;
  expect(performance.now() - asked).toBeLessThan(2000);
  expect(result.exitCode).toBe(3);
  expect(jsonLines(result).at(-1)).toMatchObject({
    cards: [{ state: 'cancelled', condition: 'unfinished' }],
  });
  expect(isRunning(supervisor)).toBe(false);
});

it('a second Ctrl+C ends at once', async () => {
  const cli = flash();
  await cli.line((line) => line.type === 'progress' && line.phase === 'writing');
  const [engine] = childrenOf(cli.child.pid ?? 0);
  if (engine === undefined) throw new Error('no engine');
  process.kill(engine, 'SIGSTOP');
  const asked = performance.now();
  cli.child.kill('SIGINT');
  cli.child.kill('SIGTERM');
  const { exitCode } = await cli.ended.finally(() => process.kill(engine, 'SIGKILL'));
  expect(exitCode).toBe(3);
  expect(performance.now() - asked).toBeLessThan(700);
});

it('a writer that is killed makes a failed card, never a verified one (exit code 1)', async () => {
  const cli = flash();
  await cli.line((line) => line.type === 'progress' && line.phase === 'writing');
  const [engine] = childrenOf(cli.child.pid ?? 0);
  if (engine === undefined) throw new Error('no engine');
  process.kill(engine, 'SIGKILL');
  const result = await cli.ended;
  expect(result.exitCode).toBe(1);
  expect(jsonLines(result).at(-1)).toMatchObject({
    cards: [
      {
        ...{ state: 'failed', condition: 'unfinished' },
        problem: { failure: { code: 'writer-ended' } },
      },
    ],
  });
});

it('a reader that goes away stops no flash', async () => {
  const small = path.join(folder, 'small.img');
  makeImage(small, 128 * 1024 ** 2);
  const cli = new CliProcess(folder, ['flash', small, '--to', 'practice']);
  await once(cli.child.stdout, 'data');
  cli.child.stdout.destroy();
  const { exitCode, stderr } = await cli.ended;
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { stdout } = await runCli(folder, ['inspect', '--on', 'practice']);
  expect(stdout).toContain('Partition table: MBR');
});
