import { fail, FailureError } from '../../src-core/Failure.ts';
import type { EngineThread } from './EngineThread.ts';
import type { Digester, SlotRange } from './ImageDigest.ts';
import type { Ring } from './Ring.ts';
import type { DigestCommand, DigestReply } from './ThreadMessages.ts';
import { slotCrc } from './SlotCrc.ts';

/** Read-backs that wait for the digest thread before this thread takes one over. */
const CHECKS_QUEUED = 1;

/** The digest on a thread of its own; read-backs are shared between it and this thread. */
export class ThreadedDigester implements Digester {
  readonly #worker: EngineThread<DigestCommand, DigestReply>;
  readonly #ring: Ring;
  readonly #waiting: PromiseWithResolvers<DigestReply>[] = [];
  #death: Error | null = null;

  constructor(worker: EngineThread<DigestCommand, DigestReply>, ring: Ring) {
    this.#worker = worker;
    this.#ring = ring;
    worker.on('message', (reply: DigestReply) => {
      this.#waiting.shift()?.resolve(reply);
    });
    worker.on('error', (error) => {
      this.#die(error);
    });
    worker.on('exit', () => {
      this.#die(new Error('digest thread: it ended'));
    });
  }

  async update(slot: number, length: number, ranges: readonly SlotRange[]): Promise<number[]> {
    return this.#crcs({ type: 'update', slot, length, ranges });
  }

  async check(slot: number, length: number): Promise<number> {
    if (this.#waiting.length > CHECKS_QUEUED) return slotCrc(this.#ring.view(slot, length));
    const [crc] = await this.#crcs({ type: 'check', slot, length });
    if (crc === undefined) throw fail('internal', { detail: 'digest thread: no CRC' });
    return crc;
  }

  async finish(): Promise<string> {
    const reply = await this.#ask({ type: 'finish' });
    if (reply.type !== 'sha256') throw fail('internal', { detail: 'digest thread: no hash' });
    return reply.sha256;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #crcs(command: DigestCommand): Promise<number[]> {
    const reply = await this.#ask(command);
    if (reply.type !== 'crcs') throw fail('internal', { detail: 'digest thread: no CRCs' });
    return [...reply.crcs];
  }

  #die(cause: Error): void {
    this.#death ??= cause;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#death);
  }

  async #ask(command: DigestCommand): Promise<DigestReply> {
    if (this.#death !== null) throw this.#death;
    const waiting = Promise.withResolvers<DigestReply>();
    this.#waiting.push(waiting);
    this.#worker.postMessage(command);
    const reply = await waiting.promise;
    if (reply.type === 'failed') throw new FailureError(reply.failure);
    return reply;
  }
}
