import type { CardContent, DriveOrder, EngineOrder } from '../src-contract/WriterWire.ts';
import type { FlashEvent } from '../src-core/FlashEvent.ts';

export type DriveTarget = DriveOrder['targets'][number];

/** A job on a practice card: the engine alone, with the caller's own rights. */
export interface PracticeOrder {
  readonly jobId: string;
  readonly action: EngineOrder['action'];
  readonly image: DriveOrder['image'];
  /** Absolute path of the plain file that plays the card, and its size in bytes. */
  readonly path: string;
  readonly size: number;
  readonly cardId: string;
  readonly verify: boolean;
}

/**
 * The writer as the command line and the app see it. One instance lives as long as the program:
 * permission is asked at the first job on a real drive and not again.
 */
export interface Writer {
  /** Starts what the first job on a drive will need, where nobody has to be asked for it. Never throws. */
  warmUp(): void;
  /**
   * Runs one job on whole drives; resolves when the writer has said `end`.
   * @throws FailureError permission-*, writer-ended (the stream ended without a verdict),
   *   writer-unreachable, writer-busy, protocol-mismatch, request-invalid
   */
  runOnDrives(order: DriveOrder, report: (event: FlashEvent) => void): Promise<void>;
  /** Runs one job on a practice card. @throws FailureError writer-ended */
  runOnPracticeCard(order: PracticeOrder, report: (event: FlashEvent) => void): Promise<void>;
  /** Looks at what is on a drive. @throws FailureError as runOnDrives */
  inspectDrive(jobId: string, target: DriveTarget): Promise<CardContent>;
  /** Looks at what is on a practice card. */
  inspectPracticeCard(jobId: string, path: string): Promise<CardContent>;
  /** Cancels one card, or all with null. A job that is not running is left alone. */
  cancel(jobId: string, cardId: string | null): void;
  /** Ends the writer; a running job is cancelled. Never waits longer than a second. */
  close(): Promise<void>;
}
