import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import type { Drive } from '../../../src-core/Drive.ts';
import { scanLinux } from '../../../src-drives/linux/scanLinux.ts';
import { scanMacos } from '../../../src-drives/macos/scanMacos.ts';
import type { ScanOptions } from '../../../src-drives/ScanOptions.ts';
import type { ToolCaller, ToolRunner } from '../../../src-drives/ToolRunner.ts';
import { scanWindows } from '../../../src-drives/windows/scanWindows.ts';

const common = {
  machine: z.string().min(1),
  /** The public report or documentation that the output was taken from. */
  source: z.url(),
  /** What was done to it, and what had to be added. */
  transcribed: z.string().min(1),
  expected: z.record(
    z.string(),
    z.strictObject({ verdict: z.string(), reasons: z.array(z.string()) }),
  ),
};
const attributes = z.record(z.string(), z.string());

const machineSchema = z.discriminatedUnion('platform', [
  z.strictObject({
    ...common,
    platform: z.literal('linux'),
    lsblk: z.unknown(),
    /** By device: "path" below /sys, and the attributes that were seen. */
    sysfs: z.record(z.string(), attributes).default({}),
    /** Attributes of other folders, by path below /sys. */
    sysfsFiles: attributes.default({}),
    mountinfo: z.array(z.string()).default([]),
    swaps: z.array(z.string()).default([]),
  }),
  z.strictObject({
    ...common,
    platform: z.literal('macos'),
    diskutilList: z.unknown(),
    diskutilInfo: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({ ...common, platform: z.literal('windows'), storage: z.unknown() }),
]);
export type RecordedMachine = z.infer<typeof machineSchema>;
type RecordedLinux = Extract<RecordedMachine, { platform: 'linux' }>;

/** Every recorded machine, by the name of its file. */
export function recordedMachines(): [name: string, machine: RecordedMachine][] {
  const folder = join(import.meta.dirname, 'machines');
  return readdirSync(folder)
    .sort()
    .map((file) => [
      basename(file, '.json'),
      machineSchema.parse(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
    ]);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}\n`);
}

/** Builds the folders that a recorded Linux machine has below /sys and /proc. */
export function layOut(
  machine: RecordedLinux,
  root: string,
): { sysRoot: string; procRoot: string } {
  const [sysRoot, procRoot] = [join(root, 'sys'), join(root, 'proc')];
  mkdirSync(join(sysRoot, 'class/block'), { recursive: true });
  for (const [name, { path = '', ...files }] of Object.entries(machine.sysfs)) {
    const folder = join(sysRoot, path);
    mkdirSync(folder, { recursive: true });
    for (const [attribute, text] of Object.entries(files)) write(join(folder, attribute), text);
    symlinkSync(relative(join(sysRoot, 'class/block'), folder), join(sysRoot, 'class/block', name));
  }
  for (const [path, text] of Object.entries(machine.sysfsFiles)) write(join(sysRoot, path), text);
  write(join(procRoot, 'self/mountinfo'), machine.mountinfo.join('\n'));
  write(
    join(procRoot, 'swaps'),
    ['Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority', ...machine.swaps].join('\n'),
  );
  return { sysRoot, procRoot };
}

/** A value as an XML property list, as Apple's tools print it. */
export function propertyList(value: unknown): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
${element(value)}
</plist>
`;
}

function element(value: unknown): string {
  if (typeof value === 'boolean') return value ? '<true/>' : '<false/>';
  if (typeof value === 'number') return `<integer>${String(value)}</integer>`;
  if (typeof value === 'string') return `<string>${escape(value)}</string>`;
  if (Array.isArray(value)) return `<array>\n${value.map(element).join('\n')}\n</array>`;
  const entries = Object.entries(z.record(z.string(), z.unknown()).parse(value));
  const items = entries.map(([key, item]) => `\t<key>${escape(key)}</key>\n\t${element(item)}`);
  return `<dict>\n${items.join('\n')}\n</dict>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function answering(answers: (tool: string, words: readonly string[]) => unknown): ToolRunner {
  return ({ tool, arguments: words }) => {
    const answer = answers(basename(tool[0] ?? ''), words);
    return Promise.resolve(typeof answer === 'string' ? answer : null);
  };
}

const nothingKept: ScanOptions = { program: [], image: [], cache: null };

/** Scans a recorded machine through the whole reader of its platform. */
export async function scanRecorded(
  machine: RecordedMachine,
  scratch: string,
  options: ScanOptions = nothingKept,
): Promise<Drive[]> {
  const realPath = (path: string): Promise<string> => Promise.resolve(path);
  const usedSpace = (): Promise<number> => Promise.resolve(0);
  switch (machine.platform) {
    case 'linux': {
      const printed = JSON.stringify(machine.lsblk);
      const callTool: ToolCaller = ({ tool }) =>
        Promise.resolve(
          tool.some((path) => basename(path) === 'lsblk')
            ? { kind: 'ended', exitCode: 0, printed }
            : { kind: 'missing' },
        );
      const lookAtPath = (): Promise<null> => Promise.resolve(null);
      const roots = layOut(machine, scratch);
      return scanLinux(options, { ...roots, callTool, realPath, usedSpace, lookAtPath });
    }
    case 'macos': {
      const runTool = answering((tool, [verb, , disk = '']) => {
        if (tool !== 'diskutil') return null;
        if (verb === 'list') return propertyList(machine.diskutilList);
        const info = machine.diskutilInfo[disk];
        return info === undefined ? null : propertyList(info);
      });
      return scanMacos(options, { runTool, realPath, usedSpace });
    }
    case 'windows': {
      const runTool = answering(() => `\uFEFF${JSON.stringify(machine.storage)}`);
      return scanWindows(options, { runTool, realPath });
    }
  }
}
