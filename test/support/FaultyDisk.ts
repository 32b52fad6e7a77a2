import { fork, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DiskFault, DiskFaultKind } from './DiskFault.ts';
import { diskReportSchema, type DiskCommand, type DiskReport } from './DiskWire.ts';
import { makeOwnFolder, removeOwnFolder } from './OwnFolder.ts';

const SERVER = fileURLToPath(new URL('./FaultyDiskServer.ts', import.meta.url));

/**
 * A real block device (a loop device with direct I/O over a FUSE file) that fails as told. A
 * process of its own serves it and takes it down when this process ends, however that happens.
 */
export class FaultyDisk implements AsyncDisposable {
  readonly path: string;
  /** The file that holds the disk's real bytes. */
  readonly backing: string;
  readonly #server: ChildProcess;
  readonly #folder: string;
  readonly #reports: EventEmitter;
  readonly #struck: Map<DiskFaultKind, number>;
  #number = 0;

  private constructor(
    path: string,
    folder: string,
    server: ChildProcess,
    reports: EventEmitter,
    struck: Map<DiskFaultKind, number>,
  ) {
    this.path = path;
    this.backing = join(folder, 'medium');
    this.#folder = folder;
    this.#server = server;
    this.#reports = reports;
    this.#struck = struck;
  }

  /** @param size bytes */
  static async create(size: number): Promise<FaultyDisk> {
    const folder = await makeOwnFolder();
    const server = fork(SERVER, [folder, String(size)], { execArgv: [], detached: true });
    const reports = new EventEmitter();
    const struck = new Map<DiskFaultKind, number>();
    server.on('message', (message) => {
      const report: DiskReport = diskReportSchema.parse(message);
      if (report.type === 'struck') struck.set(report.kind, report.at);
      reports.emit(report.type === 'done' ? `done ${String(report.number)}` : report.type, report);
    });
    server.on('exit', () => {
      reports.emit('error', new Error('the process that plays the disk has ended'));
    });
    try {
      const [ready] = (await once(reports, 'ready')) as [Extract<DiskReport, { type: 'ready' }>];
      return new FaultyDisk(ready.device, folder, server, reports, struck);
    } catch (cause) {
      await removeOwnFolder(folder);
      throw cause;
    }
  }

  get name(): string {
    return this.path.slice('/dev/'.length);
  }

  /** Process id of the server, for tests of the disk itself. */
  get serverPid(): number | undefined {
    return this.#server.pid;
  }

  /** Resolves when the fault is in force. Several may be at once. */
  async inject(fault: DiskFault): Promise<void> {
    await this.#send({ type: 'inject', number: ++this.#number, fault });
  }

  /** Takes all faults away and answers what was stalled. */
  async heal(): Promise<void> {
    this.#struck.clear();
    await this.#send({ type: 'heal', number: ++this.#number });
  }

  /** When the fault had its first effect, in milliseconds since the epoch; waits for it. */
  async struck(kind: DiskFaultKind): Promise<number> {
    for (;;) {
      const at = this.#struck.get(kind);
      if (at !== undefined) return at;
      await once(this.#reports, 'struck');
    }
  }

  /** Whether the fault has had an effect yet. */
  hasStruck(kind: DiskFaultKind): boolean {
    return this.#struck.has(kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.removeAllListeners('exit');
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      const ended = once(this.#server, 'exit');
      this.#server.send({ type: 'close' } satisfies DiskCommand);
      await ended;
    }
    await removeOwnFolder(this.#folder);
  }

  async #send(command: DiskCommand & { number: number }): Promise<void> {
    const done = once(this.#reports, `done ${String(command.number)}`);
    this.#server.send(command);
    await done;
  }
}
