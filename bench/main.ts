import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchDevice, DEVICE_KINDS, median, warm, type Bench, type Row } from './Bench.ts';
import { blockMapRow } from './BlockMapRow.ts';
import { throttledCards, unthrottledCards } from './CardsRow.ts';
import { bmaptool, etcher, pair, PRODUCT, type Contestant } from './Contestant.ts';
import { installEtcher } from './EtcherInstallation.ts';
import { memoryRow } from './MemoryRow.ts';
import { referenceImage, type ImageFiles, type ImageName } from './ReferenceImage.ts';
import { reportText, saveReport } from './Report.ts';
import type { RowResult } from './RowResult.ts';
import { shareRow } from './ShareRow.ts';
import { speedRow } from './SpeedRow.ts';
import { runTrial } from './Trial.ts';

const CACHE = fileURLToPath(new URL('../.cache/bench', import.meta.url));
const RESULTS = fileURLToPath(new URL('./results', import.meta.url));
const LAST_GOOD = fileURLToPath(new URL('./RESULTS.md', import.meta.url));

const ROWS: readonly Row[] = [
  speedRow('raw', { 'dd pair': 0.58, 'etcher-sdk': 1.0 }),
  speedRow('gzip', { 'dd pair': 0.38, 'etcher-sdk': 0.33 }),
  speedRow('xz', { 'dd pair': 0.88 }),
  speedRow('zstd', { 'dd pair': 0.45 }),
  blockMapRow,
  unthrottledCards,
  throttledCards,
  shareRow,
  memoryRow,
];

const USAGE = `npm run bench -- [options]
  --row NAME          only this row, may be repeated: ${ROWS.map(({ name }) => name).join(', ')}
  --device KIND       only on this kind: ${DEVICE_KINDS.join(', ')}
  --repetitions N     rounds of each row (3)
  --alone             this product without its peers
  --prepare           build the images and install the peers, measure nothing
  --record            keep a run of all rows as bench/RESULTS.md`;

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      row: { type: 'string', multiple: true, default: ROWS.map(({ name }) => name) },
      device: { type: 'string', multiple: true, default: [...DEVICE_KINDS] },
      repetitions: { type: 'string', default: '3' },
      alone: { type: 'boolean', default: false },
      prepare: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const unknown = values.row.find((name) => ROWS.every((row) => row.name !== name));
  if (unknown !== undefined) throw new Error(`no row "${unknown}"\n${USAGE}`);
  const repetitions = Number(values.repetitions);
  if (!Number.isInteger(repetitions) || repetitions < 1 || repetitions > 100) {
    throw new Error(`--repetitions ${values.repetitions}\n${USAGE}`);
  }
  return {
    ...values,
    repetitions,
    rows: ROWS.filter(({ name }) => values.row.includes(name)),
    deviceKinds: DEVICE_KINDS.filter((kind) => values.device.includes(kind)),
  };
}

/** The pair with the block size that is faster for it on this machine. */
async function fasterPair(image: ImageFiles): Promise<Contestant> {
  await using device = await benchDevice('zram', image);
  await warm(image.raw);
  const timed: { contestant: Contestant; seconds: number }[] = [];
  for (const blockSize of ['1M', '4M']) {
    const contestant = pair(blockSize);
    const seconds: number[] = [];
    for (let round = 0; round < 3; round++) {
      const command = contestant.command(image, 'raw', device.path);
      const trial = await runTrial(command, [device.path], 'time');
      if (trial.failure !== null) throw new Error(`the pair failed: ${trial.failure}`);
      seconds.push(trial.seconds);
    }
    timed.push({ contestant, seconds: median(seconds) });
  }
  timed.sort((a, b) => a.seconds - b.seconds);
  return timed[0]?.contestant ?? pair('4M');
}

async function measureRows(bench: Bench, rows: readonly Row[]): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const row of rows) {
    const kinds = row.deviceKinds ?? DEVICE_KINDS;
    for (const kind of bench.deviceKinds.filter((candidate) => kinds.includes(candidate))) {
      tell(`${row.name} on ${kind}`);
      results.push(await row.measure(bench, kind));
    }
  }
  return results;
}

async function main(): Promise<void> {
  const options = readOptions();
  const images = new Map<ImageName, ImageFiles>();
  const image = async (name: ImageName): Promise<ImageFiles> => {
    const files = images.get(name) ?? (await referenceImage(CACHE, name, tell));
    images.set(name, files);
    return files;
  };
  if (options.prepare) {
    for (const name of ['small', 'quarter', 'reference'] as const) await image(name);
    const installation = await installEtcher(CACHE, tell);
    if (typeof installation === 'string') tell(`etcher-sdk ${installation}`);
    return;
  }
  if (!existsSync(PRODUCT)) throw new Error('dist/boxwright.mjs is missing: npm run build');
  const peers = options.alone
    ? []
    : [
        await fasterPair(await image('quarter')),
        etcher(await installEtcher(CACHE, tell)),
        bmaptool,
      ];
  const { repetitions, deviceKinds, alone } = options;
  const bench: Bench = { repetitions, deviceKinds, alone, peers, image, tell };
  const results = await measureRows(bench, options.rows);
  process.stdout.write(reportText(results, repetitions));
  const path = await saveReport(RESULTS, results, repetitions);
  tell(`saved as ${path}`);
  const failed = results.some(({ measures }) =>
    measures.some(
      ({ isPeer, trials }) => !isPeer && trials.some(({ failure }) => failure !== null),
    ),
  );
  if (failed) {
    tell('Boxwright failed in a run above');
    process.exitCode = 1;
  }
  const isWhole = options.rows.length === ROWS.length && deviceKinds.length === 2 && !alone;
  if (options.record && isWhole && !failed) await copyFile(path, LAST_GOOD);
}

await main();
