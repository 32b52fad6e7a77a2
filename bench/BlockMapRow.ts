import { benchDevice, median, takeTurns, warm, type Row } from './Bench.ts';
import { productCommand } from './Contestant.ts';

const MAPPED = 'Boxwright --bmap';

/** What is written when a block map says which blocks are in use. */
export const blockMapRow: Row = {
  name: 'block-map',
  async measure(bench, kind) {
    const image = await bench.image('reference');
    await using device = await benchDevice(kind, image);
    await warm(image.raw);
    const devices = [device.path];
    const turns = [
      { name: MAPPED, options: ['--bmap', image.blockMap] },
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
    const mapped = trials.get(MAPPED) ?? [];
    const worked = mapped.length > 0 && mapped.every(({ failure }) => failure === null);
    const written = median(mapped.map(({ bytesWritten }) => bytesWritten));
    return {
      row: 'block-map',
      device: kind,
      findings: [
        {
          what: 'with a block map: bytes written, against used bytes',
          value: worked ? written / image.usedBytes : null,
          target: 1.02,
          sense: 'at most',
          unit: 'ratio',
        },
      ],
      measures: all.map(({ name }) => ({
        contestant: name,
        isPeer: name === peer.name,
        reason: null,
        trials: trials.get(name) ?? [],
      })),
      notes: [
        `used bytes by the block map: ${String(image.usedBytes)}; ` +
          '--used-blocks writes the FAT partition whole',
      ],
    };
  },
};
