import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { PIPE_GREETING } from '../src-contract/PipeGreeting.ts';
import type { ProgramEnding, RunningProgram } from './Elevation.ts';
import { runAsOrder } from './WindowsRunAs.ts';

/** A started supervisor connects within this time, or never. Milliseconds. */
const PATIENCE = 30_000;

/**
 * A program that Windows starts with rights, which cannot inherit pipes: it connects to a named pipe
 * that we serve. What keeps others out:
 *
 * - The name is random and made for this start, and the pipe is the first of its name (libuv opens it
 *   with FILE_FLAG_FIRST_PIPE_INSTANCE), so that nobody can have taken it before.
 * - It has Windows' default descriptor ("Named Pipe Security and Access Rights"): only this user,
 *   administrators and the system can write to it. Others could connect to read; nothing is said to
 *   whoever has not written a challenge first, which they cannot.
 * - Names of pipes can be listed, and command lines be read: neither is a secret. Should this program
 *   die before the other connects, and somebody else serve the name, then they cannot answer the
 *   challenge: the private key never leaves this process, and the public one is on the command line
 *   that was consented to.
 *
 * Another program of the same user is not kept out: it could as well ask for consent itself, or
 * change what is about to be started. Windows draws no border there, and neither does this.
 */
export class WindowsPipeProgram implements RunningProgram {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly ended: Promise<ProgramEnding>;
  readonly #server: Server;
  readonly #key: KeyObject;
  readonly #helper = Promise.withResolvers<RunningProgram | null>();
  #peer: Socket | null = null;
  #over = false;

  /**
   * @param command what is to run with rights: absolute path and arguments
   * @param startHelper starts what asks for consent, see WindowsRunAs.ts
   * @param address a pipe's name, or anything else that node:net listens on
   */
  constructor(
    command: readonly string[],
    startHelper: () => RunningProgram,
    address = `\\\\.\\pipe\\boxwright-${randomBytes(16).toString('hex')}`,
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.#key = privateKey;
    this.#server = createServer((socket) => void this.#greet(socket));
    const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64url');
    this.#server.on('error', () => {
      this.#helper.resolve(null);
    });
    this.#server.listen(address, () => {
      if (this.#over) return;
      const helper = startHelper();
      helper.input.write(runAsOrder([...command, address, key]));
      this.#expect(helper.output);
      this.#helper.resolve(helper);
    });
    this.ended = this.#end();
  }

  /** What has rights cannot be ended from here; it ends with the pipe. */
  kill(): void {
    this.#over = true;
    this.#peer?.destroy();
    this.#server.close();
    this.#helper.resolve(null);
    void this.#helper.promise.then((helper) => helper?.kill());
  }

  async #end(): Promise<ProgramEnding> {
    const helper = await this.#helper.promise;
    const unserved = { code: null, signal: null, errorText: 'no pipe could be made' };
    const ending = helper === null ? unserved : await helper.ended;
    this.#over = true;
    this.#server.close();
    this.#peer?.destroy();
    this.output.end();
    return ending;
  }

  /** From "started" on, the time that a program needs to connect is counted. */
  #expect(helperOutput: Readable): void {
    helperOutput.once('data', () => {
      setTimeout(() => {
        if (this.#peer === null) this.kill();
      }, PATIENCE).unref();
    });
  }

  async #greet(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    const challenge = await challengeOf(socket);
    if (challenge === null || this.#peer !== null || this.#over) {
      socket.destroy();
      return;
    }
    this.#peer = socket;
    const signed = Buffer.concat([Buffer.from(PIPE_GREETING.context), challenge]);
    socket.write(sign(null, signed, this.#key));
    this.input.pipe(socket);
    socket.pipe(this.output);
    this.#server.close();
  }
}

/** The first bytes that come; null where fewer come, or more: nobody speaks on before the proof. */
async function challengeOf(socket: Socket): Promise<Buffer | null> {
  const signal = AbortSignal.timeout(PATIENCE);
  let challenge = Buffer.alloc(0);
  try {
    while (challenge.length < PIPE_GREETING.challengeBytes) {
      await once(socket, 'readable', { signal });
      const more: unknown = socket.read();
      if (!Buffer.isBuffer(more)) return null;
      challenge = Buffer.concat([challenge, more]);
    }
  } catch {
    return null;
  }
  return challenge.length === PIPE_GREETING.challengeBytes ? challenge : null;
}
