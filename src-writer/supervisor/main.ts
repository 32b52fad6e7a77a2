import { fileURLToPath } from 'node:url';
import { jsonLine } from '../../src-core/JsonLines.ts';
import { scanDrives } from '../../src-drives/scanDrives.ts';
import { Supervisor } from './Supervisor.ts';
import { LinuxDevices } from './linux/LinuxDevices.ts';

/** Longest that permission lasts. Milliseconds. */
const LIFETIME = 8 * 60 * 60 * 1000;

function main(): void {
  process.chdir('/');
  process.umask(0o077);
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const supervisor = new Supervisor({
    platform: new LinuxDevices(folder),
    scan: (image) => scanDrives({ program: [folder, process.execPath], image, cache: null }),
    send: (report) => process.stdout.write(jsonLine(report)),
  });
  const leave = (): void => {
    setTimeout(() => process.exit(), 1000);
    void supervisor.idle(true).then(() => process.exit());
  };
  process.stdin.setEncoding('utf8').on('data', (text: string) => {
    if (!supervisor.take(text)) leave();
  });
  process.stdin.on('end', leave).on('error', leave);
  process.stdout.on('error', leave);
  // What the terminal sends to everyone (Ctrl+C, its end) is for the program to answer.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  process.on('SIGTERM', leave);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) leave();
  }, 250);
  setTimeout(() => void supervisor.idle(false).then(leave), LIFETIME);
}

main();
