/** One mount as /proc/PID/mountinfo shows it (proc_pid_mountinfo(5)). */
export interface MountEntry {
  /** "major:minor"; major 0 for file systems without a device of their own (btrfs, overlay, zfs). */
  readonly number: string;
  readonly path: string;
  readonly fileSystem: string;
  readonly source: string;
  /** Options of the file system itself: an overlay's layers stand here. */
  readonly options: readonly string[];
}

/** Space, tab, newline and backslash stand as \040, \011, \012 and \134 in the tables of /proc. */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Reads a mount table; lines that do not have its form are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    const [, , number, , path] = fields;
    const [fileSystem, source, options] = dash < 0 ? [] : fields.slice(dash + 1);
    if (number === undefined || !/^\d+:\d+$/.test(number)) return [];
    if (path?.startsWith('/') !== true || fileSystem === undefined || source === undefined)
      return [];
    return [
      {
        number,
        path: unescapeOctal(path),
        fileSystem,
        source: unescapeOctal(source),
        options: (options ?? '').split(',').map(unescapeOctal),
      },
    ];
  });
}

export interface SwapArea {
  /** A device or a file. */
  readonly path: string;
}

/** Reads /proc/swaps (proc_swaps(5)). */
export function parseSwaps(text: string): SwapArea[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [path] = line.split(/\s+/);
      return path?.startsWith('/') === true ? [{ path: unescapeOctal(path) }] : [];
    });
}

/** Whether a path is a folder or lies below it. */
export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The mount that a file lies on: the longest that leads to it, the later one where two cover it. */
export function mountOf(path: string, mounts: readonly MountEntry[]): MountEntry | null {
  let found: MountEntry | null = null;
  for (const mount of mounts) {
    if (!isBelow(path, mount.path)) continue;
    if (found === null || mount.path.length >= found.path.length) found = mount;
  }
  return found;
}
