import { createInterface } from 'node:readline/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import { textWidth } from './TextWidth.ts';

export type Colour = 'green' | 'red' | 'yellow' | 'dim';

/** Select Graphic Rendition, ECMA-48 section 8.3.117. */
const codes: Readonly<Record<Colour, number>> = { green: 32, red: 31, yellow: 33, dim: 2 };

/** A pipe whose reader ended, and a terminal that was closed. */
const readerGone: ReadonlySet<string> = new Set(['EPIPE', 'EIO']);

interface Streams {
  readonly stdin: ReadStream | NodeJS.ReadStream;
  readonly stdout: WriteStream | NodeJS.WriteStream;
  readonly stderr: WriteStream | NodeJS.WriteStream;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the program speaks, and what can be shown there. A reader that went away is no failure, and
 * a full disk behind the output is none of the cards: nothing that happens there ends the work.
 */
export class Terminal {
  /** Both ends are a person's: there is somebody to ask. */
  readonly canAsk: boolean;
  /** The output is a screen on which lines can be drawn again. */
  readonly canDraw: boolean;
  /** The screen shows more than ASCII. */
  readonly hasUnicode: boolean;
  readonly #streams: Streams;
  readonly #hasColour: boolean;
  /** What the streams that take no more ended with; half a line must not be followed by another. */
  readonly #ended = new Map<NodeJS.WritableStream, string>();

  constructor(streams: Streams, environment: Environment) {
    this.#streams = streams;
    const { stdin, stdout, stderr } = streams;
    const isScreen = stdout.isTTY && environment['TERM'] !== 'dumb';
    this.canDraw = isScreen;
    this.canAsk = stdin.isTTY && stdout.isTTY;
    // https://no-color.org: set and not empty.
    this.#hasColour = isScreen && (environment['NO_COLOR'] ?? '') === '';
    this.hasUnicode = process.platform !== 'linux' || /utf-?8/i.test(characterSet(environment));
    for (const stream of [stdout, stderr]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (!this.#ended.has(stream)) this.#ended.set(stream, error.code ?? error.message);
      });
    }
  }

  get columns(): number {
    const { columns } = this.#streams.stdout;
    return columns > 0 ? columns : 80;
  }

  get rows(): number {
    const { rows } = this.#streams.stdout;
    return rows > 0 ? rows : 24;
  }

  paint(colour: Colour, text: string): string {
    return this.#hasColour ? `\u001b[${String(codes[colour])}m${text}\u001b[0m` : text;
  }

  /** One line of what was asked for. */
  line(text: string): void {
    this.write(`${text}\n`);
  }

  write(text: string): void {
    this.#write(this.#streams.stdout, text);
  }

  /** One line about what went wrong, or about the work itself. */
  notice(text: string): void {
    this.#write(this.#streams.stderr, `${text}\n`);
  }

  /**
   * Asks a person; null when the input ended or `signal` gave up.
   * To be called only where {@link canAsk}.
   */
  async ask(question: string, signal: AbortSignal): Promise<string | null> {
    const { stdin: input, stdout: output } = this.#streams;
    const lines = createInterface({ input, output, historySize: 0 });
    const ended = new Promise<null>((resolve) => {
      lines.once('close', () => {
        resolve(null);
      });
    });
    // In raw mode the terminal makes no signal of Ctrl+C: hand it on as the one it stands for.
    lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    try {
      const answer = await Promise.race([lines.question(`${question} `, { signal }), ended]);
      // Nobody ended the line of the question.
      if (answer === null) this.line('');
      return answer;
    } catch (cause) {
      if (signal.aborted) return null;
      throw cause;
    } finally {
      lines.close();
      input.pause();
    }
  }

  /**
   * Waits until everything that was said has left the program, or nobody reads it any more.
   * @returns why the output could not take all of what was asked for; null where it could
   */
  async drained(): Promise<string | null> {
    const { stdout, stderr } = this.#streams;
    await Promise.all(
      [stdout, stderr].map(
        (stream) =>
          new Promise<void>((resolve) => {
            if (!stream.writable || stream.writableLength === 0) resolve();
            else {
              stream.once('close', resolve);
              stream.write('', () => {
                resolve();
              });
            }
          }),
      ),
    );
    // An error of a stream is told after the write that met it.
    await new Promise((resolve) => setImmediate(resolve));
    const failure = this.#ended.get(stdout) ?? null;
    return failure === null || readerGone.has(failure) ? null : failure;
  }

  #write(stream: NodeJS.WritableStream, text: string): void {
    if (stream.writable && !this.#ended.has(stream)) stream.write(text);
  }
}

/** What decides on the character set, in the order of POSIX (Base Definitions, 8.2). */
function characterSet(environment: Environment): string {
  const names = ['LC_ALL', 'LC_CTYPE', 'LANG'];
  return names.map((name) => environment[name] ?? '').find((value) => value !== '') ?? '';
}

/** Lines that a text takes on a screen of so many columns. */
export function screenLines(text: string, columns: number): number {
  return Math.max(1, Math.ceil(textWidth(text) / columns));
}
