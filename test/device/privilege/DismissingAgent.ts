import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

const SOCKET = '/run/dbus/system_bus_socket';
const POLKIT = 'org.freedesktop.PolicyKit1';
const AGENT_PATH = '/org/boxwright/TestAgent';

/** Message types and header fields of the D-Bus specification ("Message Protocol"). */
const CALL = 1;
const ERROR = 3;
const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  errorName: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
};

/**
 * A polkit authentication agent that answers every question by closing its dialog: what a desktop's
 * agent does when a person presses Cancel. Speaks D-Bus, little-endian, no more of it than needed.
 */
export class DismissingAgent implements AsyncDisposable {
  /** Actions that were asked about. */
  readonly asked: string[] = [];
  readonly #socket: Socket;
  readonly #told = new EventEmitter();
  #serial = 0;
  #rest = Buffer.alloc(0);
  #isOpen = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, bytes]);
      this.#read();
    });
  }

  /** For what a process (its id) asks. */
  static async register(pid: number): Promise<DismissingAgent> {
    const socket = connect(SOCKET);
    await once(socket, 'connect');
    const agent = new DismissingAgent(socket);
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    await once(agent.#told, 'open');
    socket.write('BEGIN\r\n');
    const bus = { destination: 'org.freedesktop.DBus', path: '/org/freedesktop/DBus' };
    await agent.#call({ ...bus, interface: 'org.freedesktop.DBus', member: 'Hello' });
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    const startTime = BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0);
    const authority = { destination: POLKIT, path: `/org/freedesktop/PolicyKit1/Authority` };
    const body = new Marshal()
      .string('unix-process')
      .array(8, (details) =>
        details
          .align(8)
          .string('pid')
          .signature('u')
          .uint32(pid)
          .align(8)
          .string('start-time')
          .signature('t')
          .uint64(startTime),
      )
      .string('C')
      .string(AGENT_PATH);
    const member = 'RegisterAuthenticationAgent';
    await agent.#call(
      { ...authority, interface: `${POLKIT}.Authority`, member },
      '(sa{sv})ss',
      body,
    );
    return agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.end();
    this.#socket.destroy();
    await closed;
  }

  async #call(
    header: { destination: string; path: string; interface: string; member: string },
    signature = '',
    body = new Marshal(),
  ): Promise<void> {
    const serial = ++this.#serial;
    const fields = [
      [FIELD.path, 'o', header.path],
      [FIELD.interface, 's', header.interface],
      [FIELD.member, 's', header.member],
      [FIELD.destination, 's', header.destination],
      ...(signature === '' ? [] : [[FIELD.signature, 'g', signature] as const]),
    ] as const;
    this.#socket.write(message(CALL, serial, fields, body));
    const [error] = (await once(this.#told, `reply ${String(serial)}`)) as [string | undefined];
    if (error !== undefined) throw new Error(`${header.member}: ${error}`);
  }

  #read(): void {
    if (!this.#isOpen) {
      const line = this.#rest.indexOf('\r\n');
      if (line < 0) return;
      this.#rest = this.#rest.subarray(line + 2);
      this.#isOpen = true;
      this.#told.emit('open');
    }
    while (this.#rest.length >= 16) {
      const fieldBytes = this.#rest.readUInt32LE(12);
      const bodyStart = Math.ceil((16 + fieldBytes) / 8) * 8;
      const length = bodyStart + this.#rest.readUInt32LE(4);
      if (this.#rest.length < length) return;
      this.#take(this.#rest.subarray(0, length), 16 + fieldBytes, bodyStart);
      this.#rest = this.#rest.subarray(length);
    }
  }

  #take(bytes: Buffer, fieldsEnd: number, bodyStart: number): void {
    const fields = readFields(bytes, fieldsEnd);
    const reply = fields.get(FIELD.replySerial);
    if (reply !== undefined) {
      this.#told.emit(`reply ${String(reply)}`, fields.get(FIELD.errorName));
      return;
    }
    if (bytes[1] !== CALL || fields.get(FIELD.member) !== 'BeginAuthentication') return;
    this.asked.push(readString(bytes, bodyStart));
    const answer = [
      [FIELD.errorName, 's', `${POLKIT}.Error.Cancelled`],
      [FIELD.replySerial, 'u', bytes.readUInt32LE(8)],
      [FIELD.destination, 's', String(fields.get(FIELD.sender))],
      [FIELD.signature, 'g', 's'],
    ] as const;
    this.#socket.write(message(ERROR, ++this.#serial, answer, new Marshal().string('dismissed')));
  }
}

type Field = readonly [code: number, type: 'o' | 's' | 'g' | 'u', value: string | number];

function message(type: number, serial: number, fields: readonly Field[], body: Marshal): Buffer {
  const head = new Marshal();
  head
    .bytes(Buffer.from([0x6c, type, 0, 1]))
    .uint32(body.result.length)
    .uint32(serial);
  head.array(8, (list) => {
    for (const [code, kind, value] of fields) {
      list
        .align(8)
        .bytes(Buffer.from([code]))
        .signature(kind);
      if (kind === 'g') list.signature(String(value));
      else if (typeof value === 'number') list.uint32(value);
      else list.string(value);
    }
    return list;
  });
  return Buffer.concat([head.align(8).result, body.result]);
}

/** Header fields that are strings, paths, signatures or 32-bit numbers. */
function readFields(bytes: Buffer, end: number): Map<number, string | number> {
  const fields = new Map<number, string | number>();
  let at = 16;
  while (at < end) {
    at = Math.ceil(at / 8) * 8;
    const code = bytes[at] ?? 0;
    const kind = String.fromCharCode(bytes[at + 2] ?? 0);
    at += 4;
    if (kind === 'g') {
      const length = bytes[at] ?? 0;
      fields.set(code, bytes.toString('utf8', at + 1, at + 1 + length));
      at += length + 2;
    } else if (kind === 'u') {
      fields.set(code, bytes.readUInt32LE(at));
      at += 4;
    } else {
      fields.set(code, readString(bytes, at));
      at += 5 + bytes.readUInt32LE(at);
    }
  }
  return fields;
}

function readString(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 4, at + 4 + bytes.readUInt32LE(at));
}

/** Values in the D-Bus wire format, each aligned as the specification's "Marshaling" says. */
class Marshal {
  #data = Buffer.alloc(0);

  get result(): Buffer {
    return this.#data;
  }

  bytes(more: Uint8Array): this {
    this.#data = Buffer.concat([this.#data, more]);
    return this;
  }

  align(to: number): this {
    return this.bytes(Buffer.alloc((to - (this.#data.length % to)) % to));
  }

  uint32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return this.align(4).bytes(bytes);
  }

  uint64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return this.align(8).bytes(bytes);
  }

  string(text: string): this {
    return this.uint32(Buffer.byteLength(text)).bytes(Buffer.from(`${text}\0`));
  }

  signature(text: string): this {
    return this.bytes(Buffer.from([text.length])).bytes(Buffer.from(`${text}\0`));
  }

  /** Its length, which is filled in afterwards, then its items. @param alignment of the items */
  array(alignment: number, fill: (items: this) => this): this {
    this.uint32(0);
    const lengthAt = this.#data.length - 4;
    this.align(alignment);
    const start = this.#data.length;
    fill(this);
    this.#data.writeUInt32LE(this.#data.length - start, lengthAt);
    return this;
  }
}
