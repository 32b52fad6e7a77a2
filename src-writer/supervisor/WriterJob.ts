import { closeSync, constants, openSync } from 'node:fs';
import { WRITER_PROTOCOL as v, imageFiles } from '../../src-contract/WriterWire.ts';
import type {
  DriveOrder,
  EngineRequest,
  SupervisorRequest,
  WriterReport,
} from '../../src-contract/WriterWire.ts';
import type { Drive } from '../../src-core/Drive.ts';
import { type Failure, fail, failure, failureOf } from '../../src-core/Failure.ts';
import type { DevicePlatform, HeldDevice } from './DevicePlatform.ts';
import { EngineProcess } from './EngineProcess.ts';
import { approveTargets } from './TargetApproval.ts';

/** An engine that was told to stop, or that has said `end`, gets this long. Milliseconds. */
const GRACE = 1500;

export interface JobSurroundings {
  readonly platform: DevicePlatform;
  /** @param imageFiles the drives underneath them are refused */
  scan(imageFiles: readonly string[]): Promise<readonly Drive[]>;
  send(report: WriterReport): void;
}

export type JobRequest = Exclude<SupervisorRequest, { type: 'cancel' }>;

type WireEvent = Extract<WriterReport, { type: 'event' }>['event'];

interface Card {
  readonly cardId: string;
  readonly drive: Drive;
  readonly held: HeldDevice;
  /** Some of it was discarded, or may have been, before the engine got it. */
  readonly emptied: boolean;
  /** Bytes of it may have changed. */
  begun: boolean;
  settled: boolean;
}

/** One order or inspection, from the look at the drives to the ejected cards. */
export class WriterJob {
  readonly jobId: string;
  readonly #request: JobRequest;
  /** null when a card is only looked at. */
  readonly #order: DriveOrder | null;
  readonly #around: JobSurroundings;
  readonly #cards = new Map<string, Card>();
  readonly #givingBack: Promise<void>[] = [];
  readonly #cancels: (string | null)[] = [];
  readonly #stopped = Promise.withResolvers<never>();
  /** Aborted with why the job is to end early. */
  readonly #stopping = new AbortController();
  #answered = false;
  #engine: EngineProcess | null = null;

  constructor(request: JobRequest, around: JobSurroundings) {
    this.#request = request;
    this.#order = request.type === 'order' ? request.order : null;
    this.jobId = request.type === 'order' ? request.order.jobId : request.jobId;
    this.#around = around;
    this.#stopped.promise.catch(() => undefined);
  }

