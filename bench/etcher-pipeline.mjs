// etcher-sdk's own pipeline with its own defaults, on the whole image: flash with verification.
// Runs on the Node whose headers the machine has, in a folder where etcher-sdk is installed:
//   node etcher-pipeline.mjs FOLDER IMAGE DEVICE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';

/**
 * The part of etcher-sdk that is used (build/multi-write.d.ts, build/source-destination/*.d.ts).
 * @typedef {{ getInnerSource(): Promise<Source>, open(): Promise<void>, close(): Promise<void> }} Source
 * @typedef {{ device: string, raw: string, size: number, blockSize: number, isReadOnly: boolean,
 *   mountpoints: string[], description: string }} DrivelistDrive
 * @typedef {{
 *   sourceDestination: {
 *     File: new (options: { path: string }) => Source,
 *     BlockDevice: new (options: { drive: DrivelistDrive, write: boolean, direct: boolean }) => Source,
 *   },
 *   multiWrite: {
 *     decompressThenFlash(options: object): Promise<{ failures: Map<Source, Error>, bytesWritten: number }>,
 *   },
 * }} EtcherSdk
 */

const [folder, image, device] = process.argv.slice(2);
if (folder === undefined || image === undefined || device === undefined) {
  throw new Error('usage: etcher-pipeline.mjs FOLDER IMAGE DEVICE');
}
const load = createRequire(join(folder, 'package.json'));
/** @type {EtcherSdk} */
const sdk = load('etcher-sdk');

/** @param {string} file below /sys/block/X */
const fact = (file) => Number(readFileSync(`/sys/block/${basename(device)}/${file}`, 'utf8'));

// As drivelist describes a drive; it does not list loop devices.
const drive = {
  device,
  raw: device,
  size: fact('size') * 512,
  blockSize: fact('queue/physical_block_size'),
  isReadOnly: false,
  mountpoints: [],
  description: device,
};
const file = new sdk.sourceDestination.File({ path: image });
const source = await file.getInnerSource();
const destination = new sdk.sourceDestination.BlockDevice({ drive, write: true, direct: true });
await source.open();
await destination.open();
const result = await sdk.multiWrite.decompressThenFlash({
  source,
  destinations: [destination],
  onFail: () => undefined,
  onProgress: () => undefined,
  verify: true,
  decompressFirst: false,
  trim: false,
});
await destination.close();
await source.close();
for (const failure of result.failures.values()) process.stderr.write(`${failure.message}\n`);
process.exit(result.failures.size === 0 ? 0 : 1);
