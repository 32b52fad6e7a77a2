import { closeSync, constants, openSync, read, writevSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * The kernel's FUSE protocol for a file system that is one single file, mounted over a file.
 * Opcodes, structures and flags: include/uapi/linux/fuse.h, protocol 7.31.
 */
const OPCODE = {
  forget: 2,
  getattr: 3,
  setattr: 4,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
} as const;

/** FUSE_ASYNC_READ, FUSE_BIG_WRITES, FUSE_ASYNC_DIO, FUSE_MAX_PAGES. */
const INIT_FLAGS = (1 << 0) | (1 << 5) | (1 << 15) | (1 << 22);
const MAX_TRANSFER = 1 << 20;
const IN_HEADER = 40;
const OUT_HEADER = 16;

const ERRNO = { ENOENT: 2, EIO: 5, ENOSPC: 28, ENOSYS: 38, EOPNOTSUPP: 95 } as const;
export type FuseErrno = keyof typeof ERRNO;

export type FuseReply = { readonly error: FuseErrno } | { readonly data: Uint8Array };

/** One request of the kernel for bytes of the file; `answer` is called once, now or later. */
export interface FuseRequest {
  readonly operation: 'read' | 'write' | 'flush';
  readonly offset: number;
  readonly length: number;
  /** What to write; only valid until the handler returns. */
  readonly data: Uint8Array;
  readonly answer: (reply: FuseReply) => void;
}

/** A connection to the kernel, mounted on `mountPoint` (an existing empty file) until it is unmounted. */
export class FuseFile {
  readonly #fd: number;
  readonly #size: number;
  readonly #serve: (request: FuseRequest) => void;
  readonly #buffer = Buffer.alloc(MAX_TRANSFER + 4096);

  private constructor(fd: number, size: number, serve: (request: FuseRequest) => void) {
    this.#fd = fd;
    this.#size = size;
    this.#serve = serve;
  }

  /**
   * Mounts a file of `size` bytes; resolves when it can be used.
   * @param ended called when the file was unmounted
   */
  static async mount(
    mountPoint: string,
    size: number,
    serve: (request: FuseRequest) => void,
    ended: () => void,
  ): Promise<void> {
    const fd = openSync('/dev/fuse', constants.O_RDWR);
    const options = 'fd=3,rootmode=100000,user_id=0,group_id=0,allow_other';
    const mount = spawn(
      '/usr/bin/mount',
      ['-i', '-t', 'fuse', '-o', options, 'boxwright-faulty-disk', mountPoint],
      { stdio: ['ignore', 'ignore', 'inherit', fd] },
    );
    const [status] = (await once(mount, 'exit')) as [number | null];
    if (status !== 0) {
      closeSync(fd);
      throw new Error(`mount ended with ${String(status)}`);
    }
    new FuseFile(fd, size, serve).#next(ended);
  }

  #next(ended: () => void): void {
    read(this.#fd, this.#buffer, 0, this.#buffer.length, null, (error, count) => {
      if (error !== null && error.code !== 'EINTR' && error.code !== 'ENOENT') {
        closeSync(this.#fd);
        ended();
        return;
      }
      if (error === null) this.#dispatch(this.#buffer.subarray(0, count));
      this.#next(ended);
    });
  }

  #dispatch(message: Buffer): void {
    const opcode = message.readUInt32LE(4);
    const unique = message.readBigUInt64LE(8);
    const body = message.subarray(IN_HEADER);
    const answer = (reply: FuseReply): void => {
      this.#reply(unique, reply);
    };
    switch (opcode) {
      case OPCODE.init:
        answer({ data: initReply(body) });
        return;
      case OPCODE.getattr:
      case OPCODE.setattr:
        answer({ data: attributes(this.#size) });
        return;
      case OPCODE.open:
        answer({ data: new Uint8Array(16) });
        return;
      case OPCODE.statfs:
        answer({ data: new Uint8Array(80) });
        return;
      case OPCODE.read:
      case OPCODE.write:
        this.#transfer(opcode === OPCODE.read ? 'read' : 'write', body, answer);
        return;
      case OPCODE.fsync:
        this.#serve({ operation: 'flush', offset: 0, length: 0, data: new Uint8Array(0), answer });
        return;
      case OPCODE.flush:
      case OPCODE.release:
      case OPCODE.destroy:
        answer({ data: new Uint8Array(0) });
        return;
      case OPCODE.forget:
      case OPCODE.batchForget:
      case OPCODE.interrupt:
        return;
      case OPCODE.fallocate:
        // As most card readers: no discard.
        answer({ error: 'EOPNOTSUPP' });
        return;
      default:
        answer({ error: 'ENOSYS' });
    }
  }

  #transfer(operation: 'read' | 'write', body: Buffer, answer: (reply: FuseReply) => void): void {
    const offset = Number(body.readBigUInt64LE(8));
    const length = body.readUInt32LE(16);
    const data = operation === 'write' ? body.subarray(40, 40 + length) : new Uint8Array(0);
    this.#serve({ operation, offset, length, data, answer });
  }

  #reply(unique: bigint, reply: FuseReply): void {
    const data = 'data' in reply ? reply.data : new Uint8Array(0);
    const header = Buffer.alloc(OUT_HEADER);
    header.writeUInt32LE(OUT_HEADER + data.length, 0);
    header.writeInt32LE('error' in reply ? -ERRNO[reply.error] : 0, 4);
    header.writeBigUInt64LE(unique, 8);
    try {
      writevSync(this.#fd, data.length === 0 ? [header] : [header, data]);
    } catch (cause) {
      // The request was given up by the kernel meanwhile, or the file was unmounted.
      const code = (cause as NodeJS.ErrnoException).code;
      if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'EBADF') throw cause;
    }
  }
}

/** The answer to a write: how much of it was taken. */
export function writeReply(length: number): FuseReply {
  const data = Buffer.alloc(8);
  data.writeUInt32LE(length, 0);
  return { data };
}

function initReply(body: Buffer): Uint8Array {
  const reply = Buffer.alloc(64);
  reply.writeUInt32LE(7, 0);
  reply.writeUInt32LE(31, 4);
  reply.writeUInt32LE(MAX_TRANSFER, 8);
  reply.writeUInt32LE(body.readUInt32LE(12) & INIT_FLAGS, 12);
  reply.writeUInt16LE(64, 16);
  reply.writeUInt16LE(48, 18);
  reply.writeUInt32LE(MAX_TRANSFER, 20);
  reply.writeUInt32LE(1, 24);
  reply.writeUInt16LE(MAX_TRANSFER / 4096, 28);
  return reply;
}

function attributes(size: number): Uint8Array {
  const reply = Buffer.alloc(104);
  reply.writeBigUInt64LE(1n, 0);
  const attribute = reply.subarray(16);
  attribute.writeBigUInt64LE(1n, 0);
  attribute.writeBigUInt64LE(BigInt(size), 8);
  attribute.writeBigUInt64LE(BigInt(Math.ceil(size / 512)), 16);
  attribute.writeUInt32LE(0o100600, 60);
  attribute.writeUInt32LE(1, 64);
  attribute.writeUInt32LE(4096, 80);
  return reply;
}
