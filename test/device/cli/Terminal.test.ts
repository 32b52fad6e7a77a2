import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage } from './SampleImage.ts';
import { Screen } from './Screen.ts';
import { inTerminal } from './TerminalSession.ts';

const MIB = 1024 * 1024;
let folder = '';
let image = '';
let large = '';

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'boxwright-terminal-'));
  image = path.join(folder, 'os.img');
  makeImage(image, 24 * MIB);
  large = path.join(folder, 'large.img');
  makeImage(large, 512 * MIB);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function flash(file: string): string[] {
  return ['flash', file, '--to', `practice:${path.join(folder, 'card.img')}`, '--yes'];
}

describe('progress on a terminal', () => {
  it('is one line that is drawn over in place, ten times a second at most', async () => {
    const began = performance.now();
    const { exitCode, output, screen } = await inTerminal(folder, flash(large));
    const seconds = (performance.now() - began) / 1000;
    expect(exitCode).toBe(0);
    expect(screen.lines.filter((line) => line.includes('%'))).toEqual([
      expect.stringMatching(/^practice card done +█+ +100%$/),
    ]);
    expect(screen.lines[1]).toMatch(/^practice card: verified\. 53\d MB written/);
    expect(screen).toMatchObject({ isCursorShown: true });
    expect(screen.colours).toBeGreaterThan(0);
    const frames = output.split('\u001b[J').length - 1;
    expect(frames).toBeGreaterThan(3);
    expect(frames).toBeLessThan(seconds * 10 + 2);
    for (const phase of ['writing', 'verifying']) expect(output).toContain(`card ${phase}`);
  });

  it.concurrent.each([200, 80, 50, 30])('fits into %d columns', async (columns) => {
    const card = `practice:${path.join(folder, `${String(columns)}.img`)}`;
    const { output } = await inTerminal(folder, ['flash', image, '--to', card], { columns });
    const bars = new Screen(columns);
    const [drawn = ''] = output.split('\u001b[?25h');
    bars.write(drawn.replace(/^\r\n/, ''));
    expect(bars.wrapped).toBe(0);
    expect(bars.lines.filter((line) => line.includes('%'))).toHaveLength(1);
  });

  it('has no colours where they are not wanted', async () => {
    const { screen, exitCode } = await inTerminal(folder, flash(image), {
      environment: { NO_COLOR: '1' },
    });
    expect({ exitCode, colours: screen.colours }).toEqual({ exitCode: 0, colours: 0 });
  });

  it('is plain lines where nothing can be drawn', async () => {
    const { output } = await inTerminal(folder, flash(image), { environment: { TERM: 'dumb' } });
    expect(output).not.toContain('\u001b');
    expect(output).toContain('practice card: verifying');
  });

  it('is ASCII where the terminal shows no more', async () => {
    const { output } = await inTerminal(folder, flash(image), { environment: { LC_ALL: 'C' } });
    expect(output).toContain('####');
    expect(output).not.toMatch(/[█░…]/u);
  });
});

describe('Ctrl+C in a terminal', () => {
  it('ends within two seconds with the state of the card', async () => {
    const steps = [{ see: ' writing ', type: '\u0003' }];
    const { exitCode, screen, sinceStep } = await inTerminal(folder, flash(large), { steps });
    expect(exitCode).toBe(3);
    expect(sinceStep).toBeLessThan(2000);
    expect(screen.isCursorShown).toBe(true);
    expect(screen.lines.join('\n')).toMatch(
      /practice card: cancelled\. It is unfinished: it has no partition table and cannot boot\./,
    );
    expect(screen.lines.filter((line) => line.includes('%'))).toHaveLength(1);
  });

  it('at the question leaves everything as it was', async () => {
    const mine = path.join(folder, 'mine.img');
    copyFileSync(image, mine);
    const args = ['flash', image, '--to', `practice:${mine}`];
    const steps = [{ see: 'Type yes', type: '\u0003' }];
    const { exitCode, screen } = await inTerminal(folder, args, { steps });
    expect(exitCode).toBe(3);
    expect(screen.lines).toContain('Nothing was done.');
    expect(readFileSync(mine).equals(readFileSync(image))).toBe(true);
  });
});

describe('the question before anything is lost', () => {
  it.concurrent.each([
    ['YES \n', 0],
    ['no\n', 3],
    ['y\n', 3],
    ['\u0004', 3],
  ])('answered with %j ends with %i', async (type, code) => {
    const mine = path.join(folder, `asked-${String(type.codePointAt(0))}.img`);
    copyFileSync(image, mine);
    const before = readFileSync(mine);
    const args = ['flash', image, '--to', `practice:${mine}`];
    const { exitCode, screen } = await inTerminal(folder, args, {
      steps: [{ see: 'Type yes', type }],
    });
    expect(exitCode).toBe(code);
    expect(screen.lines).toContain('Everything on this drive will be lost:');
    expect(screen.lines.join('\n')).toContain('.img, which was there before');
    if (code === 3) {
      expect(screen.lines).toContain('Nothing was done.');
      expect(readFileSync(mine).equals(before)).toBe(true);
    }
  });
});
