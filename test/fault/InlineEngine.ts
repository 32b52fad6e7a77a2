import { crc32 } from 'node:zlib';
import { fail, failureOf, FailureError } from '../../src-core/Failure.ts';
import { planDecode } from '../../src-image/DecodePlan.ts';
import { decodeSegment } from '../../src-image/decodeSegment.ts';
import { checkImageHead, readImageHead } from '../../src-image/ImageHead.ts';
import type { ImageFile } from '../../src-image/ImageSource.ts';
import type { EngineImage } from '../../src-writer/engine/EngineJob.ts';
import { ImageDigest } from '../../src-writer/engine/ImageDigest.ts';
import type { Digester } from '../../src-writer/engine/ImageDigest.ts';
import { FilledQueue } from '../../src-writer/engine/ImageReader.ts';
import type { ImageReader } from '../../src-writer/engine/ImageReader.ts';
import type { Ring } from '../../src-writer/engine/Ring.ts';
import { SlotPool } from '../../src-writer/engine/Ring.ts';
import { SlotFiller } from '../../src-writer/engine/SlotFiller.ts';
import type { FakeClock } from './FakeClock.ts';

/** An image in memory, decoded and hashed on this thread, as the engine opens it. */
export async function openInlineImage(
  file: ImageFile,
  changesMeanwhile: boolean,
  clock: FakeClock,
): Promise<EngineImage> {
  clock.busy += 1;
  try {
    const plan = planDecode(file);
    checkImageHead(await readImageHead(file, plan), plan.size, file.path, false);
    return {
      fileSize: file.size,
      plan,
      mapper: null,
      decode: (ring, { imageSlots }) => inlineReader(file, plan, ring, imageSlots, clock),
      digest: inlineDigester,
      checkUnchanged: () => {
        if (changesMeanwhile) throw fail('image-changed', { path: file.path });
      },
      close: () => undefined,
    };
  } finally {
    clock.busy -= 1;
  }
}

function inlineReader(
  file: ImageFile,
  plan: EngineImage['plan'],
  ring: Ring,
  slots: readonly number[],
  clock: FakeClock,
): ImageReader {
  const pool = new SlotPool(slots);
  const queue = new FilledQueue();
  const filler = new SlotFiller(
    {
      // Waiting for a slot is waiting for the cards: time may pass.
      async take() {
        clock.busy -= 1;
        const slot = await pool.take();
        clock.busy += 1;
        return slot;
      },
      view: (slot) => ring.view(slot),
      filled: (filled) => {
        queue.push(filled);
      },
    },
    0,
  );
  const decode = async (): Promise<void> => {
    clock.busy += 1;
    try {
      for (const segment of plan.segments) {
        await decodeSegment(file, plan, segment, (chunk, consumed) =>
          filler.push(chunk, segment.inputOffset + consumed),
        );
      }
      queue.finish(filler.finish(file.size));
    } catch (thrown) {
      queue.fail(new FailureError(failureOf(thrown)));
    } finally {
      clock.busy -= 1;
    }
  };
  void decode();
  return {
    next: () => queue.next(),
    release: (slot) => {
      pool.give(slot);
    },
    close: () => Promise.resolve(),
  };
}

function inlineDigester(ring: Ring): Digester {
  const digest = new ImageDigest(null);
  return {
    update: (slot, length, ranges) =>
      Promise.resolve(digest.update(ring.view(slot), length, ranges)),
    check: (slot, length) => Promise.resolve(crc32(ring.view(slot, length))),
    finish: () => Promise.resolve(digest.finish()),
    close: () => Promise.resolve(),
  };
}
