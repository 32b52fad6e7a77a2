import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { PIPE_GREETING } from '../../../src-contract/PipeGreeting.ts';

/** The program answers at once, or it is not there. Milliseconds. */
const PATIENCE = 10_000;

/**
 * What leads to the program: the pipe to the one that asked Windows for elevation, where the command
 * line names it; standard input and output otherwise.
 * @throws Error no such pipe, or whoever serves it is not that program
 */
export async function programStreams([name = '', key = '']: readonly string[]): Promise<
  readonly [input: Readable, output: Writable]
> {
  const isPipe = process.platform === 'win32' && PIPE_GREETING.name.test(name);
  if (!isPipe) return [process.stdin, process.stdout];
  const pipe = await provenPipe(connect(name), key);
  return [pipe, pipe];
}

/**
 * Whoever finds the pipe's name free could serve it and have drives written by a process with
 * rights: only the program that made the key for this start can sign a challenge of now.
 * @param key Ed25519, SPKI, DER, base64url
 */
export async function provenPipe(pipe: Duplex, key: string): Promise<Duplex> {
  const challenge = randomBytes(PIPE_GREETING.challengeBytes);
  pipe.write(challenge);
  const signal = AbortSignal.timeout(PATIENCE);
  let proof = Buffer.alloc(0);
  while (proof.length < PIPE_GREETING.proofBytes) {
    await once(pipe, 'readable', { signal });
    const more: unknown = pipe.read();
    if (!Buffer.isBuffer(more)) break;
    proof = Buffer.concat([proof, more]);
  }
  pipe.unshift(proof.subarray(PIPE_GREETING.proofBytes));
  const made = { key: Buffer.from(key, 'base64url'), format: 'der', type: 'spki' } as const;
  const signed = Buffer.concat([Buffer.from(PIPE_GREETING.context), challenge]);
  const signature = proof.subarray(0, PIPE_GREETING.proofBytes);
  if (!verify(null, signed, createPublicKey(made), signature))
    throw new Error('the pipe does not lead to the program');
  return pipe;
}
