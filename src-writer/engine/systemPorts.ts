import { read } from 'node:fs';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import type { EngineOrder, EngineTarget } from '../../src-contract/WriterWire.ts';
import { fail } from '../../src-core/Failure.ts';
import type { FlashEvent } from '../../src-core/FlashEvent.ts';
import { readBmap } from '../../src-image/blockmap/Bmap.ts';
import type { Bmap } from '../../src-image/blockmap/Bmap.ts';
import { BmapMapper, requireImageSize } from '../../src-image/blockmap/BmapMapper.ts';
import { surveyRawImage } from '../../src-image/blockmap/ExtSurvey.ts';
import { UsedBlocks } from '../../src-image/blockmap/UsedBlocks.ts';
import { planDecode } from '../../src-image/DecodePlan.ts';
import { imageOfDescriptor, openImage } from '../../src-image/FileImage.ts';
import type { FileImage } from '../../src-image/FileImage.ts';
import { checkImageHead, promisedSize, readImageHead } from '../../src-image/ImageHead.ts';
import type { DecodePlan } from '../../src-image/ImageSource.ts';
import { systemClock } from './Clock.ts';
import { DescriptorDevice } from './DescriptorDevice.ts';
import type { EngineImage, EnginePorts } from './EngineJob.ts';
import { startEngineThread } from './EngineThread.ts';
import { openPracticeCard, openPracticeCardToRead } from './PracticeCard.ts';
import { openRawDevice } from './RawDevice.ts';
import { RawReader } from './RawReader.ts';
import { ringLayout } from './RingLayout.ts';
import type { Ring } from './Ring.ts';
import { ThreadedDigester } from './ThreadedDigester.ts';
import { ThreadedReader } from './ThreadedReader.ts';
import { decodeMarker } from './UnfinishedMarker.ts';

const readAt = promisify(read);

/** The engine's ports on a real machine. */
export function systemPorts(emit: (event: FlashEvent) => void): EnginePorts {
  return {
    clock: systemClock,
    layout: (plan, cards) => ringLayout(plan, cards, availableParallelism()),
    emit,
    openImage: openEngineImage,
    openDevice: async (target, use) => Promise.resolve(openDevice(target, use)),
  };
}

async function openEngineImage(image: EngineOrder['image']): Promise<EngineImage> {
  const { path, fd } = image;
  const file = fd === null ? openImage(path) : imageOfDescriptor(fd, path);
  try {
    if (file.size !== image.fileSize || file.identity.modified !== image.modified) {
      throw fail('image-changed', { path });
    }
    const plan = planDecode(file);
    const head = await readImageHead(file, plan);
    const table = checkImageHead(head, plan.size, path, image.forceRaw);
    // Before a card is touched: a raw image can be asked whether its file systems allow this.
    if (plan.format === 'raw' && image.blockMap?.kind === 'used-blocks') surveyRawImage(file);
    const bmap = openBmap(image);
    if (bmap !== null && plan.size !== null) requireImageSize(bmap, plan.size);
    return {
      fileSize: file.size,
      plan,
      leastSize: image.forceRaw ? 0 : promisedSize(table),
      mapper: bmap !== null ? new BmapMapper(bmap) : usedBlocks(image),
      decode: (ring, { decoders, imageSlots, aheadSlots }) =>
        plan.format === 'raw'
          ? new RawReader(rawFile(file), ring, imageSlots)
          : new ThreadedReader(
              path,
              plan,
              threads(file, plan, ring, decoders),
              imageSlots,
              aheadSlots,
            ),
      digest: (ring) => {
        const start = { role: 'digest', memory: ring.memory, bmap } as const;
        return new ThreadedDigester(startEngineThread(start), ring);
      },
      checkUnchanged: () => file.checkUnchanged(),
      close: () => {
        file.close();
      },
    };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function openBmap({ blockMap, blockMapFd }: EngineOrder['image']): Bmap | null {
  if (blockMap?.kind !== 'bmap') return null;
  return readBmap(blockMap.path, blockMapFd);
}

function usedBlocks({ blockMap }: EngineOrder['image']): UsedBlocks | null {
  return blockMap?.kind === 'used-blocks' ? new UsedBlocks() : null;
}

function rawFile(file: FileImage): ConstructorParameters<typeof RawReader>[0] {
  return {
    path: file.path,
    size: file.size,
    async readInto(target, position) {
      const { bytesRead } = await readAt(file.descriptor, target, 0, target.length, position);
      return bytesRead;
    },
  };
}

function threads(
  file: FileImage,
  plan: DecodePlan,
  ring: Ring,
  count: number,
): ReturnType<typeof startEngineThread>[] {
  const { descriptor: fd, path } = file;
  const { memory } = ring;
  return Array.from({ length: count }, () =>
    startEngineThread({ role: 'decode', memory, fd, path, plan }),
  );
}

/**
 * The device of a target, for writing or only for looking.
 * @throws FailureError practice-card-*, drive-open-failed
 */
export function openDevice(target: EngineTarget, use: 'write' | 'read'): DescriptorDevice {
  const { device, size, logicalBlockSize } = target;
  switch (device.kind) {
    case 'descriptor':
      return new DescriptorDevice(device.fd, size, logicalBlockSize);
    case 'raw-path':
      return openRawDevice(device.path, size, logicalBlockSize, use);
    case 'practice':
      return use === 'read'
        ? openPracticeCardToRead(device.path)
        : openPracticeCard(device.path, size, looksLikeCard);
  }
}

/** Whether a file that is there already may be a card: its own marker, zeros, or an image. */
function looksLikeCard(head: Uint8Array): boolean {
  if (decodeMarker(head) !== null || head.every((byte) => byte === 0)) return true;
  try {
    checkImageHead(head, null, '', false);
    return true;
  } catch {
    return false;
  }
}
