import { Worker } from 'node:worker_threads';
import type { ThreadStart } from './ThreadMessages.ts';

/** The engine's own text, where the launcher evaluated it after reading it with other rights. */
declare const engineText: string | undefined;

/** As much of a worker thread as the engine uses. */
export interface EngineThread<Command, Reply> {
  postMessage(command: Command): void;
  on(event: 'message', listener: (reply: Reply) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'exit', listener: () => void): unknown;
  terminate(): Promise<unknown>;
}

/**
 * A thread's heap is kept small: image bytes live in the ring, and a card writer runs on laptops
 * with little memory. Megabytes.
 */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** Starts a thread that runs this same program; what it does is said by its start message. */
export function startEngineThread(start: ThreadStart): Worker {
  const options = { workerData: start, resourceLimits: LIMITS, stdin: false };
  return typeof engineText === 'string'
    ? new Worker(engineText, { ...options, eval: true })
    : new Worker(__filename, options);
}
