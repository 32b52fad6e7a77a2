import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import {
  writerReportSchema,
  type DriveOrder,
  type WriterReport,
} from '../../../src-contract/WriterWire.ts';
import type { FlashEvent } from '../../../src-core/FlashEvent.ts';

type OrderChange = Partial<Omit<DriveOrder, 'image'>> & { image?: Partial<DriveOrder['image']> };

/** A supervisor, spoken to without a program in between: every line it says must fit the schema. */
export class SupervisorTalk implements AsyncDisposable {
  readonly reports: WriterReport[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #told = new EventEmitter();
  #isOver = false;

  constructor([file = '', ...args]: readonly string[]) {
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    createInterface(this.#child.stdout).on('line', (line) => {
      this.reports.push(writerReportSchema.parse(JSON.parse(line)));
      this.#told.emit('report');
    });
    this.ended = once(this.#child, 'close').then(([code]) => {
      this.#isOver = true;
      this.#told.emit('report');
      return code as number | null;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get events(): FlashEvent[] {
    return this.reports.flatMap((report) => (report.type === 'event' ? [report.event] : []));
  }

  /** Codes of what refused the job, or the request. */
  get refusals(): string[] {
    return this.reports.flatMap((report) => {
      if (report.type === 'rejected') return [report.failure.code];
      if (report.type !== 'event' || report.event.type !== 'refused') return [];
      return report.event.failures.map(({ code, facts }) =>
        [code, ...Object.values(facts)].join(' '),
      );
    });
  }

  send(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  sendText(text: string | Uint8Array): void {
    this.#child.stdin.write(text);
  }

  hangUp(): void {
    this.#child.stdin.end();
  }

  /** Waits until a report fits. @throws Error when the supervisor ends without one */
  async until(fits: (report: WriterReport) => boolean): Promise<WriterReport> {
    for (;;) {
      const found = this.reports.find(fits);
      if (found) return found;
      if (this.#isOver) throw new Error(`never said: ${JSON.stringify(this.reports)}`);
      await once(this.#told, 'report');
    }
  }

  async untilEvent(type: FlashEvent['type']): Promise<void> {
    await this.until((report) => report.type === 'event' && report.event.type === type);
  }

  async untilPhase(phase: string): Promise<void> {
    await this.until(
      (report) =>
        report.type === 'event' && report.event.type === 'phase' && report.event.phase === phase,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    await this.ended;
  }
}

/** The truth about a block device, as a program would send it. */
export function targetOf(path: string, cardId = 'card-1'): DriveOrder['targets'][number] {
  const sysfs = `/sys/block/${path.slice('/dev/'.length)}`;
  const size = Number(readFileSync(`${sysfs}/size`, 'utf8')) * 512;
  const sequence = Number(readFileSync(`${sysfs}/diskseq`, 'utf8'));
  const identity = { size, sequence, serial: null, wwn: null };
  return { cardId, path, identity, accepted: [] };
}

/** An order to flash an image to virtual drives, with some of it changed. */
export function orderOf(
  imagePath: string,
  targets: DriveOrder['targets'],
  { image, ...change }: OrderChange = {},
): { v: 1; type: 'order'; order: DriveOrder } {
  const { size, mtimeMs } = statSync(imagePath);
  const facts = { path: imagePath, fileSize: size, modified: mtimeMs };
  const choice = { expectedSha256: null, blockMap: null, forceRaw: false };
  const order: DriveOrder = {
    ...{ jobId: 'job-1', action: 'flash', image: { ...facts, ...choice, ...image }, targets },
    ...{ verify: true, eject: false, allowVirtual: true, imageSize: null },
    ...change,
  };
  return { v: 1, type: 'order', order };
}
