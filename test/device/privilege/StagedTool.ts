import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Gives the shell command that puts a script in a tool's place, for a process with mounts of its own.
 * In the script the tool itself is `$tool`, and its last argument `$last`.
 */
export function stagedTool(folder: string, tool: string, script: string): string {
  const own = join(folder, 'tool');
  copyFileSync(tool, own);
  const head = `#!/bin/sh\ntool=${own}\nfor last; do :; done\n`;
  const file = join(folder, 'staged');
  writeFileSync(file, `${head}${script}\n`, { mode: 0o755 });
  return `mount --bind ${file} ${tool}`;
}
