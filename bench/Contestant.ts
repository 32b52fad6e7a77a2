import { fileURLToPath } from 'node:url';
import type { EtcherInstallation } from './EtcherInstallation.ts';
import type { ImageFiles } from './ReferenceImage.ts';

/** The forms of one image that are flashed. */
export const FORMATS = ['raw', 'gzip', 'xz', 'zstd'] as const;
export type Format = (typeof FORMATS)[number];

export const PRODUCT = fileURLToPath(new URL('../dist/boxwright.mjs', import.meta.url));

/** A program that flashes an image; `command` is null where it cannot, and `reason` then says why. */
export interface Contestant {
  readonly name: string;
  readonly reason: string | null;
  command(image: ImageFiles, format: Format, device: string): string[];
}

/** The command of this product for one card or several. */
export function productCommand(
  path: string,
  devices: readonly string[],
  options: readonly string[] = [],
): string[] {
  return [
    process.execPath,
    PRODUCT,
    'flash',
    path,
    ...devices.flatMap((device) => ['--to', device]),
    ...['--yes', '--allow-virtual', '--no-eject', '--json'],
    ...options,
  ];
}

export const product: Contestant = {
  name: 'Boxwright',
  reason: null,
  command: (image, format, device) => productCommand(image[format], [device]),
};

/** What a shell does for the pair: $0 device, $1 block size, $2 bytes, $3 SHA-256, $4 image, $5... decoder. */
const COPY = 'dd if="$4" of="$0" bs="$1" oflag=direct status=none';
const DECODE = '"${@:5}" "$4" | dd of="$0" bs="$1" iflag=fullblock oflag=direct status=none';
const READ_BACK = `dd if="$0" bs="$1" count="$2" iflag=direct,fullblock,count_bytes status=none |
  openssl dgst -sha256 | grep -q "$3"`;

const DECODERS: Readonly<Record<Format, readonly string[]>> = {
  raw: [],
  gzip: ['/usr/bin/pigz', '-dc'],
  xz: ['/usr/bin/xz', '-T0', '-dc'],
  zstd: ['/usr/bin/zstd', '-q', '-dc'],
};

/** `DECODE | dd oflag=direct`, then `dd iflag=direct | openssl dgst -sha256`, as a technician types it. */
export function pair(blockSize: string): Contestant {
  return {
    name: `dd pair (bs=${blockSize})`,
    reason: null,
    command: (image, format, device) => [
      ...[
        '/bin/bash',
        '-c',
        ['set -euo pipefail', format === 'raw' ? COPY : DECODE, READ_BACK].join('\n'),
      ],
      ...[device, blockSize, String(image.size), image.sha256, image[format]],
      ...DECODERS[format],
    ],
  };
}

/** bmaptool without a block map: the whole image, which it cannot read back. */
export const bmaptool: Contestant = {
  name: 'bmaptool (does not verify)',
  reason: null,
  command: (image, format, device) => [
    ...['/usr/bin/bmaptool', '-q', 'copy', '--nobmap', image[format], device],
  ],
};

/** etcher-sdk's pipeline with verification, in the folder where it was installed. */
export function etcher(installation: EtcherInstallation | string): Contestant {
  const script = fileURLToPath(new URL('./etcher-pipeline.mjs', import.meta.url));
  return {
    name: 'etcher-sdk',
    reason: typeof installation === 'string' ? installation : null,
    command: (image, format, device) =>
      typeof installation === 'string'
        ? []
        : [installation.node, script, installation.folder, image[format], device],
  };
}
