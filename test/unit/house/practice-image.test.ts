import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootFiles } from '../../../scripts/practice-image/content.ts';
import {
  layout,
  makePracticeImage,
  toolVersions,
} from '../../../scripts/practice-image/PracticeImage.ts';

const shipped = path.resolve('assets/practice.img.xz');
const facts = JSON.parse(readFileSync('assets/practice.json', 'utf8')) as {
  size: number;
  sha256: string;
  madeWith: string[];
};

function tool(name: string, ...words: string[]): string {
  const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
  return execFileSync(name, words, { encoding: 'utf8', env: { PATH }, stdio: 'pipe' });
}

/** Everything below reads file systems with the tools that Linux has for them. */
describe.runIf(process.platform === 'linux')('the practice image', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-practice-'));
  const boot = path.join(folder, 'boot.fat');
  const root = path.join(folder, 'root.ext4');
  let image = Buffer.alloc(0);

  beforeAll(() => {
    image = execFileSync('xz', ['-dc', shipped], { maxBuffer: 2 * layout.size });
    const part = ({ start, size }: typeof layout.boot) => image.subarray(start, start + size);
    writeFileSync(boot, part(layout.boot));
    writeFileSync(root, part(layout.root));
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('takes at most 1 MiB in the repository', () => {
    expect(statSync(shipped).size).toBeLessThanOrEqual(1024 * 1024);
  });

  it('is what assets/practice.json says', () => {
    expect(image.length).toBe(facts.size);
    expect(createHash('sha256').update(image).digest('hex')).toBe(facts.sha256);
  });

  it('has the partition table of a Raspberry Pi OS card', () => {
    const whole = path.join(folder, 'whole.img');
    writeFileSync(whole, image);
    const table = JSON.parse(tool('sfdisk', '--json', whole)) as {
      partitiontable: { label: string; id: string; partitions: { start: number; type: string }[] };
    };
    const { label, id, partitions } = table.partitiontable;
    expect({ label, id }).toEqual({ label: 'dos', id: '0xb0c4a7d1' });
    expect(partitions.map(({ start, type }) => ({ start, type }))).toEqual([
      { start: 8192, type: 'c' },
      { start: 90112, type: '83' },
    ]);
  });

  it('has a clean FAT32 boot partition with the files of Raspberry Pi OS', () => {
    expect(tool('fsck.vfat', '-n', '-v', boot)).toMatch(/2 FATs, 32 bit entries/);
    for (const [name, content] of bootFiles) {
      expect(tool('mtype', '-i', boot, `::${name}`)).toBe(content);
    }
  });

  it('has a clean ext4 root file system', () => {
    expect(tool('e2fsck', '-fn', root)).toMatch(/^rootfs: \d+\/\d+ files/m);
    const read = (file: string) => tool('debugfs', '-R', `cat ${file}`, root);
    expect(read('/etc/hostname')).toBe('raspberrypi\n');
    expect(read('/usr/lib/os-release')).toMatch(/^ID=debian$/m);
    expect(tool('debugfs', '-R', 'stat /home/pi', root)).toMatch(/Mode:\s+0700.*User:\s+1000/s);
    expect(tool('debugfs', '-R', 'stat /etc/shadow', root)).toMatch(/Mode:\s+0600.*User:\s+0 /s);
  });

  it.runIf(toolVersions().join() === facts.madeWith.join())(
    'is made anew byte for byte by the tools that made it',
    () => {
      const { compressed, sha256 } = makePracticeImage(folder);
      expect(sha256).toBe(facts.sha256);
      expect(readFileSync(compressed).equals(readFileSync(shipped))).toBe(true);
    },
  );
});
