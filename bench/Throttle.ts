import type { ThrottledDevices } from '../test/support/ThrottledDevices.ts';
import { runTrial } from './Trial.ts';

/** Bytes a second of a throttled device. */
export const THROTTLE = 20e6;
const PROOF_BYTES = 60 << 20;

/** Bytes a second that dd reaches on a throttled device; proves that the throttle is in force. */
export interface ThrottleProof {
  readonly write: number;
  readonly read: number;
  readonly note: string;
}

/** @throws Error when dd is more than a tenth away from the throttle */
export async function proveThrottle(
  throttle: ThrottledDevices,
  device: string,
): Promise<ThrottleProof> {
  const transfer = async (...words: string[]): Promise<number> => {
    const size = [`bs=1M`, `count=${String(PROOF_BYTES >> 20)}`, 'status=none'];
    const trial = await runTrial(
      throttle.command(['/usr/bin/dd', ...words, ...size]),
      [device],
      'time',
    );
    const rate = PROOF_BYTES / trial.seconds;
    if (trial.failure !== null || Math.abs(rate / THROTTLE - 1) > 0.1) {
      throw new Error(`throttle not in force: ${trial.failure ?? megabytes(rate)}`);
    }
    return rate;
  };
  const write = await transfer('if=/dev/zero', `of=${device}`, 'oflag=direct');
  const read = await transfer(`if=${device}`, 'of=/dev/null', 'iflag=direct');
  const note = `dd on the throttled device: writes ${megabytes(write)}, reads ${megabytes(read)}`;
  return { write, read, note };
}

function megabytes(rate: number): string {
  return `${(rate / 1e6).toFixed(1)} MB/s`;
}
