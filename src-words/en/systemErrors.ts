import type { WordTable } from '../WordTable.ts';

/** What the system's error names say (POSIX.1-2017, errno.h; ENOMEDIUM is Linux' own). */
export const systemErrors: WordTable['systemErrors'] = {
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'what should be a folder is none',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in circles',
  EROFS: 'it is read-only',
  ENOSPC: 'there is no space left',
  EDQUOT: 'your share of the space is used up',
  EBUSY: 'it is in use',
  EIO: 'the device reported an error',
  ENXIO: 'the device is gone',
  ENODEV: 'the device is gone',
  ENOMEDIUM: 'there is no card in it',
  ETIMEDOUT: 'no answer came in time',
  ESTALE: 'the network share does not know it any more',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};
