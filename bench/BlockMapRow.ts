import { benchDevice, median, takeTurns, warm, type Row } from './Bench.ts';
import { productCommand } from './Contestant.ts';

/** What is written when a block map says which blocks are in use. */
export const blockMapRow: Row = {
  name: 'block-map',
  async measure(bench, kind) {
    const image = await bench.image('reference');
    await using device = await benchDevice(kind, image);
    await warm(image.raw);
    const devices = [device.path];
    const turns = [
      { name: 'Boxwright --bmap', options: ['--bmap', image.blockMap] },
      { name: 'Boxwright --used-blocks', options: ['--used-blocks'] },
    ].map(({ name, options }) => ({
      name,
      reason: null,
      devices,
      command: () => productCommand(image.raw, devices, options),
    }));
    const peer = {
      name: 'bmaptool --bmap (does not verify)',
      reason: null,
      devices,
      command: () => [
        ...['/usr/bin/bmaptool', '-q', 'copy', '--bmap', image.blockMap, image.raw, device.path],
      ],
    };
    const all = bench.alone ? turns : [...turns, peer];
    const trials = await takeTurns(bench, all);
    return {
      row: 'block-map',
      device: kind,
      findings: turns.map(({ name }) => {
        const mine = trials.get(name) ?? [];
        const worked = mine.length > 0 && mine.every(({ failure }) => failure === null);
        const written = median(mine.map(({ bytesWritten }) => bytesWritten));
        return {
          what: `${name}: bytes written, against used bytes`,
          value: worked ? written / image.usedBytes : null,
          target: 1.02,
          sense: 'at most' as const,
          unit: 'ratio' as const,
        };
      }),
      measures: all.map(({ name }) => ({
        contestant: name,
        reason: null,
        trials: trials.get(name) ?? [],
      })),
      notes: [`used bytes by the block map: ${String(image.usedBytes)}`],
    };
  },
};
