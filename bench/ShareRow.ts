import { z } from 'zod';
import { ThrottledDevices } from '../test/support/ThrottledDevices.ts';
import { benchDevice, median, takeTurns, warm, type Row } from './Bench.ts';
import { productCommand } from './Contestant.ts';
import { THROTTLE, proveThrottle } from './Throttle.ts';
import { timed, type Trial } from './Trial.ts';

const phaseLine = z.object({
  type: z.literal('phase'),
  phase: z.enum(['preparing', 'writing', 'verifying', 'finishing', 'ejecting']),
});

/** Seconds from the first event of writing to the first of verifying; null where they are not told. */
export function writingSeconds(trial: Trial): number | null {
  const phases = trial.lines.flatMap(({ at, text }) => {
    const line = phaseLine.safeParse(JSON.parse(text));
    return line.success ? [{ at, phase: line.data.phase }] : [];
  });
  const writing = phases.find(({ phase }) => phase === 'writing');
  const verifying = phases.find(({ phase }) => phase === 'verifying');
  return writing === undefined || verifying === undefined ? null : verifying.at - writing.at;
}

/** Bytes from the image's beginning that are written last, in a phase of their own. */
const HEAD = 1 << 20;

/** How much of a slow device's rate is used while writing. */
export const shareRow: Row = {
  name: 'share',
  async measure(bench, kind) {
    const image = await bench.image('quarter');
    await using device = await benchDevice(kind, image);
    await using throttle = await ThrottledDevices.create([device.path], THROTTLE);
    const proof = await proveThrottle(throttle, device.path);
    await warm(image.raw);
    const name = 'Boxwright';
    const turn = {
      name,
      reason: null,
      devices: [device.path],
      command: () => throttle.command(productCommand(image.raw, [device.path])),
    };
    const trials = (await takeTurns(bench, [turn])).get(name) ?? [];
    const times = timed(trials)
      .map(writingSeconds)
      .filter((seconds) => seconds !== null);
    const rate = times.length === 0 ? null : (image.size - HEAD) / median(times);
    return {
      row: 'share',
      device: kind,
      findings: [
        {
          what: 'one device of 20 MB/s: share of its rate while writing',
          value: rate === null ? null : rate / Math.max(THROTTLE, proof.write),
          target: 0.97,
          sense: 'at least',
          unit: 'share',
        },
      ],
      measures: [{ contestant: name, isPeer: false, reason: null, trials }],
      notes: [proof.note],
    };
  },
};
