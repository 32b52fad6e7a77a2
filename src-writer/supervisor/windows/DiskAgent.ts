import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { diskAgentScript } from './diskAgentScript.ts';

const WINDOWS = process.env['SystemRoot'] ?? 'C:\\Windows';
const POWERSHELL = `${WINDOWS}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`;
const SCRIPT = Buffer.from(diskAgentScript, 'utf16le').toString('base64');
const COMMAND = [POWERSHELL, '-NoLogo', '-NoProfile', '-NonInteractive', '-EncodedCommand', SCRIPT];

/** Add-Type compiles in TEMP, which is not to be the caller's; Node adds what Windows needs. */
const ENVIRONMENT = { TEMP: `${WINDOWS}\\Temp`, TMP: `${WINDOWS}\\Temp` };

/** An agent that was told to end gets this long. Milliseconds. */
const GRACE = 1000;

/** What Windows said: its error number (0 for none, -1 where the agent is gone) and a value. */
export interface DiskAnswer {
  readonly error: number;
  readonly value: string;
}

/** Calls Windows for one drive; whatever it opened or locked stays so until it ends. */
export interface DiskAgent {
  /**
   * Never rejects; one question at a time. A device that is dead may leave it without an answer.
   * @param words without spaces, see diskAgentScript
   */
  ask(...words: string[]): Promise<DiskAnswer>;
  /** Gives everything back. Never rejects; may be called twice. */
  end(): Promise<void>;
}

/**
 * A PowerShell of its own for each drive: its calls wait for the device, so that one dead reader
 * would keep all other cards waiting. Ends with its input, and so with the supervisor.
 */
export class PowerShellAgent implements DiskAgent {
  readonly #child;
  readonly #answers;
  readonly #ended: Promise<string>;

  /** @param command that speaks as the script does */
  constructor([file = '', ...args]: readonly string[] = COMMAND) {
    this.#child = spawn(file, args, { env: ENVIRONMENT, windowsHide: true });
    this.#child.on('error', () => undefined).stdin.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#child.stdout });
    const errorText = text(this.#child.stderr);
    this.#ended = once(this.#child, 'close').then(() => errorText, String);
  }

  async ask(...words: string[]): Promise<DiskAnswer> {
    this.#child.stdin.write(`${words.join(' ')}\n`);
    const line = await Promise.race([once(this.#answers, 'line').then(String), this.#ended]);
    const [, error = -1, value = line] = /^(\d{1,10}) (.{0,4096})$/.exec(line) ?? [];
    return { error: Number(error), value: value.trim().slice(0, 1000) };
  }

  /** A call that a dead device never answers keeps even a killed process; nobody waits for it. */
  async end(): Promise<void> {
    this.#child.stdin.end();
    setTimeout(() => this.#child.kill('SIGKILL'), GRACE).unref();
    await Promise.race([this.#ended, pause(GRACE + 200, null, { ref: false })]);
  }
}
