import { MAX_LINE, WRITER_PROTOCOL, writerReportSchema } from '../src-contract/WriterWire.ts';
import type { EngineRequest, SupervisorRequest, WriterReport } from '../src-contract/WriterWire.ts';
import { failure, failureOf, FailureError } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import { jsonLine, JsonLines } from '../src-core/JsonLines.ts';
import type { ProgramEnding, RunningProgram } from './Elevation.ts';

/** What one job does with the reports that come while it runs. */
interface Listener {
  /** True when this was the last one of the job. */
  take(report: WriterReport): boolean;
  resolve(): void;
  reject(cause: FailureError): void;
}

/** The wire to a supervisor or an engine: one job at a time, every report checked by the schema. */
export class WriterConnection {
  /** Settles with how the program ended; from then on the connection is of no use. Never rejects. */
  readonly ended: Promise<ProgramEnding>;
  readonly #program: RunningProgram;
  #listener: Listener | null = null;
  #over: Failure | null = null;

  constructor(program: RunningProgram) {
    this.#program = program;
    this.ended = program.ended;
    const lines = new JsonLines(writerReportSchema, WRITER_PROTOCOL, MAX_LINE);
    program.output.setEncoding('utf8').on('data', (text: string) => {
      if (this.#over !== null) return;
      try {
        for (const report of lines.push(text)) this.#take(report);
      } catch (thrown) {
        // Whoever speaks another language must not go on writing to drives.
        this.#end(failureOf(thrown));
        program.input.end();
        program.kill();
      }
    });
    void program.ended.then(({ code, signal, errorText }) => {
      const how = signal ?? `code ${String(code)}`;
      this.#end(failure('writer-ended', { detail: `${how} ${errorText}`.trim() }));
    });
  }

  /** Nothing can be asked over it any more. */
  get over(): boolean {
    return this.#over !== null;
  }

  /**
   * Sends a request and passes reports on until `take` says that one was the last.
   * @throws FailureError writer-busy, writer-ended, protocol-mismatch, request-invalid, and what
   *   the other side rejected the request with
   */
  converse(
    request: SupervisorRequest | EngineRequest | null,
    take: Listener['take'],
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const cause = this.#over ?? (this.#listener !== null ? failure('writer-busy', {}) : null);
      if (cause !== null) {
        reject(new FailureError(cause));
        return;
      }
      this.#listener = { take, resolve, reject };
      if (request !== null) this.send(request);
    });
  }

  send(request: SupervisorRequest | EngineRequest): void {
    if (this.#over === null) this.#program.input.write(jsonLine(request));
  }

  /** Asks the program to end by closing its input; by force after `grace` milliseconds. */
  async close(grace: number): Promise<void> {
    this.#program.input.end();
    const timer = setTimeout(() => {
      this.#program.kill();
      // A program of another account cannot be killed; nobody waits for it.
      this.#program.output.destroy();
    }, grace);
    const patience = new Promise((resolve) => setTimeout(resolve, grace + 100).unref());
    await Promise.race([this.ended, patience]);
    clearTimeout(timer);
  }

  #take(report: WriterReport): void {
    const listener = this.#listener;
    if (listener === null) return;
    if (report.type === 'rejected') {
      this.#listener = null;
      listener.reject(new FailureError(report.failure));
    } else if (listener.take(report)) {
      this.#listener = null;
      listener.resolve();
    }
  }

  #end(cause: Failure): void {
    this.#over ??= cause;
    const listener = this.#listener;
    this.#listener = null;
    listener?.reject(new FailureError(this.#over));
  }
}
