import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Drive } from '../../../src-core/Drive.ts';

const SCRIPT = fileURLToPath(new URL('./HoldScript.ts', import.meta.url));

/** Takes a drive in a process of its own, for which the machine's files can look otherwise. */
export class StagedHold implements AsyncDisposable {
  /** The failure, or null; rejects when it did not get as far as to say. */
  readonly answer: Promise<unknown>;
  readonly #child: ChildProcessByStdio<null, Readable, null>;

  /** @param setting shell commands that arrange its mounts, which nobody else sees */
  constructor(setting: string, drive: Drive, ending: 'eject' | 'release' = 'release') {
    const arranged = ['/bin/sh', '-ec', `${setting}\nexec "$@"`, 'sh'];
    const command = [process.execPath, SCRIPT, JSON.stringify(drive), ending];
    this.#child = spawn('/usr/bin/unshare', ['--mount', '--', ...arranged, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.answer = text(this.#child.stdout).then((said) => JSON.parse(said) as unknown);
    this.answer.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (!isOver && this.#child.kill('SIGKILL')) await once(this.#child, 'close');
  }
}
