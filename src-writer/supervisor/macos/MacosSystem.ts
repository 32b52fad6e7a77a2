import { closeSync, fstatSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { runTool, toolPath } from '../SystemTool.ts';

/** What the adapter asks of macOS; tests give a double. */
export interface MacosSystem {
  run(tool: 'diskutil' | 'ioreg', ...args: string[]): ReturnType<typeof runTool>;
  /** @throws the system's error, with its `code` */
  open(path: string, flags: number): number;
  isCharacterDevice(fd: number): boolean;
  close(fd: number): void;
  /** @param milliseconds how long to wait before something is tried again */
  pause(milliseconds: number): Promise<void>;
}

export const macosSystem: MacosSystem = {
  run: (tool, ...args) => runTool(toolPath(tool, 'macOS'), args),
  open: openSync,
  isCharacterDevice: (fd) => fstatSync(fd).isCharacterDevice(),
  close: closeSync,
  pause: (milliseconds) => pause(milliseconds),
};
