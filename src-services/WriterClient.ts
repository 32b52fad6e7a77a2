import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { WRITER_PROTOCOL } from '../src-contract/WriterWire.ts';
import type {
  CardContent,
  DriveOrder,
  EngineRequest,
  SupervisorRequest,
  WriterReport,
} from '../src-contract/WriterWire.ts';
import { fail, failureOf, FailureError } from '../src-core/Failure.ts';
import type { FailureCode } from '../src-core/Failure.ts';
import type { FlashEvent } from '../src-core/FlashEvent.ts';
import { ChildProgram } from './ChildProgram.ts';
import type { Elevation, ElevationWay } from './Elevation.ts';
import type { DriveTarget, PracticeOrder, Writer } from './Writer.ts';
import { WriterConnection } from './WriterConnection.ts';

/** How long a program that was told to end may take. Milliseconds. */
const GRACE = 800;

/** A practice engine that was cancelled gets this long for its verdict. Milliseconds. */
const CANCEL_GRACE = 1500;

/** SIGUSR1 from another program would open a debugger in a program that has more rights. */
const NO_DEBUGGER = '--disable-sigusr1';

/** After these the next way of asking for permission is tried. */
const NEXT_WAY: readonly FailureCode[] = ['permission-no-agent', 'permission-not-administrator'];

const v = WRITER_PROTOCOL;

/** A job that was asked for; its connection is null while permission is asked for. */
interface Current {
  readonly jobId: string;
  readonly cancelledCards: Set<string>;
  connection: WriterConnection | null;
  /** Settles when the job is cancelled before it has a connection. */
  readonly cancelled: PromiseWithResolvers<never>;
}

/** The {@link Writer} whose supervisor and engine are programs of their own. */
export class WriterClient implements Writer {
  readonly #folder: string;
  readonly #elevation: () => Elevation;
  #supervisor: WriterConnection | null = null;
  /** What {@link warmUp} began; settles whatever comes of it. */
  #warming: Promise<unknown> = Promise.resolve();
  /** The connection that permission is being asked for. */
  #asking: WriterConnection | null = null;
  #current: Current | null = null;

  /**
   * @param folder absolute path of the folder with supervisor.mjs and engine.cjs
   * @param elevation called when permission is needed for the first time
   */
  constructor(folder: string, elevation: () => Elevation) {
    this.#folder = folder;
    this.#elevation = elevation;
  }

  warmUp(): void {
    this.#warming = this.#startUnasked().catch(() => undefined);
  }

  async runOnDrives(order: DriveOrder, report: (event: FlashEvent) => void): Promise<void> {
    const take = eventsOf(order.jobId, report);
    await this.#onSupervisor(order.jobId, { v, type: 'order', order }, take);
  }

  async inspectDrive(jobId: string, target: DriveTarget): Promise<CardContent> {
    const answer = contentOf(jobId);
    await this.#onSupervisor(jobId, { v, type: 'inspect', jobId, target }, answer.take);
    return answer.content();
  }

  async runOnPracticeCard(
    order: PracticeOrder,
    report: (event: FlashEvent) => void,
  ): Promise<void> {
    const { jobId, action, verify, image } = order;
    const engineOrder = {
      ...{ jobId, action, verify, targets: [practiceTarget(order.cardId, order.path, order.size)] },
      image: { ...image, fd: null, blockMapFd: null },
    };
    const request: EngineRequest = { v, type: 'order', order: engineOrder };
    await this.#onEngine(jobId, request, eventsOf(jobId, report));
  }

  async inspectPracticeCard(jobId: string, cardPath: string): Promise<CardContent> {
    const stat = await lstat(cardPath).catch(() => null);
    if (stat?.isFile() !== true) throw fail('practice-card-not-a-file', { path: cardPath });
    const answer = contentOf(jobId);
    const target = practiceTarget('practice', cardPath, stat.size);
    await this.#onEngine(jobId, { v, type: 'inspect', jobId, target }, answer.take);
    return answer.content();
  }

  cancel(jobId: string, cardId: string | null): void {
    const job = this.#current;
    if (job?.jobId !== jobId) return;
    if (job.connection !== null) {
      job.connection.send({ v, type: 'cancel', jobId, cardId });
    } else if (cardId !== null) {
      job.cancelledCards.add(cardId);
    } else {
      job.cancelled.reject(fail('cancelled', {}));
    }
    if (cardId === null && job.connection !== this.#supervisor) {
      const { connection } = job;
      setTimeout(() => void connection?.close(0), CANCEL_GRACE).unref();
    }
  }

