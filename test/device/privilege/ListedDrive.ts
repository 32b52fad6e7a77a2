import type { Drive } from '../../../src-core/Drive.ts';
import { scanDrives } from '../../../src-drives/scanDrives.ts';

/** A drive as the program saw it when it was chosen. @param path as the scan lists it */
export async function listedDrive(path: string): Promise<Drive> {
  const drives = await scanDrives({ program: [], image: [], cache: null });
  const drive = drives.find((seen) => seen.path === path);
  if (drive === undefined) throw new Error(`${path} was not listed`);
  return drive;
}
