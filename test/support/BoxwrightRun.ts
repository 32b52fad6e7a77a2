import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { cliJsonSchema, type CliJson } from '../../src-contract/CliJson.ts';

const PRODUCT = fileURLToPath(new URL('../../dist/boxwright.mjs', import.meta.url));

type Told<Type extends CliJson['type']> = Extract<CliJson, { readonly type: Type }>;

export interface RunEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it wrote to standard error. */
  readonly complaint: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A run of the built command with `--json`, every line of which is held against the schema. */
export class BoxwrightRun implements AsyncDisposable {
  readonly reports: CliJson[] = [];
  readonly ended: Promise<RunEnd>;
  readonly #child: ChildProcess;
  readonly #told = new EventEmitter();
  readonly #times = new WeakMap<CliJson, number>();
  #isOver = false;

  /** @param words after `boxwright`, without `--json` */
  constructor(words: readonly string[], wrap: (command: string[]) => string[] = (same) => same) {
    const [program = '', ...rest] = wrap([process.execPath, PRODUCT, ...words, '--json']);
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    createInterface(child.stdout).on('line', (line) => {
      const report = cliJsonSchema.parse(JSON.parse(line));
      this.#times.set(report, Date.now());
      this.reports.push(report);
      this.#told.emit('report');
    });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    this.ended = once(child, 'close').then((values): RunEnd => {
      const [exitCode, signal] = values as [number | null, NodeJS.Signals | null];
      this.#isOver = true;
      this.#told.emit('report');
      return { exitCode, signal, complaint, at: Date.now() };
    });
  }

  /** The reports of one type so far. */
  all<Type extends CliJson['type']>(type: Type): Told<Type>[] {
    return this.reports.filter((report): report is Told<Type> => report.type === type);
  }

  /** Waits for the first report that fits. @throws Error when the run ends without one */
  async first<Type extends CliJson['type']>(
    type: Type,
    fits: (report: Told<Type>) => boolean = () => true,
  ): Promise<Told<Type>> {
    for (;;) {
      const found = this.all(type).find(fits);
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`no such "${type}" in ${JSON.stringify(this.reports)}`);
      await once(this.#told, 'report');
    }
  }

  /** When a report came, in milliseconds since the epoch. */
  timeOf(report: CliJson): number {
    return this.#times.get(report) ?? NaN;
  }

  /** What was told of a card (by its path), in order and without progress: its phases, then its end. */
  story(device: string): string[] {
    const card = this.all('job')[0]?.cards.find(({ drive }) => drive === device);
    return this.reports.flatMap((report) => {
      if (!('cardId' in report) || report.cardId !== card?.cardId) return [];
      if (report.type === 'phase') return [report.phase];
      if (report.type !== 'card') return [];
      const failure = report.problem?.failure.code ?? 'no failure';
      return [`${report.state}, ${report.condition}, ${failure}`];
    });
  }

  /** Asks it to stop, as Ctrl+C does: every process of its group is told. */
  interrupt(): void {
    process.kill(-this.pid, 'SIGINT');
  }

  /** Kills it and everything that it started, with no chance to tidy up. */
  killAll(): void {
    for (const pid of [this.pid, ...descendants(this.pid)]) kill(pid);
  }

  /** Kills the process that writes, and only that. @throws Error when there is none */
  killEngine(): void {
    const engine = descendants(this.pid).filter((pid) =>
      readFileSync(`/proc/${String(pid)}/cmdline`, 'latin1').includes('engine'),
    );
    if (engine.length === 0) throw new Error('no engine runs');
    engine.forEach(kill);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the command did not start');
    return this.#child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.killAll();
    await this.ended;
  }
}

/** Runs the command to its end. */
export async function runBoxwright(
  words: readonly string[],
): Promise<RunEnd & { readonly run: BoxwrightRun }> {
  const run = new BoxwrightRun(words);
  return { ...(await run.ended), run };
}

/** The words for flashing an image to devices that are not what cards usually are. */
export function flashWords(
  image: string,
  devices: readonly { readonly path: string }[],
  ...options: string[]
): string[] {
  const targets = devices.flatMap(({ path }) => ['--to', path]);
  return ['flash', image, ...targets, '--yes', '--allow-virtual', '--no-eject', ...options];
}

/** Ids of all processes that a process started, directly or not. */
export function descendants(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${String(pid)}/task`).flatMap((task) =>
      readFileSync(`/proc/${String(pid)}/task/${task}/children`, 'latin1')
        .split(' ')
        .filter(Boolean)
        .map(Number),
    );
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
  }
}
