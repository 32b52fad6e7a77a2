import { fail, FailureError } from '../../src-core/Failure.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import type { EngineThread } from './EngineThread.ts';
import { FilledQueue } from './ImageReader.ts';
import type { FilledSlot, ImageReader } from './ImageReader.ts';
import { SLOT_BYTES } from './Ring.ts';
import type { DecodeCommand, DecodeReply } from './ThreadMessages.ts';

/** Empty slots a thread holds, so that it never waits for the main thread between two. */
const GRANTED_AHEAD = 2;

/**
 * Slots that only the thread whose bytes come next may take. Without them, threads that run ahead
 * would fill the ring with bytes that nobody can consume yet.
 */
const RESERVED = 3;

/** Segments that one thread decodes as one run of slots. */
interface DecodeJob {
  readonly first: number;
  readonly last: number;
}

interface DecodeWorker {
  readonly worker: EngineThread<DecodeCommand, DecodeReply>;
  /** Index of the job it works on; Infinity when idle. */
  job: number;
  /** Empty slots that it holds. */
  granted: number;
}

/** How a plan is shared out: a job per segment where all begin on a slot boundary, else one job. */
export function decodeJobs(plan: DecodePlan): DecodeJob[] {
  const parallel = plan.segments.every((segment) => segment.outputOffset % SLOT_BYTES === 0);
  if (!parallel) return [{ first: 0, last: plan.segments.length - 1 }];
  return plan.segments.map((_, index) => ({ first: index, last: index }));
}

/** Decodes an image on one or more threads; slots come out in image order. */
export class ThreadedReader implements ImageReader {
  readonly #path: string;
  readonly #plan: DecodePlan;
  readonly #jobs: readonly DecodeJob[];
  readonly #workers: readonly DecodeWorker[];
  readonly #free: number[];
  readonly #queue = new FilledQueue();
  readonly #unfinished: Set<number>;
  #nextJob = 0;
  #end = 0;

  constructor(
    path: string,
    plan: DecodePlan,
    workers: readonly EngineThread<DecodeCommand, DecodeReply>[],
    slots: readonly number[],
  ) {
    this.#path = path;
    this.#plan = plan;
    this.#jobs = decodeJobs(plan);
    this.#unfinished = new Set(this.#jobs.keys());
    this.#free = [...slots];
    this.#workers = workers.map((worker) => ({ worker, job: Infinity, granted: 0 }));
    for (const decoder of this.#workers) {
      decoder.worker.on('message', (reply: DecodeReply) => {
        this.#receive(decoder, reply);
      });
      decoder.worker.on('error', (error) => {
        this.#queue.fail(fail('internal', { detail: `decode thread: ${error.message}` }));
      });
      this.#assign(decoder);
    }
    this.#grant();
  }

  next(): Promise<FilledSlot | null> {
    return this.#queue.next();
  }

  release(slot: number): void {
    this.#free.push(slot);
    this.#grant();
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #receive(decoder: DecodeWorker, reply: DecodeReply): void {
    switch (reply.type) {
      case 'filled':
        decoder.granted -= 1;
        this.#queue.push(reply.filled);
        break;
      case 'done':
        this.#unfinished.delete(reply.job);
        this.#end = Math.max(this.#end, reply.end);
        this.#assign(decoder);
        if (this.#unfinished.size === 0) this.#finish();
        break;
      case 'failed':
        this.#queue.fail(new FailureError(reply.failure));
        break;
    }
    this.#grant();
  }

  #finish(): void {
    const { size, format } = this.#plan;
    if (size !== null && size !== this.#end) {
      const detail = `${String(this.#end)} of ${String(size)} bytes`;
      this.#queue.fail(fail('image-corrupt', { path: this.#path, format, detail }));
    } else {
      this.#queue.finish(this.#end);
    }
  }

  #assign(decoder: DecodeWorker): void {
    const job = this.#jobs[this.#nextJob];
    if (job === undefined) {
      decoder.job = Infinity;
      return;
    }
    decoder.job = this.#nextJob;
    this.#nextJob += 1;
    this.#send(decoder, { type: 'decode', job: decoder.job, ...job });
  }

  /** Hands out free slots, the thread whose bytes are wanted first before all others. */
  #grant(): void {
    // A set keeps the order of insertion, so its first job is the earliest that is not done.
    const [frontier] = this.#unfinished;
    const busy = this.#workers.filter(({ job }) => job !== Infinity);
    for (const decoder of busy.sort((one, other) => one.job - other.job)) {
      const reserved = decoder.job === frontier ? 0 : RESERVED;
      while (decoder.granted < GRANTED_AHEAD && this.#free.length > reserved) {
        const slot = this.#free.pop();
        if (slot === undefined) break;
        decoder.granted += 1;
        this.#send(decoder, { type: 'slot', slot });
      }
    }
  }

  #send(decoder: DecodeWorker, command: DecodeCommand): void {
    decoder.worker.postMessage(command);
  }
}
