import { fileURLToPath } from 'node:url';
import { jsonLine } from '../../src-core/JsonLines.ts';
import { scanDrives } from '../../src-drives/scanDrives.ts';
import { Supervisor } from './Supervisor.ts';
import type { DevicePlatform } from './DevicePlatform.ts';
import { LinuxDevices } from './linux/LinuxDevices.ts';
import { MacosDevices } from './macos/MacosDevices.ts';
import { programStreams } from './windows/ProgramPipe.ts';
import { WindowsDevices } from './windows/WindowsDevices.ts';

/** Longest that permission lasts. Milliseconds. */
const LIFETIME = 8 * 60 * 60 * 1000;

/** A job that is running at its end gets this long to finish. Milliseconds. */
const LAST_JOB = 60 * 60 * 1000;

type Devices = new (folder: string) => DevicePlatform;

const elsewhere: Partial<Record<string, Devices>> = { darwin: MacosDevices, win32: WindowsDevices };

async function main(): Promise<void> {
  // sudo relays SIGUSR1 from whoever called it, and Node would answer with a debugger that has rights.
  if (process.platform !== 'win32' && !process.execArgv.includes('--disable-sigusr1'))
    throw new Error('the supervisor must be started with --disable-sigusr1');
  // What the terminal sends to everyone (Ctrl+C, its end) is for the program to answer.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  process.chdir('/');
  process.umask(0o077);
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const [input, output] = await programStreams(process.argv.slice(2));
  const supervisor = new Supervisor({
    platform: new (elsewhere[process.platform] ?? LinuxDevices)(folder),
    scan: (image) => scanDrives({ program: [folder, process.execPath], image, cache: null }),
    send: (report) => output.write(jsonLine(report)),
  });
  const leave = (): void => {
    setTimeout(() => process.exit(), 1000);
    void supervisor.idle(true).then(() => process.exit());
  };
  input.setEncoding('utf8').on('data', (text: string) => {
    if (!supervisor.take(text)) leave();
  });
  input.on('end', leave).on('error', leave);
  output.on('error', leave);
  process.on('SIGTERM', leave);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) leave();
  }, 250);
  setTimeout(() => void supervisor.idle(false).then(leave), LIFETIME);
  setTimeout(leave, LIFETIME + LAST_JOB);
}

await main();
