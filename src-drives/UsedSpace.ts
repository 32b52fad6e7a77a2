import { statfs } from 'node:fs/promises';
import type { Drive, Partition } from '../src-core/Drive.ts';
import { withinDeadline } from './Deadline.ts';

/** Bytes in use of the file system mounted there. May reject, and may take forever. */
export type UsedSpace = (mountPoint: string) => Promise<number>;

export const usedSpaceHere: UsedSpace = async (mountPoint) => {
  const { bsize, blocks, bfree } = await statfs(mountPoint);
  return bsize * (blocks - bfree);
};

/** Milliseconds that a file system may take to say how full it is; a dead one never does. */
const PATIENCE = 200;

/** The drive with the space in use on each partition that is mounted. */
export async function withUsedSpace(drive: Drive, usedSpace: UsedSpace): Promise<Drive> {
  const partitions = await Promise.all(
    drive.partitions.map(async (partition): Promise<Partition> => {
      const [mount] = partition.mounts;
      if (mount === undefined) return partition;
      return { ...partition, used: await withinDeadline(usedSpace(mount.path), PATIENCE) };
    }),
  );
  return { ...drive, partitions };
}
