import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { ProgramEnding, RunningProgram } from './Elevation.ts';

const MOST_ERROR_TEXT = 4096;

/** A program started as a child of this one, with pipes to all of its standard streams. */
export class ChildProgram implements RunningProgram {
  readonly input: Writable;
  readonly output: Readable;
  readonly ended: Promise<ProgramEnding>;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;

  /** @param environment all that it gets to see */
  constructor(command: readonly string[], environment: Readonly<Record<string, string>>) {
    const [file = '', ...args] = command;
    // Never detached: sudo asks on the terminal that this session has.
    this.#child = spawn(file, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
    this.input = this.#child.stdin;
    this.output = this.#child.stdout;
    // Writing to a program that has just ended: its end is what gets reported.
    this.input.on('error', () => undefined);
    let errorText = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errorText = (errorText + text).slice(-MOST_ERROR_TEXT);
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        resolve({ code: null, signal: null, errorText: error.message });
      });
      this.#child.on('close', (code, signal) => {
        resolve({ code, signal, errorText });
      });
    });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
