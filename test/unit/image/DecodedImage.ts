import { checkImageHead, readImageHead } from '../../../src-image/ImageHead.ts';
import { decodeSegment } from '../../../src-image/decodeSegment.ts';
import { planDecode } from '../../../src-image/DecodePlan.ts';
import { FailureError, type Failure } from '../../../src-core/Failure.ts';
import type { DecodePlan, ImageFile } from '../../../src-image/ImageSource.ts';

/** An image file that lies in memory. */
export function memoryImage(bytes: Uint8Array, path = 'sample'): ImageFile {
  return {
    path,
    size: bytes.length,
    read(target, position) {
      const piece = bytes.subarray(position, position + target.length);
      target.set(piece);
      return piece.length;
    },
  };
}

/** Everything that a flash does with an image: plan, look at the head, decode all segments in order. */
export async function decodeWhole(
  bytes: Uint8Array,
): Promise<{ readonly plan: DecodePlan; readonly image: Uint8Array }> {
  const file = memoryImage(bytes);
  const plan = planDecode(file);
  checkImageHead(await readImageHead(file, plan), plan.size, file.path, false);
  const chunks: Uint8Array[] = [];
  for (const segment of plan.segments) {
    let consumed = 0;
    await decodeSegment(file, plan, segment, (chunk, inputConsumed) => {
      if (inputConsumed < consumed || inputConsumed > segment.inputSize) {
        throw new Error(`input consumed: ${String(inputConsumed)} after ${String(consumed)}`);
      }
      consumed = inputConsumed;
      chunks.push(chunk.slice());
    });
  }
  return { plan, image: new Uint8Array(Buffer.concat(chunks)) };
}

/** What becomes of these bytes: the image, or the failure; any other exception is passed on. */
export async function outcomeOf(bytes: Uint8Array): Promise<Uint8Array | Failure> {
  try {
    return (await decodeWhole(bytes)).image;
  } catch (thrown) {
    if (thrown instanceof FailureError) return thrown.failure;
    throw thrown;
  }
}

export async function failureCodeOf(bytes: Uint8Array): Promise<string> {
  const outcome = await outcomeOf(bytes);
  return outcome instanceof Uint8Array ? 'decoded' : outcome.code;
}
