import type { Readable, Writable } from 'node:stream';
import { fail } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import { LinuxElevation } from './LinuxElevation.ts';
import { MacosElevation } from './MacosElevation.ts';
import { WindowsElevation } from './WindowsElevation.ts';

/** How a started program ended, and what it or the tool that started it said on its way. */
export interface ProgramEnding {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last of its standard error, at most 4096 characters. */
  readonly errorText: string;
}

/** A program that was started and can be talked to, whatever lies in between. */
export interface RunningProgram {
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when it is gone. Never rejects. */
  readonly ended: Promise<ProgramEnding>;
  /** Ends it by force, where the system lets us. */
  kill(): void;
}

/** One way of asking for permission. */
export interface ElevationWay {
  /** Whether the rights are there already, so that nobody is disturbed by a start. */
  readonly asksNobody: boolean;
  /** Starts a fixed command line with rights; permission is asked for meanwhile. */
  start(command: readonly string[]): RunningProgram;
  /** Why the program never came to speak. */
  explain(ending: ProgramEnding): Failure;
}

/** How a system gives a program the right to write to drives. One implementation for each. */
export interface Elevation {
  /**
   * The ways to try, in order: the next one only where the one before cannot ask at all, or asked
   * somebody who has no such right.
   * @throws FailureError permission-tool-missing
   */
  ways(): Promise<readonly ElevationWay[]>;
}

/** @throws FailureError permission-tool-missing on a system without an implementation */
export function systemElevation(): Elevation {
  if (process.platform === 'linux') return new LinuxElevation();
  if (process.platform === 'darwin') return new MacosElevation();
  if (process.platform === 'win32') return new WindowsElevation();
  throw fail('permission-tool-missing', { tools: process.platform });
}
