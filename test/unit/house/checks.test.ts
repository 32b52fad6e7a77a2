import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ownershipProblems } from '../../../scripts/check/architecture.ts';
import { importDiagram, withDiagram } from '../../../scripts/check/diagram.ts';
import { importGraph, importProblems } from '../../../scripts/check/imports.ts';
import { licenceProblems, thirdPartyNotices } from '../../../scripts/check/licences.ts';
import { runChecks } from '../../../scripts/check/checks.ts';
import {
  fileProblems,
  lockProblems,
  folderProblems,
  textProblems,
} from '../../../scripts/check/texts.ts';

describe('owners of packages', () => {
  const table = {
    'src-a': { mayImport: [], packages: ['one', 'zod'] },
    'src-b': { mayImport: ['src-a'], packages: ['two', 'zod'] },
  };

  it('accepts one owner each, and those that are shared on purpose', () => {
    expect(ownershipProblems(['one', 'two', 'zod'], table)).toEqual([]);
  });

  it('refuses a dependency without a row, a row without a dependency, and two owners', () => {
    const twice = { ...table, 'src-c': { mayImport: [], packages: ['one'] } };
    expect(ownershipProblems(['one', 'zod', 'three'], twice)).toEqual([
      'one has several owning folders: src-a, src-c',
      'three has no owning folder: give it a row, or remove it',
      'two has an owner (src-b) and is no dependency',
    ]);
  });
});

describe('import rules', () => {
  let folder = '';

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function project(files: Readonly<Record<string, string>>): string {
    folder = mkdtempSync(path.join(tmpdir(), 'boxwright-imports-'));
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), text);
    }
    return folder;
  }

  async function problems(files: Readonly<Record<string, string>>): Promise<string[]> {
    return importProblems(await importGraph(project(files)));
  }

  const library = (name: string) => ({
    [`node_modules/${name}/package.json`]: `{"name":"${name}","main":"index.js"}`,
    [`node_modules/${name}/index.js`]: 'module.exports = {};',
  });

  it('let a folder import what its row says, types too', async () => {
    const found = await problems({
      'src-core/Drive.ts': 'export type Drive = string;',
      'src-cli/main.ts': `import type { Drive } from '../src-core/Drive.ts'; import 'commander'; import 'node:fs'; export const d: Drive = '';`,
      ...library('commander'),
    });
    expect(found).toEqual([]);
  });

  it.each([
    ['another folder', `import '../src-cli/main.ts';`, 'src-core imports only what it may'],
    [
      'its types',
      `import type { A } from '../src-cli/main.ts'; export type B = A;`,
      'src-core imports only what it may',
    ],
    ["another folder's package", `import 'commander';`, 'src-core uses only its own packages'],
    ['what is not there', `import './nowhere.ts';`, 'imports resolve'],
    ['itself in a circle', `import './b.ts';`, 'no cycles'],
  ])('refuse that src-core imports %s', async (_what, text, rule) => {
    const found = await problems({
      'src-core/a.ts': text,
      'src-core/b.ts': `import './a.ts';`,
      'src-cli/main.ts': 'export type A = string;',
      ...library('commander'),
    });
    expect(found.filter((problem) => problem.endsWith(`breaks "${rule}"`))).not.toEqual([]);
  });

  it('keep image bytes away from the supervisor', async () => {
    const found = await problems({
      'src-image/Decoder.ts': 'export {};',
      'src-writer/supervisor/main.ts': `import '../../src-image/Decoder.ts';`,
    });
    expect(found.join()).toContain('the supervisor stays away from image bytes');
  });

  it('are what the diagram is drawn from', async () => {
    const graph = await importGraph(
      project({
        'src-core/a.ts': 'export {};',
        'src-writer/engine/main.ts': `import '../../src-core/a.ts';`,
        'src-cli/main.ts': `import '../src-core/a.ts'; import 'commander';`,
        ...library('commander'),
      }),
    );
    const diagram = importDiagram(graph);
    expect(diagram).toContain('src_cli["src-cli<br/><i>commander</i>"]');
    expect(diagram).toContain('  src_cli --> src_core\n  src_writer_engine --> src_core');
    const page = 'a\n<!-- diagram: begin -->\nold\n<!-- diagram: end -->\nb';
    expect(withDiagram(page, diagram)).not.toContain('old');
    expect(() => withDiagram('no marks', diagram)).toThrow(/lacks/);
  });
});

