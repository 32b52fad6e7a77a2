import { benchDevice, medianRatio, takeTurns, warm, type Bench, type Row } from './Bench.ts';
import { product, type Format } from './Contestant.ts';
import type { Finding } from './RowResult.ts';

/** Targets as parts of a peer's time, keyed by how the peer's name begins. */
type Targets = Readonly<Record<string, number>>;

/** Flash and verify one card, against the peers doing the same. */
export function speedRow(format: Format, targets: Targets): Row {
  return {
    name: format,
    async measure(bench: Bench, kind) {
      const image = await bench.image('reference');
      await using device = await benchDevice(kind, image);
      await warm(image[format]);
      const contestants = bench.alone ? [product] : [product, ...bench.peers];
      const trials = await takeTurns(
        bench,
        contestants.map((contestant) => ({
          name: contestant.name,
          reason: contestant.reason,
          devices: [device.path],
          command: () => contestant.command(image, format, device.path),
        })),
      );
      const findings = Object.entries(targets).map(([peer, target]): Finding => {
        const name = contestants.find((contestant) => contestant.name.startsWith(peer))?.name ?? '';
        return {
          what: `${format}, flash and verify, against ${peer}`,
          value: medianRatio(trials.get(product.name) ?? [], trials.get(name) ?? []),
          target,
          sense: 'at most',
          unit: 'ratio',
        };
      });
      const measures = contestants.map(({ name, reason }) => ({
        contestant: name,
        isPeer: name !== product.name,
        reason,
        trials: trials.get(name) ?? [],
      }));
      return { row: format, device: kind, findings, measures, notes: [] };
    },
  };
}
