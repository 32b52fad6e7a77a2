import { parseArgs } from 'node:util';
import type { Drive } from '../../../src-core/Drive.ts';
import { failureOf } from '../../../src-core/Failure.ts';
import { LinuxDevices } from '../../../src-writer/supervisor/linux/LinuxDevices.ts';

/**
 * `node HoldScript.ts DRIVE ENDING`: takes a drive (in JSON) as the supervisor does for a job with a
 * block map, then ejects it or gives it back. Prints the failure as JSON, or null.
 */
async function main(drive: Drive, ending: string): Promise<void> {
  const { signal } = new AbortController();
  const platform = new LinuxDevices('/usr/lib/boxwright/');
  const held = await platform.hold(drive, { forWriting: true, discard: () => undefined, signal });
  if (ending === 'eject') await held.eject();
  else await held.release(true);
}

const { positionals } = parseArgs({ allowPositionals: true });
const [drive = '', ending = ''] = positionals;
const answer = await main(JSON.parse(drive) as Drive, ending).then(() => null, failureOf);
process.stdout.write(JSON.stringify(answer));
