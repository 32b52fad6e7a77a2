import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, test } from 'vitest';

const MAIN = path.resolve(import.meta.dirname, '../../../src-writer/supervisor/main.ts');

const GUARDED = '--disable-sigusr1';

/** Makes an hour last 50 ms; intervals stay. */
const HURRY = `data:text/javascript,${encodeURIComponent(
  'const later = setTimeout; globalThis.setTimeout = (call, time) => later(call, time / 72000);',
)}`;

test('permission ends after eight hours, though the program still listens', async () => {
  const supervisor = spawn(process.execPath, [GUARDED, '--import', HURRY, MAIN], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [hello] = (await once(supervisor.stdout, 'data')) as [Buffer];
  expect(JSON.parse(hello.toString())).toMatchObject({ v: 1, type: 'hello' });
  const start = performance.now();
  expect(await once(supervisor, 'exit')).toEqual([0, null]);
  const hours = (performance.now() - start) / 50;
  expect(hours).toBeGreaterThan(4);
  expect(hours).toBeLessThan(60);
});

test('what a terminal sends to everyone does not end it; its program going away does', async () => {
  const supervisor = spawn(process.execPath, [GUARDED, MAIN], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(supervisor.stdout, 'data');
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) supervisor.kill(signal);
  supervisor.stdin.write(
    '{"v":1,"type":"inspect","jobId":"a","target":{"cardId":"b","path":"/nowhere",',
  );
  supervisor.stdin.write(
    '"accepted":[],"identity":{"size":0,"serial":null,"wwn":null,"sequence":null}}}\n',
  );
  const [answer] = (await once(supervisor.stdout, 'data')) as [Buffer];
  expect(JSON.parse(answer.toString())).toMatchObject({
    ...{ type: 'rejected', failure: { code: 'drive-not-found', facts: { drive: '/nowhere' } } },
  });
  supervisor.stdin.end();
  expect(await once(supervisor, 'exit')).toEqual([0, null]);
});

test('it does not outlive the process that started it, though the program still listens', async () => {
  // As sudo without a terminal of its own: between the program and the supervisor.
  const between = spawn(
    '/bin/sh',
    ['-c', '"$0" "$1" "$2"; exit 0', process.execPath, GUARDED, MAIN],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  await once(between.stdout, 'data');
  const start = performance.now();
  between.kill('SIGKILL');
  await once(between.stdout.resume(), 'close');
  expect(performance.now() - start).toBeLessThan(2000);
  between.stdin.destroy();
});

test('a debugger could be opened in it: it does not start', async () => {
  const supervisor = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [said] = (await once(supervisor.stderr, 'data')) as [Buffer];
  const [code] = (await once(supervisor, 'exit')) as [number];
  expect(code).toBe(1);
  expect(said.toString()).toContain('must be started with --disable-sigusr1');
  expect(supervisor.stdout.read()).toBeNull();
});
