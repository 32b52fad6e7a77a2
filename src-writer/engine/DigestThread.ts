import type { MessagePort } from 'node:worker_threads';
import { failureOf } from '../../src-core/Failure.ts';
import { ImageDigest } from './ImageDigest.ts';
import { slotView } from './Ring.ts';
import type { DigestCommand, DigestReply, ThreadStart } from './ThreadMessages.ts';
import { slotCrc } from './SlotCrc.ts';

/** Runs on a thread of its own: hashes the image, and checks what was read back. */
export function runDigestThread(
  start: Extract<ThreadStart, { role: 'digest' }>,
  port: MessagePort,
): void {
  const digest = new ImageDigest(start.bmap);
  const answer = (command: DigestCommand): DigestReply => {
    switch (command.type) {
      case 'update': {
        const slot = slotView(start.memory, command.slot);
        return { type: 'crcs', crcs: digest.update(slot, command.length, command.ranges) };
      }
      case 'check': {
        const bytes = slotView(start.memory, command.slot, command.length);
        return { type: 'crcs', crcs: [slotCrc(bytes)] };
      }
      case 'finish':
        return { type: 'sha256', sha256: digest.finish() };
    }
  };
  port.on('message', (command: DigestCommand) => {
    try {
      port.postMessage(answer(command));
    } catch (thrown) {
      port.postMessage({ type: 'failed', failure: failureOf(thrown) } satisfies DigestReply);
    }
  });
}
