import { z } from 'zod';
import type { WarningReason } from '../src-core/DriveVerdict.ts';
import { failureSchema } from '../src-core/Failure.ts';

/**
 * What crosses between the program, the supervisor and the engine: one JSON object a line.
 * Program -> supervisor: {@link supervisorRequestSchema}; supervisor -> engine:
 * {@link engineRequestSchema}; both answer with {@link writerReportSchema} lines.
 * The version is checked on every line; a differing one ends the connection.
 */
export const WRITER_PROTOCOL = 1;

/** Longest line in either direction, in characters. */
export const MAX_LINE = 1 << 20;

/** Most cards in one job. */
export const MAX_CARDS = 32;

const version = z.literal(WRITER_PROTOCOL);
const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const absolutePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => !path.includes('\0'));
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const blockMap = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('bmap'), path: absolutePath }),
  z.strictObject({ kind: z.literal('used-blocks') }),
]);

const image = z.strictObject({
  path: absolutePath,
  /** Size in bytes and modification time in ms of the file when it was chosen. */
  fileSize: bytes,
  modified: z.number(),
  expectedSha256: sha256.nullable(),
  blockMap: blockMap.nullable(),
  /** Write what is in the file though it does not look like an image. */
  forceRaw: z.boolean(),
});

const identity = z.strictObject({
  size: bytes,
  serial: z.string().max(256).nullable(),
  wwn: z.string().max(256).nullable(),
  sequence: bytes.nullable(),
});

/** Of src-core/DriveVerdict.ts. */
const warning = z.enum([
  'large',
  'not-removable',
  'foreign-file-system',
  'content-unread',
  'mounted-elsewhere',
  'files-in-use',
] satisfies WarningReason[]);

const driveTarget = z.strictObject({
  cardId: id,
  path: absolutePath,
  identity,
  /** Warnings that somebody saw for this drive and accepted; any other refuses it. */
  accepted: z.array(warning).max(8),
});

/** What to do: `flash` writes (and verifies unless told not to), `verify` only compares. */
const action = z.enum(['flash', 'verify']);

export const driveOrderSchema = z.strictObject({
  jobId: id,
  action,
  image,
  targets: z.array(driveTarget).min(1).max(MAX_CARDS),
  verify: z.boolean(),
  eject: z.boolean(),
  allowVirtual: z.boolean(),
  /** Bytes needed on each card, where the program could find out; null otherwise. */
  imageSize: bytes.nullable(),
});
export type DriveOrder = z.infer<typeof driveOrderSchema>;

/** The files that a job reads: the image first, then its block map where that is one. */
export function imageFiles({
  path,
  blockMap: map,
}: Pick<DriveOrder['image'], 'path' | 'blockMap'>) {
  return map?.kind === 'bmap' ? [path, map.path] : [path];
}

export const supervisorRequestSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: version, type: z.literal('order'), order: driveOrderSchema }),
  z.strictObject({ v: version, type: z.literal('inspect'), jobId: id, target: driveTarget }),
  /** cardId null cancels every card of the job. */
  z.strictObject({ v: version, type: z.literal('cancel'), jobId: id, cardId: id.nullable() }),
]);
export type SupervisorRequest = z.infer<typeof supervisorRequestSchema>;

/** An open device: a descriptor (Linux, macOS), or a path where descriptors cannot be handed on. */
const engineTarget = z.strictObject({
  cardId: id,
  /** As shown to people in failures. */
  name: z.string().max(4096),
  device: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('descriptor'), fd: z.number().int().min(3).max(1023) }),
    z.strictObject({ kind: z.literal('raw-path'), path: absolutePath }),
    /** A practice card: a plain file, created or overwritten by the engine itself. */
    z.strictObject({ kind: z.literal('practice'), path: absolutePath }),
  ]),
  size: bytes,
  logicalBlockSize: z.number().int().min(512).max(65536),
  /** Skipped ranges were discarded beforehand and should read zeros. */
  discarded: z.boolean(),
});
export type EngineTarget = z.infer<typeof engineTarget>;

