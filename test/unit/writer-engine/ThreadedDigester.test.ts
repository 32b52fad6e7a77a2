import { EventEmitter } from 'node:events';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { failure } from '../../../src-core/Failure.ts';
import type { EngineThread } from '../../../src-writer/engine/EngineThread.ts';
import { Ring, SLOT_BYTES } from '../../../src-writer/engine/Ring.ts';
import { ThreadedDigester } from '../../../src-writer/engine/ThreadedDigester.ts';
import type { DigestCommand, DigestReply } from '../../../src-writer/engine/ThreadMessages.ts';

/** A digest thread that answers when the test says. */
class SilentThread extends EventEmitter implements EngineThread<DigestCommand, DigestReply> {
  readonly asked: DigestCommand[] = [];

  postMessage(command: DigestCommand): void {
    this.asked.push(command);
  }

  reply(reply: DigestReply): void {
    this.emit('message', reply);
  }

  terminate(): Promise<unknown> {
    return Promise.resolve();
  }
}

function setUp(): { thread: SilentThread; ring: Ring; digester: ThreadedDigester } {
  const thread = new SilentThread();
  const ring = new Ring(2);
  return { thread, ring, digester: new ThreadedDigester(thread, ring) };
}

describe('ThreadedDigester', () => {
  it('gives every command its own answer', async () => {
    const { thread, digester } = setUp();
    const answers = Promise.all([
      digester.update(0, SLOT_BYTES, [[0, 1]]),
      digester.check(1, 512),
      digester.finish(),
    ]);
    thread.reply({ type: 'crcs', crcs: [1] });
    thread.reply({ type: 'crcs', crcs: [2] });
    thread.reply({ type: 'sha256', sha256: 'f00' });
    expect(await answers).toEqual([[1], 2, 'f00']);
  });

  it('checks here what would wait behind others there', async () => {
    const { thread, ring, digester } = setUp();
    ring.view(1).fill(9, 0, 512);
    const waiting = [digester.check(0, 512), digester.check(0, 512)];
    expect(await digester.check(1, 512)).toBe(crc32(ring.view(1, 512)));
    expect(thread.asked.length).toBe(2);
    for (const crc of [1, 2]) thread.reply({ type: 'crcs', crcs: [crc] });
    expect(await Promise.all(waiting)).toEqual([1, 2]);
  });

  it('fails one command with the failure that the thread answers, and no other', async () => {
    const { thread, digester } = setUp();
    const updating = digester.update(0, 1, []);
    const finishing = digester.finish();
    const cause = failure('block-map-range-differs', { path: 'x', firstBlock: 0, lastBlock: 1 });
    thread.reply({ type: 'failed', failure: cause });
    thread.reply({ type: 'sha256', sha256: 'f00' });
    await expect(updating).rejects.toMatchObject({ failure: cause });
    expect(await finishing).toBe('f00');
  });

  it.each([
    ['fails', 'error', new Error('out of memory'), 'out of memory'],
    ['ends', 'exit', undefined, 'it ended'],
  ] as const)(
    'rejects everything when its thread %s, what waits and what is asked later',
    async (_, event, payload, message) => {
      const { thread, digester } = setUp();
      const waiting = [
        digester.update(0, SLOT_BYTES, []),
        digester.check(0, 512),
        digester.finish(),
      ].map((answer) => expect(answer).rejects.toThrow(message));
      thread.emit(event, payload);
      await Promise.all(waiting);
      await expect(digester.update(0, SLOT_BYTES, [])).rejects.toThrow(message);
      await expect(digester.check(0, 512)).rejects.toThrow(message);
      await expect(digester.finish()).rejects.toThrow(message);
      expect(thread.asked.length).toBe(3);
    },
  );

  it('says why its thread failed, not that it ended afterwards', async () => {
    const { thread, digester } = setUp();
    thread.emit('error', new Error('out of memory'));
    thread.emit('exit');
    await expect(digester.finish()).rejects.toThrow('out of memory');
  });
});