  async close(): Promise<void> {
    this.#current?.cancelled.reject(fail('cancelled', {}));
    const connections = [this.#supervisor, this.#asking, this.#current?.connection ?? null];
    const open = connections.filter((connection) => connection !== null);
    await Promise.all(open.map((connection) => connection.close(GRACE)));
  }

  async #onSupervisor(
    jobId: string,
    request: SupervisorRequest,
    take: (report: WriterReport) => boolean,
  ): Promise<void> {
    const job = this.#begin(jobId);
    try {
      const connection = await Promise.race([this.#permitted(), job.cancelled.promise]);
      await this.#converse(job, connection, request, take);
    } finally {
      this.#current = null;
      void this.#asking?.close(GRACE);
    }
  }

  async #onEngine(
    jobId: string,
    request: EngineRequest,
    take: (report: WriterReport) => boolean,
  ): Promise<void> {
    const job = this.#begin(jobId);
    const command = [process.execPath, NO_DEBUGGER, path.join(this.#folder, 'engine.cjs')];
    const connection = new WriterConnection(new ChildProgram(command, practiceEnvironment()));
    try {
      await this.#converse(job, connection, request, take);
    } finally {
      this.#current = null;
      await connection.close(GRACE);
    }
  }

  #begin(jobId: string): Current {
    if (this.#current !== null) throw fail('writer-busy', {});
    const cancelled = Promise.withResolvers<never>();
    cancelled.promise.catch(() => undefined);
    this.#current = { jobId, cancelledCards: new Set(), connection: null, cancelled };
    return this.#current;
  }

  async #converse(
    job: Current,
    connection: WriterConnection,
    request: SupervisorRequest | EngineRequest,
    take: (report: WriterReport) => boolean,
  ): Promise<void> {
    const conversation = connection.converse(request, take);
    job.connection = connection;
    for (const cardId of job.cancelledCards) this.cancel(job.jobId, cardId);
    await conversation;
  }

  async #startUnasked(): Promise<void> {
    const [way] = await this.#elevation().ways();
    if (way?.asksNobody === true) this.#supervisor = await this.#ask(way);
  }

  /** The supervisor of this run of the program; asks for permission when there is none. */
  async #permitted(): Promise<WriterConnection> {
    await this.#warming;
    if (this.#supervisor?.over === false) return this.#supervisor;
    this.#supervisor = null;
    const refusals: FailureError[] = [];
    for (const way of await this.#elevation().ways()) {
      try {
        this.#supervisor = await this.#ask(way);
        return this.#supervisor;
      } catch (thrown) {
        const refusal = new FailureError(failureOf(thrown), { cause: thrown });
        if (!NEXT_WAY.includes(refusal.failure.code)) throw refusal;
        refusals.push(refusal);
      }
    }
    // Of several refusals one that somebody gave says more than that nobody could be asked.
    const given = refusals.findLast(({ failure }) => failure.code !== 'permission-no-agent');
    throw given ?? refusals[0] ?? fail('permission-tool-missing', { tools: '' });
  }

  /** @throws FailureError permission-*, writer-unreachable, protocol-mismatch, request-invalid */
  async #ask(way: ElevationWay): Promise<WriterConnection> {
    const command = await supervisorCommand(path.join(this.#folder, 'supervisor.mjs'));
    const connection = new WriterConnection(way.start(command));
    this.#asking = connection;
    try {
      await connection.converse(null, ({ type }) => type === 'hello');
      return connection;
    } catch (thrown) {
      if (failureOf(thrown).code !== 'writer-ended') throw thrown;
      throw new FailureError(way.explain(await connection.ended), { cause: thrown });
    } finally {
      this.#asking = null;
    }
  }
}

/**
 * An installed supervisor names this very Node, and the option, in its first line, and is what the
 * rules of SECURITY.md allow; any other is given to this Node.
 */
async function supervisorCommand(program: string): Promise<string[]> {
  const text = await readFile(program, 'utf8').catch(() => '');
  const isInstalled = text.startsWith(`#!${process.execPath} ${NO_DEBUGGER}\n`);
  return isInstalled ? [program] : [process.execPath, NO_DEBUGGER, program];
}

function eventsOf(
  jobId: string,
  report: (event: FlashEvent) => void,
): (message: WriterReport) => boolean {
  return (message) => {
    if (message.type !== 'event' || message.jobId !== jobId) return false;
    report(message.event);
    return message.event.type === 'end';
  };
}

function contentOf(jobId: string): {
  take: (message: WriterReport) => boolean;
  content: () => CardContent;
} {
  let content: CardContent | null = null;
  return {
    take: (message) => {
      if (message.type !== 'content' || message.jobId !== jobId) return false;
      ({ content } = message);
      return true;
    },
    content: () => {
      if (content === null) throw fail('writer-ended', { detail: 'no content' });
      return content;
    },
  };
}

function practiceTarget(
  cardId: string,
  cardPath: string,
  size: number,
): Extract<EngineRequest, { type: 'inspect' }>['target'] {
  const device = { kind: 'practice', path: cardPath } as const;
  return { cardId, name: cardPath, device, size, logicalBlockSize: 512, discarded: false };
}

/** Threads as for a job of the supervisor's with one card; on Windows what no program starts without. */
function practiceEnvironment(): Record<string, string> {
  const kept = ['SystemRoot', 'SystemDrive', 'TEMP', 'TMP'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), UV_THREADPOOL_SIZE: '3' };
}
