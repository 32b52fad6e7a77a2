import type { CardContent, EngineTarget } from '../../src-contract/WriterWire.ts';
import { fail } from '../../src-core/Failure.ts';
import type { ByteReader } from '../../src-image/ImageWindow.ts';
import { readPartitionTable } from '../../src-image/PartitionTable.ts';
import type { DescriptorDevice } from './DescriptorDevice.ts';
import { Ring, SLOT_BYTES } from './Ring.ts';
import { decodeMarker, MARKER_BYTES } from './UnfinishedMarker.ts';

/**
 * What is on a card: its partitions with their file systems, and the marker of an unfinished flash.
 * Closes the device.
 * @throws FailureError read-failed
 */
export async function inspectCard(
  device: DescriptorDevice,
  { name, logicalBlockSize }: Pick<EngineTarget, 'name' | 'logicalBlockSize'>,
): Promise<CardContent> {
  try {
    const reader = alignedReader(device, name);
    const head = new Uint8Array(MARKER_BYTES);
    reader.read(head, 0);
    const table = readPartitionTable(reader, logicalBlockSize);
    return {
      partitionTable: table?.scheme ?? 'none',
      partitions: (table?.partitions ?? []).map(({ number, type, start, size, fileSystem }) => ({
        index: number,
        type,
        start,
        size,
        fileSystem: fileSystem?.type ?? null,
        label: fileSystem?.label ?? null,
      })),
      unfinished: decodeMarker(head),
    };
  } finally {
    await device.close();
  }
}

/** Reads of any place and length over a device that only reads whole blocks into aligned memory. */
function alignedReader(device: DescriptorDevice, name: string): ByteReader {
  const ring = new Ring(1);
  const block = device.logicalBlockSize;
  const readPart = (target: Uint8Array, position: number): number => {
    const start = Math.floor(position / block) * block;
    const room = Math.min(SLOT_BYTES, Math.floor((device.size - start) / block) * block);
    const wanted = Math.ceil((position - start + target.length) / block) * block;
    const bytes = ring.view(0, Math.max(0, Math.min(room, wanted)));
    const got = device.readNow(bytes, start);
    const part = bytes.subarray(position - start, Math.min(got, position - start + target.length));
    target.set(part);
    return part.length;
  };
  return {
    read(target, position) {
      let done = 0;
      try {
        while (done < target.length) {
          const got = readPart(target.subarray(done), position + done);
          if (got === 0) break;
          done += got;
        }
      } catch (thrown) {
        const cause = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
        throw fail('read-failed', { drive: name, offset: position, cause }, { cause: thrown });
      }
      return done;
    },
  };
}