describe('the lock file', () => {
  const lock = (name: string, facts: object) => ({
    packages: { '': {}, [`node_modules/${name}`]: facts },
  });

  it('may name only licences on the list', () => {
    expect(licenceProblems(lock('good', { license: 'MIT' }))).toEqual([]);
    expect(licenceProblems(lock('bad', { license: 'AGPL-3.0' }))).toEqual([
      'bad is under AGPL-3.0',
    ]);
    expect(licenceProblems(lock('mute', {}))).toEqual(['mute names no licence']);
    expect(licenceProblems(lock('tool', { license: 'MPL-2.0', dev: true }))).toEqual([]);
    expect(licenceProblems(lock('part', { license: 'MPL-2.0' }))).toEqual([
      'part is under MPL-2.0',
    ]);
  });

  it('may not say where packages are fetched from', () => {
    expect(lockProblems(lock('far', { resolved: 'https://example.org/far.tgz' }))).toEqual([
      'package-lock.json says where to fetch far from',
    ]);
  });

  it('may have no gap, for another platform neither', () => {
    const gap = { optionalDependencies: { 'part-darwin': '1.0.0' }, dependencies: { whole: '1' } };
    expect(lockProblems(lock('whole', gap))).toEqual([
      'package-lock.json lacks part-darwin, which whole names',
    ]);
  });

  it('gives the notices: what is shipped, not the tools', () => {
    const notices = thirdPartyNotices({
      packages: {
        'node_modules/zod': { version: '1.0.0', license: 'MIT' },
        'node_modules/eslint': { version: '1.0.0', license: 'MIT', dev: true },
      },
    });
    expect(notices).toContain('zod 1.0.0 (MIT)\n\nMIT License');
    expect(notices).not.toContain('eslint');
  });
});

describe('texts', () => {
  it('may not name the host of a package registry, nor a path of this machine', () => {
    const host = ['registry', 'npmjs', 'org'].join('.');
    expect(
      textProblems('a.md', `one\nhttps://${host}/zod\n/somewhere/else`, ['/somewhere']),
    ).toEqual(["a.md:2 names a package registry's host", 'a.md:3 names a path of this machine']);
  });

  it('that are binary are left out', () => {
    expect(fileProblems(['assets/practice.img.xz'])).toEqual([]);
  });
});

describe('folders', () => {
  it('need a row, a tsconfig and a guide of 10 to 20 lines', () => {
    const texts: Record<string, string> = {
      'src-a/README.md': 'line\n'.repeat(10),
      'src-c/README.md': 'line\n'.repeat(21),
    };
    const files = ['src-b/x.ts', 'src-a/tsconfig.json', 'src-c/tsconfig.json', 'docs/x.md'];
    const all = [...files, ...Object.keys(texts)];
    expect(folderProblems(all, ['src-a', 'src-c'], (file) => texts[file] ?? '')).toEqual([
      'src-b has no row in scripts/check/architecture.ts',
      'src-b has no README.md',
      'src-b has no tsconfig.json',
      'src-c/README.md has 21 lines, not 10 to 20',
    ]);
  });
});

describe('a run of checks', () => {
  it('tells every problem, and takes a broken checker for one', async () => {
    const reported: string[] = [];
    const results = await runChecks(
      [
        { name: 'well', problems: () => Promise.resolve([]) },
        { name: 'ill', problems: () => Promise.resolve(['a', 'b']) },
        { name: 'broken', problems: () => Promise.reject(new Error('no such tool')) },
      ],
      ({ name }) => reported.push(name),
    );
    expect(reported.sort()).toEqual(['broken', 'ill', 'well']);
    expect(Object.fromEntries(results.map(({ name, problems }) => [name, problems]))).toEqual({
      well: [],
      ill: ['a', 'b'],
      broken: ['Error: no such tool'],
    });
  });
});
