import { z } from 'zod';

/**
 * Every way in which Boxwright can refuse or fail, with the names of the facts that belong to it.
 * The list is closed: words for people live in src-words, keyed by these codes, and a test proves
 * that no code lacks a cause and a next step in any language.
 */
export const failureFacts = {
  // The image
  'image-not-found': ['path'],
  'image-unreadable': ['path', 'cause'],
  'image-not-a-file': ['path'],
  'image-empty': ['path'],
  'image-not-recognised': ['path'],
  'image-no-partition-table': ['path'],
  'image-truncated': ['path', 'format'],
  'image-corrupt': ['path', 'format', 'detail'],
  'image-trailing-garbage': ['path', 'format', 'offset'],
  'image-unsupported': ['path', 'format', 'detail'],
  'image-zip-empty': ['path'],
  'image-zip-several': ['path', 'names'],
  'image-too-large': ['imageBytes', 'driveBytes'],
  'image-changed': ['path'],
  'image-hash-mismatch': ['expected', 'actual'],
  // Block maps
  'block-map-unreadable': ['path', 'detail'],
  'block-map-corrupt': ['path', 'detail'],
  'block-map-mismatch': ['path', 'mapBytes', 'imageBytes'],
  'block-map-range-differs': ['path', 'firstBlock', 'lastBlock'],
  'used-blocks-unavailable': ['detail'],
  // Choosing a drive
  'drive-not-found': ['drive'],
  'drive-ambiguous': ['drive', 'matches'],
  'drive-chosen-twice': ['drive'],
  'drive-refused': ['drive', 'reasons'],
  'drive-warned': ['drive', 'reasons'],
  'drive-not-confirmed': ['drive'],
  'drive-changed': ['drive', 'what'],
  'drive-not-whole': ['drive'],
  'drive-is-a-file': ['path'],
  'drive-list-unavailable': ['detail'],
  'practice-card-missing': ['path'],
  'practice-card-not-a-file': ['path'],
  'practice-card-unwritable': ['path', 'cause'],
  // Permission
  'permission-no-agent': [],
  'permission-not-administrator': [],
  'permission-refused': [],
  'permission-dismissed': [],
  'permission-tool-missing': ['tools'],
  'permission-volume-access-refused': ['drive'],
  'blocked-by-protection': ['drive'],
  // Using a drive
  'unmount-failed': ['drive', 'mountPoint', 'cause'],
  'drive-busy': ['drive'],
  'drive-open-failed': ['drive', 'cause'],
  'write-protected': ['drive'],
  'reader-lost': ['drive'],
  'card-lost': ['drive'],
  'card-stalled': ['drive', 'seconds'],
  'computer-slept': ['drive', 'seconds'],
  'write-failed': ['drive', 'offset', 'cause'],
  'read-failed': ['drive', 'offset', 'cause'],
  'read-back-differs': ['drive', 'offset', 'differingBytes', 'checkedBytes'],
  'card-counterfeit': ['drive', 'offset', 'holdsOffset'],
  'disk-full': ['path'],
  'eject-failed': ['drive', 'cause'],
  // The program itself
  cancelled: [],
  'writer-ended': ['detail'],
  'writer-unreachable': ['detail'],
  'writer-busy': [],
  'protocol-mismatch': ['expected', 'actual'],
  'request-invalid': ['detail'],
  'system-tool-missing': ['tool', 'package'],
  'usage-invalid': ['detail'],
  internal: ['detail'],
} as const satisfies Record<string, readonly string[]>;

export type FailureCode = keyof typeof failureFacts;

/** A fact is plain data: sizes and offsets in bytes, times in seconds, lists joined with ", ". */
export type Fact = string | number;

/** One member for each code, so that checking `code` tells the compiler which facts are there. */
export type Failure<Code extends FailureCode = FailureCode> = {
  [Each in Code]: {
    readonly code: Each;
    readonly facts: Readonly<Record<(typeof failureFacts)[Each][number], Fact>>;
  };
}[Code];

export const failureCodes = Object.keys(failureFacts) as [FailureCode, ...FailureCode[]];

/** Checks a failure that crossed a process boundary: known code, exactly the facts that belong to it. */
export const failureSchema: z.ZodType<Failure> = z
  .strictObject({
    code: z.enum(failureCodes),
    facts: z.record(z.string().max(64), z.union([z.string().max(4096), z.number()])),
  })
  .refine(
    ({ code, facts }) => {
      const names: readonly string[] = failureFacts[code];
      const given = Object.keys(facts);
      return given.length === names.length && names.every((name) => name in facts);
    },
    { message: 'facts do not belong to this code' },
  ) as z.ZodType<Failure>;

/** Makes a failure value; the compiler asks for exactly the facts that belong to the code. */
export function failure<Code extends FailureCode>(
  code: Code,
  facts: Failure<Code>['facts'],
): Failure<Code> {
  return { code, facts };
}

/** The one exception that carries a {@link Failure} up through calls. */
export class FailureError extends Error {
  readonly failure: Failure;

  constructor(cause: Failure, options?: ErrorOptions) {
    super(`${cause.code} ${JSON.stringify(cause.facts)}`, options);
    this.name = 'FailureError';
    this.failure = cause;
  }
}

/** Shorthand for throwing: `throw fail('image-empty', { path })`. */
export function fail<Code extends FailureCode>(
  code: Code,
  facts: Failure<Code>['facts'],
  options?: ErrorOptions,
): FailureError {
  return new FailureError({ code, facts } as Failure, options);
}

/** The failure inside an exception; anything unforeseen becomes `internal` and keeps its message. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof FailureError) return thrown.failure;
  return failure('internal', { detail: thrown instanceof Error ? thrown.message : String(thrown) });
}
