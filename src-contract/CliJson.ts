import { z } from 'zod';
import { failureSchema } from '../src-core/Failure.ts';
import { cardContentSchema } from './WriterWire.ts';

/**
 * What the command line prints with `--json`: one object a line, described for people in
 * docs/cli-json.md. Within a version, fields are only ever added.
 */
export const CLI_JSON_VERSION = 1;

const version = z.literal(CLI_JSON_VERSION);
const cardId = z.string();
const bytes = z.number().int().min(0);
/** Milliseconds. */
const duration = z.number().min(0);

/** A failure with its words in the language of the program. */
const problem = z.strictObject({
  failure: failureSchema,
  cause: z.string().min(1),
  nextStep: z.string().min(1),
});

const reason = z.strictObject({ code: z.string(), about: z.string(), words: z.string() });

const partition = z.strictObject({
  name: z.string(),
  label: z.string().nullable(),
  fileSystem: z.string().nullable(),
  size: bytes,
  used: bytes.nullable(),
  mounts: z.array(z.string()),
});

const drive = z.strictObject({
  v: version,
  type: z.literal('drive'),
  path: z.string(),
  label: z.string(),
  size: bytes,
  bus: z.string(),
  serial: z.string().nullable(),
  removable: z.boolean(),
  readOnly: z.boolean(),
  hasMedium: z.boolean(),
  virtual: z.boolean(),
  unfinished: z.boolean(),
  partitions: z.array(partition),
  verdict: z.enum(['allowed', 'warned', 'refused']),
  refusals: z.array(reason),
  warnings: z.array(reason),
  notes: z.array(reason),
});

const job = z.strictObject({
  v: version,
  type: z.literal('job'),
  jobId: z.string(),
  action: z.enum(['flash', 'verify']),
  image: z.strictObject({ path: z.string(), format: z.string(), size: bytes.nullable() }),
  cards: z.array(
    z.strictObject({ cardId, drive: z.string(), label: z.string(), practice: z.boolean() }),
  ),
});

const phase = z.enum(['preparing', 'writing', 'verifying', 'finishing', 'ejecting']);

const progress = z.strictObject({
  v: version,
  type: z.literal('progress'),
  cardId,
  phase,
  /** Bytes done in this phase, of how many, where known. */
  bytes,
  total: bytes.nullable(),
  /** 0 to 1: of this phase, and of everything to be done with the card. */
  fraction: z.number().min(0).max(1),
  progress: z.number().min(0).max(1),
  bytesPerSecond: z.number().min(0).nullable(),
  timeLeft: duration.nullable(),
});

const state = z.enum(['done', 'failed', 'cancelled']);

const condition = z.enum([
  'untouched',
  'unfinished',
  'unverified',
  'verified',
  'different',
  'unknown',
]);

const eject = z.strictObject({
  outcome: z.enum(['ejected', 'not-ejectable', 'kept', 'failed']),
  problem: problem.nullable(),
});

const cardResult = z.strictObject({
  cardId,
  drive: z.string(),
  state,
  condition,
  problem: problem.nullable(),
  bytesWritten: bytes,
  bytesVerified: bytes,
  oldDataRemains: z.boolean(),
  eject: eject.nullable(),
  duration: duration.nullable(),
});

const result = z.strictObject({
  v: version,
  type: z.literal('result'),
  exitCode: z.number().int(),
  sha256: z.string().nullable(),
  cards: z.array(cardResult),
});

export const cliJsonSchema = z.discriminatedUnion('type', [
  drive,
  job,
  z.strictObject({ v: version, type: z.literal('permission') }),
  z.strictObject({ v: version, type: z.literal('phase'), cardId, phase }),
  progress,
  z.strictObject({ v: version, type: z.literal('hashed'), sha256: z.string(), size: bytes }),
  /** A card has reached its end. */
  z.strictObject({ v: version, type: z.literal('card'), ...cardResult.shape }),
  z.strictObject({
    v: version,
    type: z.literal('content'),
    drive: z.string(),
    content: cardContentSchema,
  }),
  /** Everything that stood against the command; nothing was touched. */
  z.strictObject({ v: version, type: z.literal('refused'), problems: z.array(problem).min(1) }),
  /** A fault of the program: cards that were being written are unfinished. */
  z.strictObject({ v: version, type: z.literal('fault'), problem }),
  result,
]);

export type CliJson = z.infer<typeof cliJsonSchema>;