  /** Does all of it; never rejects. The last report is `end`, or the answer to `inspect`. */
  async run(): Promise<void> {
    try {
      const { approved, refusals } = await this.#approve();
      if (refusals.length > 0) this.#refuse(refusals);
      else await this.#work(approved);
    } catch (cause) {
      this.#refuse([failureOf(cause)]);
    }
    for (const { held } of this.#cards.values()) await held.release();
    if (this.#order) this.#report({ type: 'end' });
  }

  /** Cancels one card, or all with null: then the engine is gone after {@link GRACE} at the latest. */
  cancel(cardId: string | null, why: Error = fail('cancelled', {})): void {
    this.#cancels.push(cardId);
    this.#engine?.send({ v, type: 'cancel', jobId: this.jobId, cardId });
    if (cardId !== null) return;
    this.#stopping.abort(why);
    this.#stopped.reject(why);
    setTimeout(() => this.#engine?.kill(), GRACE).unref();
  }

  /** The supervisor ends. */
  abort(): void {
    this.cancel(null, fail('writer-ended', { detail: 'the supervisor was ended' }));
    this.#engine?.kill();
  }

  async #approve(): ReturnType<typeof approveTargets> {
    const drives = await this.#around.scan(this.#order ? imageFiles(this.#order.image) : []);
    const looking = { imageSize: null, allowVirtual: true };
    const request =
      this.#request.type === 'order'
        ? { ...this.#request.order, forWriting: this.#request.order.action === 'flash' }
        : { ...looking, targets: [this.#request.target], forWriting: false };
    return approveTargets(request, drives, (path) => this.#around.platform.wholeDevice(path));
  }

  async #work(approved: ReadonlyMap<string, Drive>): Promise<void> {
    const { command, handsFiles } = await this.#around.platform.engineCommand();
    const holding = [...approved].map((target) => this.#hold(...target));
    // In the order of the request, whichever was ready first.
    for (const card of await Promise.all(holding)) if (card) this.#cards.set(card.cardId, card);
    if (this.#cards.size === 0) return;
    const devices = [...this.#cards.values()].map(({ held }) => held.device);
    const held = devices.flatMap((device) => (device.kind === 'descriptor' ? [device.fd] : []));
    const files = handsFiles && this.#order ? openFiles(imageFiles(this.#order.image)) : [];
    const engine = new EngineProcess(command, devices.length, [...held, ...files], this.#relay);
    files.forEach(closeSync);
    this.#engine = engine;
    engine.send(this.#engineRequest(3 + held.length, files.length));
    for (const cardId of this.#cancels.splice(0)) this.cancel(cardId);
    this.#settleRest(failure('writer-ended', { detail: await engine.ended }));
    await Promise.all(this.#givingBack);
  }

  /** @returns null when the card has failed, which was reported */
  async #hold(cardId: string, drive: Drive): Promise<Card | null> {
    const forWriting = this.#order?.action === 'flash';
    let emptied = false;
    const discard = forWriting && this.#order.image.blockMap ? () => void (emptied = true) : null;
    if (this.#order) this.#report({ type: 'phase', cardId, phase: 'preparing' });
    const { signal } = this.#stopping;
    let holding: Promise<HeldDevice> | null = null;
    try {
      signal.throwIfAborted();
      holding = this.#around.platform.hold(drive, { forWriting, discard, signal });
      const held = await Promise.race([holding, this.#stopped.promise]);
      return { cardId, drive, held, emptied, begun: emptied, settled: false };
    } catch (cause) {
      void holding?.then((late) => late.release()).catch(() => undefined);
      if (!this.#order) throw cause;
      this.#reportCard(cardId, emptied, failureOf(cause));
      return null;
    }
  }

  /** @param firstFile the engine's descriptor of the image, where `files` is more than 0 */
  #engineRequest(firstFile: number, files: number): EngineRequest {
    let nextDevice = 3;
    const targets = [...this.#cards].map(([cardId, { drive, held }]) => ({
      ...{ cardId, name: drive.path, size: held.size, discarded: held.discarded },
      logicalBlockSize: held.logicalBlockSize,
      device:
        held.device.kind === 'descriptor' ? { ...held.device, fd: nextDevice++ } : held.device,
    }));
    const [target] = targets;
    if (!target) throw fail('internal', { detail: 'no card' });
    if (!this.#order) return { v, type: 'inspect', jobId: this.jobId, target };
    const { jobId, action, verify } = this.#order;
    const fds = { fd: files > 0 ? firstFile : null, blockMapFd: files > 1 ? firstFile + 1 : null };
    const image = { ...this.#order.image, ...fds };
    return { v, type: 'order', order: { jobId, action, verify, image, targets } };
  }

  /** Passes on what belongs to this job. @throws FailureError anything else, which ends the engine */
  readonly #relay = (report: WriterReport): void => {
    const stray = fail('request-invalid', { detail: `engine sent ${report.type} out of place` });
    if (this.#answered) throw stray;
    if (report.type === 'rejected') this.#refuse([report.failure]);
    else if (report.type === 'hello' || report.jobId !== this.jobId) throw stray;
    else if (report.type === 'event' && this.#order) this.#relayEvent(report.event, stray);
    else if (report.type === 'content' && !this.#order) this.#around.send(report);
    else throw stray;
    this.#answered ||= report.type === 'content';
    if (this.#answered) this.#engine?.dismiss(GRACE);
  };

  #relayEvent(event: WireEvent, stray: Error): void {
    this.#answered = event.type === 'end';
    if (event.type === 'end') return;
    if (event.type === 'refused' || event.type === 'ejected') throw stray;
    const card = 'cardId' in event ? this.#cards.get(event.cardId) : null;
    if (card === undefined || card?.settled === true) throw stray;
    if (card && event.type === 'phase') card.begun = this.#order?.action === 'flash';
    // The engine prepares a card by taking its partition table; that it is being prepared was said
    // when its device was taken.
    if (event.type === 'phase' && event.phase === 'preparing') return;
    // The engine does not know what was discarded before it got the device.
    const blank = event.type === 'card' && event.condition === 'untouched' && card?.emptied;
    this.#report(blank ? { ...event, condition: 'unfinished' } : event);
    if (!card || event.type !== 'card') return;
    card.settled = true;
    this.#givingBack.push(this.#giveBack(event.cardId, card.held, event.failure === null));
  }

  /** Cards of which the engine did not tell the end: nobody knows more than what it had begun. */
  #settleRest(cause: Failure): void {
    if (!this.#order && !this.#answered) this.#refuse([cause]);
    if (!this.#order) return;
    const problem = this.#stopping.signal.aborted ? failureOf(this.#stopping.signal.reason) : cause;
    for (const [cardId, card] of this.#cards) {
      if (!card.settled) this.#reportCard(cardId, card.begun, problem);
      card.settled = true;
    }
  }

  async #giveBack(cardId: string, held: HeldDevice, complete: boolean): Promise<void> {
    if (!complete) return held.release();
    const written = this.#order?.action === 'flash';
    const eject = written && this.#order.eject;
    if (eject) this.#report({ type: 'phase', cardId, phase: 'ejecting' });
    const ending = eject ? held.eject() : held.release(written).then(() => 'kept' as const);
    const ejected = await ending.then(
      (outcome) => ({ outcome, failure: null }),
      (cause: unknown) => ({ outcome: 'failed', failure: failureOf(cause) }) as const,
    );
    // A cancellation ends what ejects, which is no failure of the card or of its reader.
    const isCut = ejected.failure !== null && this.#stopping.signal.aborted;
    const told = isCut ? { outcome: 'kept' as const, failure: null } : ejected;
    this.#report({ type: 'ejected', cardId, ...told });
  }

  #reportCard(cardId: string, begun: boolean, cause: Failure): void {
    const condition = begun ? 'unfinished' : 'untouched';
    const nothing = { bytesWritten: 0, bytesVerified: 0, oldDataRemains: false };
    this.#report({ type: 'card', cardId, condition, failure: cause, ...nothing });
  }

  /** That all is as it was; but cards that changed, as a discard does it, have failed instead. */
  #refuse(failures: Failure[]): void {
    this.#answered = true;
    const [first] = failures;
    const isTouched = [...this.#cards.values()].some(({ begun }) => begun);
    if (isTouched && first) this.#settleRest(first);
    else if (this.#order) this.#report({ type: 'refused', failures });
    else for (const cause of failures) this.#around.send({ v, type: 'rejected', failure: cause });
  }

  #report(event: WireEvent): void {
    this.#around.send({ v, type: 'event', jobId: this.jobId, event });
  }
}

/**
 * The image, and the block map, for a caller who is root: what root may read, an engine that runs
 * as nobody may not. What cannot be opened is left to the engine, which says so in its own words.
 */
function openFiles(files: readonly string[]): number[] {
  const opened: number[] = [];
  try {
    // Without O_NONBLOCK a pipe would wait here for its other end.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    for (const file of files) opened.push(openSync(file, flags));
  } catch {
    opened.splice(0).forEach(closeSync);
  }
  return opened;
}
