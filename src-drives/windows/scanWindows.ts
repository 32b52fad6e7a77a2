import type { Drive } from '../../src-core/Drive.ts';
import { fail } from '../../src-core/Failure.ts';
import { findKeptFiles, realPathHere, type RealPath } from '../KeptFile.ts';
import type { ScanOptions } from '../ScanOptions.ts';
import { runTool, type ToolRunner } from '../ToolRunner.ts';
import { parseStorageReading } from './StorageReading.ts';
import { storageRun } from './StorageScript.ts';
import { WindowsDrives } from './WindowsDrives.ts';

/** What the scan asks of Windows; tests give a recorded one. */
export interface WindowsMachine {
  readonly runTool: ToolRunner;
  readonly realPath: RealPath;
}

export const windowsMachine: WindowsMachine = { runTool, realPath: realPathHere };

/**
 * Looks at the drives of a Windows machine through its Storage module. Programs with open files
 * are not looked for.
 * @throws FailureError drive-list-unavailable
 */
export async function scanWindows(options: ScanOptions, machine: WindowsMachine): Promise<Drive[]> {
  const [printed, keptFiles] = await Promise.all([
    machine.runTool(storageRun),
    findKeptFiles(options, machine.realPath),
  ]);
  const reading = printed === null ? null : parseStorageReading(printed);
  if (reading === null) throw fail('drive-list-unavailable', { detail: 'Get-Disk' });
  return new WindowsDrives(reading, keptFiles).drives();
}
