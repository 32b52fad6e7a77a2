import { fail, FailureError } from '../../src-core/Failure.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import type { EngineThread } from './EngineThread.ts';
import { FilledQueue } from './ImageReader.ts';
import type { FilledSlot, ImageReader } from './ImageReader.ts';
import { SLOT_BYTES } from './Ring.ts';
import type { DecodeCommand, DecodeReply } from './ThreadMessages.ts';

/** Empty slots a thread holds, so that it never waits for the main thread between two. */
const GRANTED_AHEAD = 2;

/** Segments that one thread decodes as one run of slots. */
interface DecodeJob {
  readonly first: number;
  readonly last: number;
}

interface DecodeWorker {
  readonly worker: EngineThread<DecodeCommand, DecodeReply>;
  /** Index of the job it works on; Infinity when idle. */
  job: number;
  /** Slots that it holds and has not filled yet. */
  readonly empty: Set<number>;
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
  /** For each slot that is not free: the job whose bytes it holds or will hold. */
  readonly #jobOfSlot = new Map<number, number>();
  readonly #aheadSlots: number;
  readonly #queue = new FilledQueue();
  readonly #unfinished: Set<number>;
  #nextJob = 0;
  #end = 0;

  /**
   * @param slots what the image is decoded into
   * @param aheadSlots how many of them may hold bytes behind those of the earliest unfinished job
   */
  constructor(
    path: string,
    plan: DecodePlan,
    workers: readonly EngineThread<DecodeCommand, DecodeReply>[],
    slots: readonly number[],
    aheadSlots: number,
  ) {
    this.#path = path;
    this.#plan = plan;
    this.#jobs = decodeJobs(plan);
    this.#unfinished = new Set(this.#jobs.keys());
    this.#free = [...slots];
    this.#aheadSlots = aheadSlots;
    this.#workers = workers.map((worker) => ({ worker, job: Infinity, empty: new Set() }));
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
    this.#jobOfSlot.delete(slot);
    this.#free.push(slot);
    this.#grant();
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #receive(decoder: DecodeWorker, reply: DecodeReply): void {
    switch (reply.type) {
      case 'filled':
        decoder.empty.delete(reply.filled.slot);
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
    decoder.job = job === undefined ? Infinity : this.#nextJob;
    for (const slot of decoder.empty) this.#jobOfSlot.set(slot, decoder.job);
    if (job === undefined) return;
    this.#nextJob += 1;
    this.#send(decoder, { type: 'decode', job: decoder.job, ...job });
  }

  /** Hands out free slots, the thread whose bytes are wanted first before all others. */
  #grant(): void {
    // A set keeps the order of insertion, so its first job is the earliest that is not done.
    const [frontier = Infinity] = this.#unfinished;
    const busy = this.#workers.filter(({ job }) => job !== Infinity);
    for (const decoder of busy.sort((one, other) => one.job - other.job)) {
      while (decoder.empty.size < GRANTED_AHEAD && this.#mayTake(decoder.job, frontier)) {
        const slot = this.#free.pop();
        if (slot === undefined) break;
        decoder.empty.add(slot);
        this.#jobOfSlot.set(slot, decoder.job);
        this.#send(decoder, { type: 'slot', slot });
      }
    }
  }

  /**
   * Threads that run ahead share a bounded part of the ring. What they fill nobody can consume yet,
   * so that the thread whose bytes come next would wait for ever if they took the rest as well.
   */
  #mayTake(job: number, frontier: number): boolean {
    if (job === frontier) return true;
    const ahead = [...this.#jobOfSlot.values()].filter((holder) => holder > frontier).length;
    return ahead < this.#aheadSlots;
  }

  #send(decoder: DecodeWorker, command: DecodeCommand): void {
    decoder.worker.postMessage(command);
  }
}
