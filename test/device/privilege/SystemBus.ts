import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const SOCKET = '/run/dbus/system_bus_socket';

/** The machine's message bus with polkit on it; both are started, and ended, where there are none. */
export class SystemBus implements AsyncDisposable {
  readonly #started: ChildProcess[] = [];

  static async open(): Promise<SystemBus> {
    const bus = new SystemBus();
    if (await answers()) return bus;
    mkdirSync('/run/dbus', { recursive: true });
    bus.#start('/usr/bin/dbus-daemon', ['--system', '--nofork', '--nopidfile']);
    while (!(await answers())) await delay(50);
    bus.#start('/usr/lib/polkit-1/polkitd', ['--no-debug']);
    return bus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started.reverse()) {
      const gone = once(child, 'close');
      if (child.exitCode === null && child.kill()) await gone;
    }
  }

  #start(file: string, args: readonly string[]): void {
    const child = spawn(file, args, { stdio: 'ignore' });
    this.#started.push(child);
  }
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(SOCKET);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
}
