import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';

/** Ends of a program that a person or a service manager asks for. */
const requests = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);

/**
 * Runs a program in this one's place: same terminal, same end. Node 20 cannot replace its own
 * process, so this one waits behind and outlives the child.
 *
 * A terminal delivers Ctrl+C to every process in the foreground, the child included, and npm then
 * sends it once more to its own child, which is this process. Passing that on would make the child
 * see it twice, and a second Ctrl+C means "now". So keys are left to the terminal where there is
 * one, and everything else is passed on.
 * @param {string} program absolute path
 * @param {readonly string[]} words its arguments
 * @param {string} folder where it runs
 * @returns {Promise<number>} its exit code
 */
export function becomeChild(program, words, folder) {
  const child = spawn(program, words, { cwd: folder, stdio: 'inherit' });
  const keysReachChild = hasTerminal();
  for (const signal of requests) {
    process.on(signal, () => {
      const isKey = signal === 'SIGINT' || signal === 'SIGQUIT';
      if (!(isKey && keysReachChild)) child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === null) {
        resolve(code ?? 1);
        return;
      }
      for (const request of requests) process.removeAllListeners(request);
      process.kill(process.pid, signal);
      // Where the signal does not end this process, the code that a shell would give it does.
      resolve(128 + constants.signals[signal]);
    });
  });
}

function hasTerminal() {
  if (process.platform === 'win32') return true;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
