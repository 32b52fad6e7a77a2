import {
  MAX_LINE,
  WRITER_PROTOCOL,
  supervisorRequestSchema,
} from '../../src-contract/WriterWire.ts';
import type { SupervisorRequest } from '../../src-contract/WriterWire.ts';
import { type Failure, failure, failureOf } from '../../src-core/Failure.ts';
import { JsonLines } from '../../src-core/JsonLines.ts';
import { type JobSurroundings, WriterJob } from './WriterJob.ts';

/** Reads requests and runs one job at a time. Between jobs it knows nothing. */
export class Supervisor {
  readonly #around: JobSurroundings;
  readonly #lines = new JsonLines(supervisorRequestSchema, WRITER_PROTOCOL, MAX_LINE);
  #job: WriterJob | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(around: JobSurroundings) {
    this.#around = around;
    around.send({ v: WRITER_PROTOCOL, type: 'hello', program: 'boxwright-supervisor' });
  }

  /**
   * Takes the next piece of text from the program.
   * @returns false when it was no request: the sender is not our program, or not this version of it
   */
  take(text: string): boolean {
    try {
      for (const request of this.#lines.push(text)) this.#serve(request);
      return true;
    } catch (cause) {
      this.#reject(failureOf(cause));
      return false;
    }
  }

  /**
   * Settles when no job is running.
   * @param abort kill one that is; its devices are given back half a second later at most
   */
  idle(abort: boolean): Promise<void> {
    if (abort) this.#job?.abort();
    return this.#running;
  }

  #serve(request: SupervisorRequest): void {
    if (request.type === 'cancel') {
      if (this.#job?.jobId === request.jobId) this.#job.cancel(request.cardId);
      return;
    }
    if (this.#job) {
      this.#reject(failure('writer-busy', {}));
      return;
    }
    this.#job = new WriterJob(request, this.#around);
    this.#running = this.#job.run().then(() => {
      this.#job = null;
    });
  }

  #reject(cause: Failure): void {
    this.#around.send({ v: WRITER_PROTOCOL, type: 'rejected', failure: cause });
  }
}
