import type { Failure } from '../../src-core/Failure.ts';
import type { Bmap } from '../../src-image/blockmap/Bmap.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import type { FilledSlot } from './ImageReader.ts';
import type { SlotRange } from './ImageDigest.ts';

/** What a thread of the engine is started with. */
export type ThreadStart =
  | {
      readonly role: 'decode';
      readonly memory: SharedArrayBuffer;
      /** The image, opened by the main thread; descriptors belong to the whole process. */
      readonly fd: number;
      readonly path: string;
      readonly plan: DecodePlan;
    }
  | {
      readonly role: 'digest';
      readonly memory: SharedArrayBuffer;
      /** Whose checksums are to be checked; null for none. */
      readonly bmap: Bmap | null;
    };

/** Main thread -> decode thread. */
export type DecodeCommand =
  /** Decode these segments, one after the other, as one run of slots. */
  | { readonly type: 'decode'; readonly job: number; readonly first: number; readonly last: number }
  | { readonly type: 'slot'; readonly slot: number };

/** Decode thread -> main thread. */
export type DecodeReply =
  | { readonly type: 'filled'; readonly filled: FilledSlot }
  /** `end` is the image offset behind the job's last byte. */
  | { readonly type: 'done'; readonly job: number; readonly end: number }
  | { readonly type: 'failed'; readonly failure: Failure };

/** Main thread -> digest thread; every command has one reply, in order. */
export type DigestCommand =
  | {
      readonly type: 'update';
      readonly slot: number;
      readonly length: number;
      readonly ranges: readonly SlotRange[];
    }
  | { readonly type: 'check'; readonly slot: number; readonly length: number }
  | { readonly type: 'finish' };

/** Digest thread -> main thread. */
export type DigestReply =
  | { readonly type: 'crcs'; readonly crcs: readonly number[] }
  | { readonly type: 'sha256'; readonly sha256: string }
  | { readonly type: 'failed'; readonly failure: Failure };
