import type { GuestReport } from './GuestWire.ts';

/** How a command in the guest ended. */
export interface Finished {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface LineWaiting {
  readonly matches: (line: string) => boolean;
  resolve(line: string): void;
  reject(cause: Error): void;
}

/** A command running in the guest. */
export class GuestCommand {
  readonly argv: readonly string[];
  readonly finished: Promise<Finished>;
  readonly kill: (signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') => void;
  /** Complete lines of its standard output, with the host's clock in ms at their arrival. */
  readonly lines: { readonly text: string; readonly at: number }[] = [];
  readonly #settle: (finished: Finished) => void;
  readonly #waiting = new Set<LineWaiting>();
  #running = true;
  #stdout = '';
  #stderr = '';
  #rest = '';

  constructor(argv: readonly string[], kill: (signal: 'SIGINT' | 'SIGTERM' | 'SIGKILL') => void) {
    this.argv = argv;
    this.kill = kill;
    const { promise, resolve } = Promise.withResolvers<Finished>();
    this.finished = promise;
    this.#settle = resolve;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The first line of standard output, past or to come, that matches. @throws Error where it ends without one */
  line(matches: (line: string) => boolean): Promise<string> {
    const seen = this.lines.find(({ text }) => matches(text));
    if (seen !== undefined) return Promise.resolve(seen.text);
    return new Promise((resolve, reject) => {
      this.#waiting.add({ matches, resolve, reject });
    });
  }

  receive(report: Extract<GuestReport, { type: 'output' | 'ended' }>): void {
    if (report.type === 'ended') this.#end(report.code, report.signal);
    else if (report.stream === 'stderr') this.#stderr += report.text;
    else this.#print(report.text);
  }

  #print(text: string): void {
    this.#stdout += text;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      this.lines.push({ text: line, at: performance.now() });
      for (const waiting of this.#waiting) {
        if (!waiting.matches(line)) continue;
        this.#waiting.delete(waiting);
        waiting.resolve(line);
      }
    }
  }

  #end(code: number | null, signal: string | null): void {
    this.#running = false;
    const finished = { code, signal, stdout: this.#stdout, stderr: this.#stderr };
    this.#settle(finished);
    for (const waiting of this.#waiting) {
      waiting.reject(new Error(`${this.argv.join(' ')} ended: ${JSON.stringify(finished)}`));
    }
  }
}
