import type { MacosSystem } from '../../../src-writer/supervisor/macos/MacosSystem.ts';

type Said = Awaited<ReturnType<MacosSystem['run']>>;

export const said = (output: string): Said => ({ ok: true, output, errorText: '' });
export const refused = (errorText: string): Said => ({ ok: false, output: '', errorText });

/** What diskutil prints, from public reports. */
export const diskutilSays = {
  /** https://github.com/hypriot/flash/issues/16 */
  unmounted: said('Unmount of all volumes on disk2 was successful'),
  /** https://github.com/veracrypt/VeraCrypt/issues/1872 */
  dissented: refused(
    'Unmount of disk2 failed: at least one volume could not be unmounted\n' +
      'Unmount was dissented by PID 9572 (/Library/Application Support/fuse-t/bin/go-nfsv4-1.2.7)\n' +
      'Dissenter parent PPID 1 (/sbin/launchd)',
  ),
  /** https://github.com/balena-io/balena-cli/issues/756 */
  forceFailed: refused(
    'Forced unmount of disk2 failed: at least one volume could not be unmounted',
  ),
  /** What diskutil says of a name that no disk has, as programs around it quote it. */
  gone: refused('Unable to find disk for /dev/disk2'),
  ejected: said('Disk /dev/disk2 ejected'),
};

/**
 * The keys of `diskutil info -plist` that are read, as macOS prints them
 * (https://github.com/balena-io-modules/drivelist/issues/213 and the etcher log of
 * https://github.com/balena-io/etcher/issues/3670, whose card this is).
 */
export function infoPlist(keys: Readonly<Record<string, number | string | boolean>>): string {
  const value = (of: number | string | boolean): string => {
    if (typeof of === 'boolean') return of ? '<true/>' : '<false/>';
    return typeof of === 'number' ? `<integer>${String(of)}</integer>` : `<string>${of}</string>`;
  };
  const all = { DeviceIdentifier: 'disk2', BusProtocol: 'USB', DeviceBlockSize: 512, ...keys };
  const lines = Object.entries(all).map(([key, of]) => `\t<key>${key}</key>\n\t${value(of)}`);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n${lines.join('\n')}\n</dict>\n</plist>`;
}

/** What `ioreg -a -l -r -c IOMedia -d 1` prints of one whole disk. */
export function mediaPlist(name: string, entryId: number): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0">
<array>
	<dict>
		<key>BSD Name</key>
		<string>${name}</string>
		<key>IOObjectClass</key>
		<string>IOMedia</string>
		<key>IORegistryEntryID</key>
		<integer>${String(entryId)}</integer>
		<key>Whole</key>
		<true/>
	</dict>
</array>
</plist>`;
}

/** A Mac with one card in it, which writes down everything that is asked of it. */
export class RecordedMac implements MacosSystem {
  readonly steps: string[] = [];
  /** Answers by the beginning of the command line, each used up but the last. */
  readonly answers = new Map<string, Said[]>([
    ['diskutil unmountDisk force', [diskutilSays.unmounted]],
    ['diskutil unmountDisk', [diskutilSays.unmounted]],
    ['diskutil unmount ', [said('Volume boot on disk2s1 unmounted')]],
    ['diskutil eject', [diskutilSays.ejected]],
    ['diskutil info', [said(infoPlist({ TotalSize: 31_914_983_424, WritableMedia: true }))]],
    ['ioreg', [said(mediaPlist('disk2', 4294970720))]],
  ]);
  /** The code of the error that opening gives; null opens. */
  openError: string | null = null;
  isDevice = true;
  openFlags = 0;

  run(tool: string, ...args: string[]): Promise<Said> {
    const line = [tool, ...args].join(' ');
    this.steps.push(line);
    for (const [start, answers] of this.answers) {
      if (!line.startsWith(start)) continue;
      const [first, ...rest] = answers;
      if (rest.length > 0) this.answers.set(start, rest);
      if (first) return Promise.resolve(first);
    }
    return Promise.reject(new Error(`nothing recorded for ${line}`));
  }

  open(path: string, flags: number): number {
    this.steps.push(`open ${path}`);
    this.openFlags = flags;
    if (this.openError === null) return 17;
    throw Object.assign(new Error(this.openError), { code: this.openError });
  }

  isCharacterDevice(): boolean {
    return this.isDevice;
  }

  close(fd: number): void {
    this.steps.push(`close ${String(fd)}`);
  }

  pause(): Promise<void> {
    this.steps.push('pause');
    return Promise.resolve();
  }
}
