import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/** A command on a terminal of its own (script(1)), typed at like a person does. */
export class TerminalRun implements AsyncDisposable {
  /** The exit code. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #told = new EventEmitter();
  #text = '';
  #read = 0;
  #isOver = false;

  constructor(command: readonly string[]) {
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const child = spawn('/usr/bin/script', ['-qefc', `exec ${quoted}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
      this.#told.emit('text');
    });
    this.ended = once(child, 'close').then(([code]) => {
      this.#isOver = true;
      this.#told.emit('text');
      return code as number | null;
    });
  }

  get text(): string {
    return this.#text;
  }

  /** Waits until something stands on the terminal, after what was waited for before. */
  async shows(expected: string): Promise<void> {
    for (;;) {
      const found = this.#text.indexOf(expected, this.#read);
      if (found >= 0) {
        this.#read = found + expected.length;
        return;
      }
      if (this.#isOver) throw new Error(`never showed "${expected}": ${this.#text}`);
      await once(this.#told, 'text');
    }
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /**
   * Types until the answer was taken: pkexec's agent throws away what was typed between its prompt
   * and switching the echo off, and what is echoed was typed too early.
   */
  async answer(keys: string): Promise<void> {
    for (;;) {
      const before = this.#text.length;
      this.type(`${keys}\n`);
      const waiting = new AbortController();
      const patience = delay(300, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([once(this.#told, 'text'), patience]);
      waiting.abort();
      const answered = this.#text.slice(before);
      if (this.#isOver || (answered !== '' && !answered.includes(keys))) return;
    }
  }

  /** The objects printed with --json of one type. */
  reports(type: string): unknown[] {
    return this.#text.split(/\r?\n/).flatMap((line) => {
      if (!line.startsWith('{')) return [];
      const report = JSON.parse(line) as { type: string };
      return report.type === type ? [report] : [];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#child.kill('SIGKILL');
    await this.ended;
  }
}
