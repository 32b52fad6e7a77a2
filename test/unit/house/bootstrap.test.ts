import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../../scripts/bootstrap.mjs';
import { missingPackages } from '../../../scripts/bootstrap/system-packages.mjs';
import { linkPrograms } from '../../../scripts/test/clean-clone.ts';
import { vitestTally } from '../../../scripts/test/suites.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-bootstrap-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A program that stands for `scripts/bootstrap.mjs`: runs the given one in its place. */
function wrapperOf(child: string, name: string): string {
  const becomeChild = pathToFileURL(path.resolve('scripts/bootstrap/become-child.mjs')).href;
  const childFile = path.join(folder, `${name}-child.mjs`);
  const wrapper = path.join(folder, `${name}-wrapper.mjs`);
  writeFileSync(childFile, child);
  writeFileSync(
    wrapper,
    `import { becomeChild } from ${JSON.stringify(becomeChild)};
     const words = [${JSON.stringify(childFile)}, ...process.argv.slice(2)];
     process.exitCode = await becomeChild(process.execPath, words, process.cwd());`,
  );
  return wrapper;
}

/** Waits half a second after the first signal, to see whether a second one comes. */
const countsSignals = `
  let count = 0;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      count += 1;
      if (count > 1) return;
      setTimeout(() => {
        console.log(signal + ' came ' + count + ' times');
        process.exit(3);
      }, 500);
    });
  }
  setInterval(() => {}, 1000);
  console.log('ready');
`;

/** Runs a command on a terminal of its own and types Ctrl+C when it says that it is ready. */
const typeInTerminal = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
typed = False
while True:
    try:
        said = os.read(terminal, 4096)
    except OSError:
        break
    if not said:
        break
    sys.stdout.write(said.decode())
    if b'ready' in said and not typed:
        typed = True
        os.write(terminal, b'\\x03')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`;

/** In a session of its own, so without a terminal, whoever runs this test. */
function runDetached(script: string, ...words: string[]) {
  return spawn(process.execPath, [script, ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

describe('a command behind the bootstrap', () => {
  it.each([0, 1, 4, 70])('ends with its exit code %i', async (code) => {
    const wrapper = wrapperOf('process.exitCode = Number(process.argv[2]);', 'code');
    const [ended] = (await once(runDetached(wrapper, String(code)), 'exit')) as [number];
    expect(ended).toBe(code);
  });

  it('ends by the signal that ended it', async () => {
    const wrapper = wrapperOf(`process.kill(process.pid, 'SIGTERM');`, 'killed');
    const ended = (await once(runDetached(wrapper), 'exit')) as [null, string];
    expect(ended).toEqual([null, 'SIGTERM']);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'gets %s once, and has the time to end by itself',
    async (signal) => {
      const wrapper = runDetached(wrapperOf(countsSignals, signal));
      const exit = once(wrapper, 'exit');
      let output = '';
      for await (const chunk of wrapper.stdout.setEncoding('utf8')) {
        if (output === '') wrapper.kill(signal);
        output += String(chunk);
      }
      expect(output).toBe(`ready\n${signal} came 1 times\n`);
      expect(await exit).toEqual([3, null]);
    },
  );

  describe.runIf(process.platform === 'linux')('and behind npm', () => {
    /** Runs the wrapper as package.json does. */
    function project(name: string): string {
      const place = path.join(folder, name);
      mkdirSync(place);
      const probe = `exec "${process.execPath}" "${wrapperOf(countsSignals, name)}"`;
      writeFileSync(path.join(place, 'package.json'), JSON.stringify({ scripts: { probe } }));
      return place;
    }

    it('gets a Ctrl+C of the terminal once, though npm passes it on as well', async () => {
      const python = spawn('python3', ['-c', typeInTerminal, 'npm', 'run', '-s', 'probe'], {
        cwd: project('terminal'),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(python, 'exit');
      expect(await text(python.stdout)).toContain('SIGINT came 1 times');
      expect(await exit).toEqual([3, null]);
    });

    it.each(['SIGINT', 'SIGTERM'] as const)('gets the %s that npm got', async (signal) => {
      const npm = spawn('npm', ['run', '-s', 'probe'], {
        cwd: project(signal),
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(npm, 'exit');
      let output = '';
      for await (const chunk of npm.stdout.setEncoding('utf8')) {
        if (output === '') npm.kill(signal);
        output += String(chunk);
      }
      expect(output).toBe(`ready\n${signal} came 1 times\n`);
      expect(await exit).toEqual([3, null]);
    });

    it('is started so by every script of package.json', () => {
      const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
        scripts: Record<string, string>;
      };
      for (const [name, line] of Object.entries(scripts)) {
        expect(line).toBe(`exec node scripts/bootstrap.mjs ${name}`);
        expect(Object.keys(commands)).toContain(name);
      }
    });
  });
});

describe('system packages', () => {
  it('are missing where neither the PATH nor the file that proves them has them', () => {
    expect(missingPackages(['bench'], (proof) => proof !== 'mmdebstrap')).toEqual(['mmdebstrap']);
    expect(missingPackages(['test', 'bench'], () => true)).toEqual([]);
    expect(missingPackages(['test'], () => false)).toContain('python3-fusepy');
  });
});

describe('a clean clone', () => {
  it('sees every program but what compiles', () => {
    const source = path.join(folder, 'tools');
    const links = path.join(folder, 'links');
    mkdirSync(source);
    mkdirSync(links);
    const compilers = [
      'gcc',
      'x86_64-linux-gnu-gcc-12',
      'c++',
      'cc1',
      'clang-19',
      'make',
      'node-gyp',
    ];
    const others = ['node', 'git', 'mccabe', 'mkfs.vfat', 'gccgo-notes'];
    for (const name of [...compilers, ...others]) writeFileSync(path.join(source, name), '');
    linkPrograms(links, `${source}${path.delimiter}/no/such/folder`);
    expect(readdirSync(links).sort()).toEqual(others.sort());
  });
});

describe('the tally of a suite', () => {
  const report = (...statuses: string[]) => ({
    testResults: [{ assertionResults: statuses.map((status) => ({ status, fullName: 'x' })) }],
  });

  it('counts what passed, failed and did not run', () => {
    const tally = vitestTally(report('passed', 'failed', 'skipped', 'passed', 'todo'), 1);
    expect(tally).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  it.each([
    ['no report', null, 0],
    ['nothing that ran', report('skipped'), 0],
    ['an error outside every test', report('passed'), 1],
  ])('takes %s for a failure', (_what, given, code) => {
    expect(vitestTally(given, code).failed).toBe(1);
  });
});
