import { readdirSync, readFileSync } from 'node:fs';
import { fail } from '../../src-core/Failure.ts';

/** ENODEV is what sysfs says of a device that goes away at this moment. */
const absent: readonly string[] = ['ENOENT', 'ENODEV'];

/** Also what /proc says of a process that is not ours. */
export const absentOrForbidden: readonly string[] = [...absent, 'EACCES', 'EPERM'];

/**
 * Reads a table or an attribute of the kernel without which a drive in use could look free.
 * @param accepted error codes that count as "not there", given as null
 * @throws FailureError drive-list-unavailable where it is there and cannot be read
 */
export function readKernelFile(path: string, accepted = absent): string | null {
  return read(path, accepted, () => readFileSync(path, 'utf8'));
}

/**
 * The names in a folder of the kernel, sorted; empty where it is not there.
 * @throws FailureError drive-list-unavailable where it is there and cannot be read
 */
export function readKernelFolder(path: string): string[] {
  return read(path, absent, () => readdirSync(path).sort()) ?? [];
}

function read<Content>(
  path: string,
  accepted: readonly string[],
  content: () => Content,
): Content | null {
  try {
    return content();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (accepted.includes(code)) return null;
    throw fail('drive-list-unavailable', { detail: `${path} ${code}`.trim() }, { cause });
  }
}
