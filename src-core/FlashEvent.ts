import type { Failure } from './Failure.ts';

/** What a card is now, whatever happened to it. */
export type CardCondition =
  /** No byte of it was changed. */
  | 'untouched'
  /** It has no partition table and carries the unfinished marker; it cannot boot. */
  | 'unfinished'
  /** Complete, but nobody read it back. */
  | 'unverified'
  /** Every written byte was read back past the cache and is right. */
  | 'verified'
  /** It was only compared with an image and differs from it. */
  | 'different';

export type CardPhase = 'preparing' | 'writing' | 'verifying' | 'finishing' | 'ejecting';

export type EjectOutcome = 'ejected' | 'not-ejectable' | 'kept' | 'failed';

/** Facts that the writer reports while it works; a pure machine (FlashJob) makes states of them. */
export type FlashEvent =
  | {
      readonly type: 'image';
      readonly format: ImageFormat;
      /** Decompressed bytes; null where the format does not tell before the end. */
      readonly size: number | null;
    }
  | { readonly type: 'phase'; readonly cardId: string; readonly phase: CardPhase }
  | {
      readonly type: 'progress';
      readonly cardId: string;
      readonly phase: CardPhase;
      /** Bytes done in this phase. */
      readonly bytes: number;
      /** Bytes of the whole phase, null while unknown. */
      readonly total: number | null;
      /** 0 to 1, estimated from the compressed input while `total` is unknown. */
      readonly fraction: number;
    }
  | {
      readonly type: 'hashed';
      /** SHA-256 of the decompressed image, lower-case hex. */
      readonly sha256: string;
      readonly size: number;
    }
  | {
      readonly type: 'card';
      readonly cardId: string;
      readonly condition: CardCondition;
      /** null when all that was asked for was done. */
      readonly failure: Failure | null;
      readonly bytesWritten: number;
      readonly bytesVerified: number;
      /** A block map left ranges unwritten and the medium did not read zeros there. */
      readonly oldDataRemains: boolean;
    }
  | {
      readonly type: 'ejected';
      readonly cardId: string;
      readonly outcome: EjectOutcome;
      readonly failure: Failure | null;
    }
  /** Refused before anything was touched: the whole job, with every reason. */
  | { readonly type: 'refused'; readonly failures: readonly Failure[] }
  /** The writer has nothing more to say about this job. A stream that ends without it is a failure. */
  | { readonly type: 'end' };

export type ImageFormat = 'raw' | 'gzip' | 'zstd' | 'xz' | 'bzip2' | 'zip';
