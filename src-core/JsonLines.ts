import { z } from 'zod';
import { fail } from './Failure.ts';

/**
 * Splits a stream of text into lines, each one JSON value checked by a schema: the framing of both
 * writer wires. Hostile input is bounded: a line longer than `maxLine` characters is a failure.
 */
export class JsonLines<Message> {
  readonly #schema: z.ZodType<Message>;
  readonly #version: number;
  readonly #maxLine: number;
  #rest = '';

  constructor(schema: z.ZodType<Message>, version: number, maxLine: number) {
    this.#schema = schema;
    this.#version = version;
    this.#maxLine = maxLine;
  }

  /**
   * Takes the next piece of text, returns the messages it completed.
   * @throws FailureError protocol-mismatch, request-invalid
   */
  push(text: string): Message[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > this.#maxLine) {
      throw fail('request-invalid', { detail: `line longer than ${String(this.#maxLine)}` });
    }
    return lines.filter((line) => line !== '').map((line) => this.#parse(line));
  }

  #parse(line: string): Message {
    if (line.length > this.#maxLine) {
      throw fail('request-invalid', { detail: `line longer than ${String(this.#maxLine)}` });
    }
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw fail('request-invalid', { detail: 'not JSON' }, { cause });
    }
    const version = z.object({ v: z.number() }).safeParse(value);
    if (version.success && version.data.v !== this.#version) {
      throw fail('protocol-mismatch', { expected: this.#version, actual: version.data.v });
    }
    const message = this.#schema.safeParse(value);
    if (!message.success) {
      throw fail('request-invalid', { detail: z.prettifyError(message.error).slice(0, 1000) });
    }
    return message.data;
  }
}

/** One message as a line of the wire. */
export function jsonLine(message: unknown): string {
  return `${JSON.stringify(message)}\n`;
}