export const engineOrderSchema = z.strictObject({
  jobId: id,
  action,
  image: image.extend({
    /** Already open for a caller who is root; otherwise the engine opens the path with its own rights. */
    fd: z.number().int().min(3).max(1023).nullable(),
    blockMapFd: z.number().int().min(3).max(1023).nullable(),
  }),
  targets: z.array(engineTarget).min(1).max(MAX_CARDS),
  verify: z.boolean(),
});
export type EngineOrder = z.infer<typeof engineOrderSchema>;

export const engineRequestSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: version, type: z.literal('order'), order: engineOrderSchema }),
  z.strictObject({ v: version, type: z.literal('inspect'), jobId: id, target: engineTarget }),
  z.strictObject({ v: version, type: z.literal('cancel'), jobId: id, cardId: id.nullable() }),
]);
export type EngineRequest = z.infer<typeof engineRequestSchema>;

const phase = z.enum(['preparing', 'writing', 'verifying', 'finishing', 'ejecting']);

/** The events of src-core/FlashEvent.ts, as they cross a process. */
export const flashEventSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('image'),
    format: z.enum(['raw', 'gzip', 'zstd', 'xz', 'bzip2', 'zip']),
    size: bytes.nullable(),
  }),
  z.strictObject({ type: z.literal('phase'), cardId: id, phase }),
  z.strictObject({
    type: z.literal('progress'),
    cardId: id,
    phase,
    bytes,
    total: bytes.nullable(),
    fraction: z.number().min(0).max(1),
  }),
  z.strictObject({ type: z.literal('hashed'), sha256, size: bytes }),
  z.strictObject({
    type: z.literal('card'),
    cardId: id,
    condition: z.enum(['untouched', 'unfinished', 'unverified', 'verified', 'different']),
    failure: failureSchema.nullable(),
    bytesWritten: bytes,
    bytesVerified: bytes,
    oldDataRemains: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('ejected'),
    cardId: id,
    outcome: z.enum(['ejected', 'not-ejectable', 'kept', 'failed']),
    failure: failureSchema.nullable(),
  }),
  z.strictObject({
    type: z.literal('refused'),
    failures: z.array(failureSchema).min(1).max(256).readonly(),
  }),
  z.strictObject({ type: z.literal('end') }),
]);

/** The marker that a card carries while its flash is under way, and after one that did not finish. */
export const unfinishedMarkerSchema = z.strictObject({
  jobId: id,
  /** ISO 8601, UTC. */
  started: z.string().max(32),
  /** The hash that was asked for; null where none was. */
  imageSha256: sha256.nullable(),
});
export type UnfinishedMarker = z.infer<typeof unfinishedMarkerSchema>;

/** What `inspect` found on a card. */
export const cardContentSchema = z.strictObject({
  partitionTable: z.enum(['mbr', 'gpt', 'none']),
  partitions: z
    .array(
      z.strictObject({
        index: z.number().int(),
        type: z.string().max(64),
        start: bytes,
        size: bytes,
        fileSystem: z.string().max(64).nullable(),
        label: z.string().max(256).nullable(),
      }),
    )
    .max(256),
  unfinished: unfinishedMarkerSchema.nullable(),
});
export type CardContent = z.infer<typeof cardContentSchema>;

export const writerReportSchema = z.discriminatedUnion('type', [
  z.strictObject({ v: version, type: z.literal('hello'), program: z.string().max(64) }),
  z.strictObject({ v: version, type: z.literal('event'), jobId: id, event: flashEventSchema }),
  z.strictObject({ v: version, type: z.literal('content'), jobId: id, content: cardContentSchema }),
  /** The request itself could not be served; no job was begun. */
  z.strictObject({ v: version, type: z.literal('rejected'), failure: failureSchema }),
]);
export type WriterReport = z.infer<typeof writerReportSchema>;
