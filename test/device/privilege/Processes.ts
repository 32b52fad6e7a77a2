import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { descendants } from '../../support/BoxwrightRun.ts';

/** The engine, or another program of ours, below a process. */
export function programBelow(pid: number, program: string): number | null {
  const found = descendants(pid).find((child) => commandOf(child).includes(program));
  return found ?? null;
}

/** Waits for a process below another one to have become the tool. @param tool its absolute path */
export async function toolBelow(pid: number, tool: string): Promise<number> {
  for (;;) {
    const found = descendants(pid).find((child) => commandOf(child).startsWith(`${tool} `));
    if (found !== undefined) return found;
    await delay(5);
  }
}

/** The command line of a process, empty when it is gone. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Milliseconds until none of the processes is there any more. @throws Error after `limit` */
export async function timeUntilGone(pids: readonly number[], limit: number): Promise<number> {
  const start = performance.now();
  for (;;) {
    const alive = pids.filter((pid) => isAlive(pid));
    const passed = performance.now() - start;
    if (alive.length === 0) return passed;
    if (passed > limit) throw new Error(`still there: ${alive.map(commandOf).join('; ')}`);
    await delay(20);
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Fields of /proc/PID/status of every thread. */
export function threadStatus(pid: number): Record<string, string>[] {
  return readdirSync(`/proc/${String(pid)}/task`).map((thread) => {
    const text = readFileSync(`/proc/${String(pid)}/task/${thread}/status`, 'utf8');
    const lines = text.split('\n').map((line) => line.split(':\t'));
    return Object.fromEntries(lines.map(([name = '', value = '']) => [name, value]));
  });
}

/** What a process has open: descriptor and what it leads to. */
export function openDescriptors(pid: number): Map<number, string> {
  const folder = `/proc/${String(pid)}/fd`;
  return new Map(readdirSync(folder).map((fd) => [Number(fd), readlinkSync(`${folder}/${fd}`)]));
}
