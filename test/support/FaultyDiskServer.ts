import { closeSync, ftruncateSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFaults, type DiskFaultKind } from './DiskFault.ts';
import { diskCommandSchema, type DiskReport } from './DiskWire.ts';
import { FuseFile, writeReply, type FuseReply, type FuseRequest } from './FuseFile.ts';
import { attachLoop } from './LoopDevice.ts';
import { removeOwnFolder } from './OwnFolder.ts';

/**
 * A process of its own that plays a disk with faults: `node FaultyDiskServer.ts FOLDER BYTES` with
 * an IPC channel. When its parent is gone, however that ended, it takes everything down.
 */
class FaultyDiskServer {
  readonly #folder: string;
  readonly #size: number;
  readonly #medium: number;
  readonly #faults = new DiskFaults();
  readonly #waiting: { readonly request: FuseRequest; readonly data: Buffer }[] = [];
  readonly #told = new Set<DiskFaultKind>();
  #closing = false;

  constructor(folder: string, size: number) {
    this.#folder = folder;
    this.#size = size;
    this.#medium = openSync(join(folder, 'medium'), 'w+');
    ftruncateSync(this.#medium, size);
  }

  async start(): Promise<void> {
    const mountPoint = join(this.#folder, 'disk');
    await writeFile(mountPoint, '');
    process.on('disconnect', () => void this.#close());
    process.on('message', (message) => void this.#command(message));
    const serve = (request: FuseRequest): void => {
      this.#serve(request);
    };
    await FuseFile.mount(mountPoint, this.#size, serve, () => {
      closeSync(this.#medium);
    });
    tell({ type: 'ready', device: await attachLoop(mountPoint) });
  }

  async #command(message: unknown): Promise<void> {
    const command = diskCommandSchema.parse(message);
    if (command.type === 'inject') this.#faults.inject(command.fault);
    if (command.type === 'heal') this.#heal();
    if (command.type === 'close') await this.#close();
    else tell({ type: 'done', number: command.number });
  }

  #heal(): void {
    this.#faults.heal();
    this.#told.clear();
    for (const { request, data } of this.#waiting.splice(0)) {
      request.answer(this.#perform({ ...request, data }));
    }
  }

  #serve(request: FuseRequest): void {
    const answer = this.#faults.judge(request, performance.now());
    for (const kind of answer.struck) this.#struck(kind);
    if (answer.stalled) {
      this.#waiting.push({ request, data: Buffer.from(request.data) });
      return;
    }
    const reply = answer.error === null ? this.#perform(request) : { error: answer.error };
    if (answer.delay === 0) {
      request.answer(reply);
    } else {
      setTimeout(() => {
        request.answer(reply);
      }, answer.delay);
    }
  }

  #struck(kind: DiskFaultKind): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    tell({ type: 'struck', kind, at: Date.now() });
  }

  #perform(request: FuseRequest): FuseReply {
    if (request.operation === 'flush') {
      fsyncSync(this.#medium);
      return { data: new Uint8Array(0) };
    }
    const length = Math.min(request.length, Math.max(0, this.#size - request.offset));
    const data = request.operation === 'read' ? Buffer.alloc(length) : request.data;
    for (let done = 0; done < length;) {
      const piece = this.#faults.contiguous(request.offset + done, length - done);
      const place = this.#faults.place(request.offset + done);
      if (place !== request.offset + done) this.#struck('counterfeit');
      if (request.operation === 'read') readSync(this.#medium, data, done, piece, place);
      else writeSync(this.#medium, data, done, piece, place);
      done += piece;
    }
    if (request.operation === 'write') return writeReply(length);
    if (this.#faults.flip(data, request.offset)) this.#struck('flipped-bits');
    return { data };
  }

  async #close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#heal();
    try {
      await removeOwnFolder(this.#folder);
    } finally {
      // Ends the connection as well: what is still asked of the disk then fails instead of hanging.
      process.exit();
    }
  }
}

function tell(report: DiskReport): void {
  if (process.connected) process.send?.(report);
}

const [folder, size] = process.argv.slice(2);
if (folder === undefined || size === undefined)
  throw new Error('usage: FaultyDiskServer FOLDER BYTES');
await new FaultyDiskServer(folder, Number(size)).start();
