import type { MessagePort } from 'node:worker_threads';
import { failureOf } from '../../src-core/Failure.ts';
import { decodeSegment } from '../../src-image/decodeSegment.ts';
import { imageOfDescriptor } from '../../src-image/FileImage.ts';
import type { DecodedChunkSink } from '../../src-image/ImageSource.ts';
import { SlotFiller } from './SlotFiller.ts';
import { SlotPool, slotView } from './Ring.ts';
import type { DecodeCommand, DecodeReply, ThreadStart } from './ThreadMessages.ts';

/** Runs on a thread of its own: decodes the jobs it is given into the slots it is given. */
export function runDecodeThread(
  start: Extract<ThreadStart, { role: 'decode' }>,
  port: MessagePort,
): void {
  const { plan } = start;
  const file = imageOfDescriptor(start.fd, start.path);
  const granted = new SlotPool([]);
  const reply = (message: DecodeReply): void => {
    port.postMessage(message);
  };

  const decode = async (first: number, last: number): Promise<number> => {
    const segments = plan.segments.slice(first, last + 1);
    const filler = new SlotFiller(
      {
        take: () => granted.take(),
        view: (slot) => slotView(start.memory, slot),
        filled: (filled) => {
          reply({ type: 'filled', filled });
        },
      },
      segments[0]?.outputOffset ?? 0,
    );
    let consumed = 0;
    for (const segment of segments) {
      const sink: DecodedChunkSink = (chunk, inputConsumed) => {
        consumed = segment.inputOffset + inputConsumed;
        return filler.push(chunk, consumed);
      };
      await decodeSegment(file, plan, segment, sink, () => filler.room());
    }
    return filler.finish(consumed);
  };

  port.on('message', (command: DecodeCommand) => {
    if (command.type === 'slot') {
      granted.give(command.slot);
      return;
    }
    decode(command.first, command.last).then(
      (end) => {
        reply({ type: 'done', job: command.job, end });
      },
      (thrown: unknown) => {
        reply({ type: 'failed', failure: failureOf(thrown) });
      },
    );
  });
}
