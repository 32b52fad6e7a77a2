import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import { CLI_JSON_VERSION, cliJsonSchema } from '../../src-contract/CliJson.ts';
import {
  engineRequestSchema,
  type flashEventSchema,
  MAX_LINE,
  supervisorRequestSchema,
  WRITER_PROTOCOL,
  writerReportSchema,
} from '../../src-contract/WriterWire.ts';
import { FailureError } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { JsonLines, jsonLine } from '../../src-core/JsonLines.ts';
import { SeededRandom } from '../support/SeededRandom.ts';

type Json = Record<string, unknown>;

/** What real programs said to each other: a flash of the practice image, an inspection, refusals. */
function recording(name: string): Json[] {
  const text = readFileSync(path.resolve('test/contract/recorded', `${name}.jsonl`), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
}

const wires: readonly (readonly [string, z.ZodType, number])[] = [
  ['engine-requests', engineRequestSchema, WRITER_PROTOCOL],
  ['engine-reports', writerReportSchema, WRITER_PROTOCOL],
  ['supervisor-requests', supervisorRequestSchema, WRITER_PROTOCOL],
  ['supervisor-reports', writerReportSchema, WRITER_PROTOCOL],
  ['cli', cliJsonSchema, CLI_JSON_VERSION],
];

describe.each(wires)('the recording %s', (name, schema, version) => {
  const messages = recording(name);
  const lines = () => new JsonLines(schema, version, MAX_LINE);

  it('still fits the schema, however the stream is cut', () => {
    const stream = messages.map(jsonLine).join('');
    const reader = lines();
    const pieces = stream.match(/[\s\S]{1,7}/g) ?? [];
    expect(pieces.flatMap((piece) => reader.push(piece))).toEqual(messages);
  });

  it('is refused with one key too many, at any depth', () => {
    for (const message of messages) {
      for (const place of objectsIn(message)) {
        place['surplus'] = 1;
        expect(codeOf(() => lines().push(jsonLine(message)))).toBe('request-invalid');
        delete place['surplus'];
      }
    }
  });

  it('is refused with one key too few', () => {
    for (const message of messages) {
      for (const key of Object.keys(message)) {
        const rest = Object.fromEntries(Object.entries(message).filter(([each]) => each !== key));
        expect(codeOf(() => lines().push(jsonLine(rest)))).toBe('request-invalid');
      }
    }
  });

  it('is refused in another version, with both versions named', () => {
    const other = { ...messages[0], v: version + 1 };
    expect(codeOf(() => lines().push(jsonLine(other)))).toBe('protocol-mismatch');
  });

  it('is refused or read after random damage, and never breaks the reader', () => {
    const seed = 20_260_101;
    const random = new SeededRandom(seed);
    for (let round = 0; round < 2000; round += 1) {
      const line = jsonLine(messages[random.integer(messages.length)]);
      const at = random.integer(line.length);
      const damaged = `${line.slice(0, at)}${String.fromCharCode(random.integer(256))}${line.slice(at + 1)}\n`;
      const code = codeOf(() => lines().push(damaged));
      expect(['none', 'request-invalid', 'protocol-mismatch'], `seed ${String(seed)}`).toContain(
        code,
      );
    }
  });
});

describe('the writer wire', () => {
  it('carries exactly the events of the domain', () => {
    expectTypeOf<z.infer<typeof flashEventSchema>>().toExtend<FlashEvent>();
    expectTypeOf<FlashEvent>().toExtend<z.infer<typeof flashEventSchema>>();
  });

  it('takes no line without end', () => {
    const reader = new JsonLines(writerReportSchema, WRITER_PROTOCOL, MAX_LINE);
    expect(codeOf(() => reader.push('x'.repeat(MAX_LINE + 1)))).toBe('request-invalid');
  });
});

describe('docs/cli-json.md', () => {
  it('describes every type of object that the command line prints', () => {
    const page = readFileSync('docs/cli-json.md', 'utf8');
    for (const option of cliJsonSchema.options) {
      expect(page).toContain(`\`${option.shape.type.value}\``);
    }
  });
});

/** A value and all objects in it, arrays searched too; records of facts belong to their code. */
function objectsIn(value: unknown): Json[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  if (typeof value !== 'object' || value === null) return [];
  return [value as Json, ...Object.values(value).flatMap(objectsIn)];
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    if (error instanceof FailureError) return error.failure.code;
    throw error;
  }
}
