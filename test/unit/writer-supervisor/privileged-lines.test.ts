import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';

const SUPERVISOR = path.resolve(import.meta.dirname, '../../../src-writer/supervisor');
const PLATFORMS = ['linux', 'macos', 'windows'] as const;
const MOST_LINES = 600;

/** Code as it runs: without types, comments and empty lines. */
function codeOf(file: string): string[] {
  const code = stripTypeScriptTypes(readFileSync(file, 'utf8'));
  const withoutComments = code.replace(/^\s*\/\*\*?.*?\*\/\s*$/gms, '');
  return withoutComments.split('\n').filter((line) => line.trim() !== '' && !/^\s*\/\//.test(line));
}

/** The files of the supervisor's folder that a file imports, itself included. */
function reach(file: string, seen: Set<string>): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, imported = ''] of codeOf(file)
    .join('\n')
    .matchAll(/from '(\.[^']+)'/g)) {
    const target = path.resolve(path.dirname(file), imported);
    if (target.startsWith(`${SUPERVISOR}/`)) reach(target, seen);
  }
  return seen;
}

function privilegedFiles(): string[] {
  const files = reach(path.join(SUPERVISOR, 'main.ts'), new Set());
  return [...reach(path.join(SUPERVISOR, 'engine-launcher.ts'), files)];
}

// On Windows all of the writer runs elevated, which SECURITY.md says.
test.each(['linux', 'macos'])(
  'what runs with rights on %s is small enough to be read',
  (platform) => {
    const others = PLATFORMS.filter((other) => other !== platform);
    const files = privilegedFiles().filter(
      (file) => !others.some((other) => file.startsWith(path.join(SUPERVISOR, other))),
    );
    const lines = files.map(
      (file) => [path.relative(SUPERVISOR, file), codeOf(file).length] as const,
    );
    const total = lines.reduce((sum, [, count]) => sum + count, 0);
    expect(total, JSON.stringify(lines)).toBeLessThan(MOST_LINES);
    expect(total).toBeGreaterThan(300);
  },
);

test('the count follows imports', () => {
  const files = privilegedFiles().map((file) => path.relative(SUPERVISOR, file));
  expect(files).toEqual(expect.arrayContaining(['WriterJob.ts', 'linux/LinuxDevices.ts']));
  expect(files).toContain('engine-launcher.ts');
});

test('no file with rights reads image bytes, starts a shell, or opens a network connection', () => {
  for (const file of privilegedFiles()) {
    const code = codeOf(file).join('\n');
    // A named pipe of this machine is the way to an elevated process there.
    const pipeOnly = file.endsWith('windows/ProgramPipe.ts')
      ? code.replace("'node:net'", '')
      : code;
    expect(pipeOnly, file).not.toMatch(/src-image|node:(net|http|https|dgram|tls|dns|http2)'/);
    expect(code, file).not.toMatch(/(?<!\.)\bexec\(|execSync|shell: *true|\beval\(|new Function/);
  }
});
