import { readdirSync, readFileSync } from 'node:fs';

const PAGE = 4096;
/** Milliseconds between two samples. */
const INTERVAL = 40;

/** Bytes; the largest sums seen at one time over all processes of a tree. */
export interface PeakMemory {
  /** Resident set sizes added up: pages shared between processes count once for each. */
  readonly rss: number;
  /** Proportional set sizes added up: every page counts once. */
  readonly pss: number;
}

/**
 * Samples the memory of a process and all its descendants from /proc (proc_pid_statm(5),
 * proc_pid_smaps(5)). A descendant stays in the account when its parent ends before it.
 */
export class MemoryAccounting implements Disposable {
  readonly #known: Set<number>;
  readonly #timer: NodeJS.Timeout;
  #rss = 0;
  #pss = 0;

  /** @param pid the process that was started, not a wrapper around it */
  constructor(pid: number) {
    this.#known = new Set([pid]);
    this.#timer = setInterval(() => {
      this.#sample();
    }, INTERVAL);
    this.#sample();
  }

  get peak(): PeakMemory {
    return { rss: this.#rss, pss: this.#pss };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #sample(): void {
    let rss = 0;
    let pss = 0;
    // A set that grows while it is walked is walked to its new end.
    for (const pid of this.#known) {
      try {
        rss += residentBytes(pid);
        pss += proportionalBytes(pid);
        for (const child of children(pid)) this.#known.add(child);
      } catch {
        this.#known.delete(pid);
      }
    }
    this.#rss = Math.max(this.#rss, rss);
    this.#pss = Math.max(this.#pss, pss);
  }
}

function residentBytes(pid: number): number {
  const [, resident] = readFileSync(`/proc/${String(pid)}/statm`, 'latin1').split(' ');
  return Number(resident) * PAGE;
}

function proportionalBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'latin1');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
}

function children(pid: number): number[] {
  const tasks = `/proc/${String(pid)}/task`;
  return readdirSync(tasks).flatMap((task) =>
    readFileSync(`${tasks}/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}
