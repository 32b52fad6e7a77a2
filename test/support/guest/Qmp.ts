import { z } from 'zod';
import { LineServer } from './LineServer.ts';

const messageSchema = z.union([
  z.object({ QMP: z.unknown() }),
  z.object({ return: z.unknown(), id: z.number().optional() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).optional() }),
]);

interface Waiting {
  resolve(value: unknown): void;
  reject(cause: Error): void;
}

interface EventWaiting {
  readonly name: string;
  readonly matches: (data: Readonly<Record<string, unknown>>) => boolean;
  resolve(): void;
}

/** The machine's own side: disks, cards and plugs. QEMU Machine Protocol (docs/interop/qmp-spec.txt). */
export class Qmp {
  readonly #waiting = new Map<number, Waiting>();
  readonly #events = new Set<EventWaiting>();
  #lines: LineServer | null = null;
  #next = 1;

  static async listen(socketPath: string): Promise<Qmp> {
    const qmp = new Qmp();
    qmp.#lines = await LineServer.listen(socketPath, (line) => {
      qmp.#receive(line);
    });
    return qmp;
  }

  /** @throws Error with QEMU's own description */
  async execute(
    command: string,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    await this.#lines?.send({ execute: command, arguments: options, id });
    return answer;
  }

  /** Resolves at the next event of that name whose data fit. */
  event(name: string, matches: EventWaiting['matches']): Promise<void> {
    return new Promise((resolve) => {
      this.#events.add({ name, matches, resolve });
    });
  }

  close(): void {
    this.#lines?.close();
  }

  #receive(line: string): void {
    const message = messageSchema.parse(JSON.parse(line));
    if ('event' in message) {
      for (const waiting of this.#events) {
        if (waiting.name === message.event && waiting.matches(message.data ?? {})) {
          this.#events.delete(waiting);
          waiting.resolve();
        }
      }
      return;
    }
    if ('QMP' in message || message.id === undefined) return;
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new Error(message.error.desc));
    else waiting?.resolve(message.return);
  }
}
