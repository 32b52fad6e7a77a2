import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { PIPE_GREETING } from '../../../src-contract/PipeGreeting.ts';
import type { ProgramEnding, RunningProgram } from '../../../src-services/Elevation.ts';
import { WindowsPipeProgram } from '../../../src-services/WindowsPipeProgram.ts';
import { provenPipe } from '../../../src-writer/supervisor/windows/ProgramPipe.ts';

/** Whatever Windows does between the order and the started program, in the hands of the test. */
class Helper implements RunningProgram {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly #ended = Promise.withResolvers<ProgramEnding>();
  readonly ended = this.#ended.promise;

  /** The command line that consent is asked for. */
  async order(): Promise<{ file: string; address: string; key: string }> {
    const [line] = (await once(this.input, 'data')) as [Buffer];
    const order = JSON.parse(line.toString()) as { file: string; arguments: string };
    const [, address = '', key = ''] = [...order.arguments.matchAll(/"([^"]*)"/g)].map(
      ([, argument = '']) => argument,
    );
    return { file: order.file, address, key };
  }

  end(errorText: string): void {
    this.#ended.resolve({ code: 1, signal: null, errorText });
  }

  kill(): void {
    this.end('killed');
  }
}

/** A socket of Unix in the place of the named pipe: Node speaks to both in the same way. */
function startProgram(): { program: WindowsPipeProgram; helper: Helper } {
  const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-pipe-'));
  const helper = new Helper();
  const command = ['C:\\node.exe', 'C:\\Boxwright\\supervisor.mjs'];
  const program = new WindowsPipeProgram(command, () => helper, path.join(folder, 'pipe'));
  onTestFinished(async () => {
    program.kill();
    await program.ended;
    rmSync(folder, { recursive: true });
  });
  return { program, helper };
}

async function connected(address: string): Promise<Socket> {
  const socket = connect(address);
  await once(socket, 'connect');
  return socket;
}

test('requests and reports pass once the supervisor has proof of the program', async () => {
  const { program, helper } = startProgram();
  program.input.write('{"asked":"before anyone was there"}\n');
  const { file, address, key } = await helper.order();
  expect(file).toBe('C:\\node.exe');
  helper.output.write('started\n');
  const pipe = await provenPipe(await connected(address), key);
  const [request] = (await once(pipe.setEncoding('utf8'), 'data')) as [string];
  expect(request).toBe('{"asked":"before anyone was there"}\n');
  pipe.write('{"hello":1}\n');
  const [report] = (await once(program.output.setEncoding('utf8'), 'data')) as [string];
  expect(report).toBe('{"hello":1}\n');
  const over = once(pipe, 'end');
  program.input.end();
  await over;
  pipe.end();
  helper.end('');
  expect(await program.ended).toEqual({ code: 1, signal: null, errorText: '' });
});

test('whoever connects and says nothing hears nothing, and the supervisor still gets through', async () => {
  const { program, helper } = startProgram();
  program.input.write('secret plans\n');
  const { address, key } = await helper.order();
  const listener = await connected(address);
  let heard = '';
  listener.on('data', (text: Buffer) => (heard += text.toString()));
  const pipe = await provenPipe(await connected(address), key);
  const [request] = (await once(pipe.setEncoding('utf8'), 'data')) as [string];
  expect(request).toBe('secret plans\n');
  expect(heard).toBe('');
  listener.destroy();
});

test('after the supervisor nobody else is let in', async () => {
  const { helper } = startProgram();
  const { address, key } = await helper.order();
  const early = await connected(address);
  await provenPipe(await connected(address), key);
  early.on('error', () => undefined);
  await expect(provenPipe(early, key)).rejects.toThrow();
  await expect(connected(address)).rejects.toThrow();
});

test('half a challenge is no challenge', async () => {
  const { helper } = startProgram();
  const { address } = await helper.order();
  const socket = await connected(address);
  const closed = once(socket.resume(), 'close');
  socket.end(randomBytes(PIPE_GREETING.challengeBytes - 1));
  await closed;
  expect(socket.bytesRead).toBe(0);
});

/** Somebody who serves the pipe's name in the program's stead, and answers what `answer` makes. */
async function impostor(answer: (challenge: Buffer) => Buffer): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-pipe-'));
  const address = path.join(folder, 'pipe');
  const server = createServer((socket) => {
    socket.once('data', (challenge: Buffer) => socket.end(answer(challenge)));
  }).listen(address);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  return address;
}

const genuine = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const context = Buffer.from(PIPE_GREETING.context);
const answers: readonly [what: string, answer: (challenge: Buffer) => Buffer][] = [
  [
    'a signature by another key',
    (challenge) => sign(null, Buffer.concat([context, challenge]), other.privateKey),
  ],
  ['a signature over the bare challenge', (challenge) => sign(null, challenge, genuine.privateKey)],
  [
    'a signature of earlier',
    () => sign(null, Buffer.concat([context, Buffer.alloc(32)]), genuine.privateKey),
  ],
  ['noise', () => randomBytes(64)],
  ['the challenge', (challenge) => Buffer.concat([challenge, challenge])],
  [
    'half a signature',
    (challenge) =>
      sign(null, Buffer.concat([context, challenge]), genuine.privateKey).subarray(0, 63),
  ],
  ['nothing', () => Buffer.alloc(0)],
];

test.each(answers)('the supervisor takes no orders for %s', async (_what, answer) => {
  const key = genuine.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
  const pipe = await connected(await impostor(answer));
  await expect(provenPipe(pipe, key)).rejects.toThrow();
  pipe.destroy();
});

test('the right signature is taken: what the refusals above hang on', async () => {
  const key = genuine.publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
  const address = await impostor((challenge) =>
    sign(null, Buffer.concat([context, challenge]), genuine.privateKey),
  );
  const pipe = await connected(address);
  await expect(provenPipe(pipe, key)).resolves.toBe(pipe);
  pipe.destroy();
});

test.each(['', 'AAAA', '////'])('a key that is none (%j) lets nobody in', async (key) => {
  const pipe = await connected(await impostor(() => randomBytes(64)));
  await expect(provenPipe(pipe, key)).rejects.toThrow();
  pipe.destroy();
});

test('a refused prompt ends the program with what was printed', async () => {
  const { program, helper } = startProgram();
  await helper.order();
  helper.end('runas 1223 The operation was canceled by the user\n');
  expect((await program.ended).errorText).toContain('runas 1223');
  expect(program.output.writableEnded).toBe(true);
});

test('a program that was ended before anything began starts nothing', async () => {
  const { program } = startProgram();
  program.kill();
  expect(await program.ended).toMatchObject({ code: null });
});

test('a name that is taken is no pipe, and asks nobody', async () => {
  const address = await impostor(() => Buffer.alloc(0));
  const started: string[] = [];
  const startHelper = (): RunningProgram => {
    started.push('asked');
    return new Helper();
  };
  const program = new WindowsPipeProgram(['x'], startHelper, address);
  expect((await program.ended).errorText).toBe('no pipe could be made');
  expect(started).toEqual([]);
});

test('the name of a pipe is one of this machine', () => {
  const { name } = PIPE_GREETING;
  expect(name.test(`\\\\.\\pipe\\boxwright-${'0a'.repeat(16)}`)).toBe(true);
  expect(name.test(`\\\\server\\pipe\\boxwright-${'0a'.repeat(16)}`)).toBe(false);
  expect(name.test(`\\\\.\\pipe\\other-${'0a'.repeat(16)}`)).toBe(false);
  expect(name.test('/tmp/pipe')).toBe(false);
});
