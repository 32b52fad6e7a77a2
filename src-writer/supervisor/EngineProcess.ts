import { type ChildProcess, spawn } from 'node:child_process';
import { MAX_LINE, WRITER_PROTOCOL, writerReportSchema } from '../../src-contract/WriterWire.ts';
import type { EngineRequest, WriterReport } from '../../src-contract/WriterWire.ts';
import { JsonLines, jsonLine } from '../../src-core/JsonLines.ts';
import { CLEAN_ENVIRONMENT } from './SystemTool.ts';

/** The engine of one job, seen as something that may say anything: what it says must fit the schema. */
export class EngineProcess {
  readonly #end = Promise.withResolvers<string>();
  /** Settles when it is gone, with how it ended, for a log. Never rejects. */
  readonly ended = this.#end.promise;
  readonly #child: ChildProcess;
  #misbehaviour: string | null = null;

  /**
   * @param command absolute path and arguments
   * @param cards how many the job has
   * @param descriptors become 3, 4, ... of the engine; it inherits nothing else
   * @param onReport may throw, which ends the engine: it said what does not belong to the job
   */
  constructor(
    [file = '', ...args]: readonly string[],
    cards: number,
    descriptors: readonly number[],
    onReport: (report: WriterReport) => void,
  ) {
    this.#child = spawn(file, args, {
      cwd: '/',
      // Three are still at work when all cards but one hold on to the four requests they may have
      // under way. More would only be woken in turns, and wait for a processor behind each other.
      env: { ...CLEAN_ENVIRONMENT, UV_THREADPOOL_SIZE: String(4 * cards - 1) },
      stdio: ['pipe', 'pipe', 'inherit', ...descriptors],
      // A session of its own: Ctrl+C on the terminal is for the program to answer, with `cancel`.
      detached: true,
    });
    const lines = new JsonLines(writerReportSchema, WRITER_PROTOCOL, MAX_LINE);
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (this.#misbehaviour !== null) return;
      try {
        for (const report of lines.push(text)) onReport(report);
      } catch (cause) {
        this.#misbehaviour = cause instanceof Error ? cause.message : String(cause);
        this.kill();
      }
    });
    this.#child.on('error', ({ message }) => {
      this.#end.resolve(message);
    });
    this.#child.on('close', (code, signal) => {
      this.#end.resolve(this.#misbehaviour ?? `engine ended: ${signal ?? `code ${String(code)}`}`);
    });
  }

  send(request: EngineRequest): void {
    this.#child.stdin?.write(jsonLine(request));
  }

  /** Ends its input, and the engine itself where that does not end it in time. Milliseconds. */
  dismiss(grace: number): void {
    this.#child.stdin?.end();
    setTimeout(this.kill.bind(this), grace).unref();
  }

  /** A dead device can keep it from ending; then it is left to the kernel. */
  kill(): void {
    this.#child.kill('SIGKILL');
    setTimeout(this.#end.resolve, 300, this.#misbehaviour ?? 'engine does not end');
  }
}
