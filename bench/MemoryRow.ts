import { takeTurns, type Bench, type DeviceKind, type Row } from './Bench.ts';
import { benchDevices } from './CardsRow.ts';
import { FORMATS, productCommand, type Format } from './Contestant.ts';
import type { ImageName } from './ReferenceImage.ts';
import type { Finding, Measure } from './RowResult.ts';

const MIB = 1 << 20;
const IMAGES = ['small', 'reference'] as const satisfies readonly ImageName[];

/** MiB for one card and for four. */
function limit(format: Format, cards: number): number {
  if (format === 'xz') return cards === 1 ? 320 : 384;
  return cards === 1 ? 256 : 320;
}

interface Case {
  readonly imageName: ImageName;
  readonly format: Format;
  readonly cards: number;
}

/** The peak of everything that runs for one job, for one card and four, a small image and a large one. */
export const memoryRow: Row = {
  name: 'memory',
  deviceKinds: ['zram'],
  async measure(bench, kind) {
    const findings: Finding[] = [];
    const measures: Measure[] = [];
    for (const imageName of IMAGES) {
      for (const cards of [1, 4]) {
        for (const { format, measure } of await measureFormats(bench, kind, imageName, cards)) {
          measures.push(measure);
          findings.push(...judge({ imageName, format, cards }, measure));
        }
      }
    }
    const notes = ['RSS counts pages shared between processes once for each, PSS once in all'];
    return { row: 'memory', device: kind, findings, measures, notes };
  },
};

async function measureFormats(
  bench: Bench,
  kind: DeviceKind,
  imageName: ImageName,
  cards: number,
): Promise<{ format: Format; measure: Measure }[]> {
  const image = await bench.image(imageName);
  await using devices = await benchDevices(kind, image, cards);
  const found: { format: Format; measure: Measure }[] = [];
  for (const format of FORMATS) {
    const name = `${imageName}.${format}, ${String(cards)} card${cards === 1 ? '' : 's'}`;
    const turn = {
      name,
      reason: null,
      devices: devices.paths,
      command: () => productCommand(image[format], devices.paths),
    };
    const trials = (await takeTurns({ ...bench, repetitions: 0 }, [turn])).get(name) ?? [];
    found.push({ format, measure: { contestant: name, isPeer: false, reason: null, trials } });
  }
  return found;
}

function judge({ format, cards }: Case, { contestant, trials }: Measure): Finding[] {
  const worked = trials.length > 0 && trials.every(({ failure }) => failure === null);
  return (['rss', 'pss'] as const).map((kind) => ({
    what: `${contestant}: peak memory (${kind.toUpperCase()})`,
    value: worked ? Math.max(...trials.map(({ memory }) => memory?.[kind] ?? 0)) / MIB : null,
    target: limit(format, cards),
    sense: 'at most',
    unit: 'MiB',
  }));
}
