/**
 * Draws docs/pictures/run.svg from what the program really prints: two cards flashed at once, half
 * way and at the end, then what is on one of them. The cards are loop devices, so this needs root on
 * Linux, and dist/ up to date.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkout } from './check/Checkout.ts';
import { Screen, type Cell } from './run-picture/Screen.ts';
import { terminalPicture } from './run-picture/svg.ts';

const COLUMNS = 100;

/** Bytes of each card. */
const CARD_SIZE = 256 * 1024 * 1024;

/** A loop device over an empty file. */
function addCard(file: string): string {
  writeFileSync(file, '');
  truncateSync(file, CARD_SIZE);
  return execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim();
}

/** Every state of the screen while a command runs on a terminal of its own. */
async function screens(words: readonly string[]): Promise<(readonly (readonly Cell[])[])[]> {
  const program = [process.execPath, path.join(checkout, 'dist/boxwright.mjs'), ...words];
  const line = program.map((word) => `'${word}'`).join(' ');
  const onTerminal = ['-qefc', `stty cols ${String(COLUMNS)} rows 40; exec ${line}`, '/dev/null'];
  const child = spawn('script', onTerminal, {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const screen = new Screen(COLUMNS);
  screen.write(`$ boxwright ${words.join(' ')}\r\n`);
  const seen: (readonly (readonly Cell[])[])[] = [];
  for await (const output of child.stdout.setEncoding('utf8')) {
    screen.write(String(output));
    seen.push(screen.lines().map((row) => [...row]));
  }
  return seen;
}

const text = (row: readonly Cell[]) => row.map((cell) => cell.text).join('');

/** The state in which the cards' bars stand nearest to a half. */
function halfWay(seen: readonly (readonly (readonly Cell[])[])[]): readonly (readonly Cell[])[] {
  const distance = (rows: readonly (readonly Cell[])[]) => {
    const shares = rows.flatMap((row) => /\b(\d+)%/.exec(text(row))?.[1] ?? []).map(Number);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    return shares.length === 0 ? Infinity : Math.abs(50 - mean);
  };
  return seen.toSorted((one, other) => distance(one) - distance(other))[0] ?? [];
}

const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-picture-'));
const cards = ['one', 'two'].map((name) => addCard(path.join(folder, name)));
try {
  const targets = cards.flatMap((card) => ['--to', card]);
  const image = 'assets/practice.img.xz';
  const flash = await screens(['flash', image, ...targets, '--allow-virtual', '--yes']);
  const inspect = await screens(['inspect', '--on', cards[0] ?? '']);
  const parts = [halfWay(flash), flash.at(-1)?.slice(1) ?? [], inspect.at(-1) ?? []];
  const lines = parts.flatMap((part) => [...part, []]).slice(0, -1);
  mkdirSync(path.join(checkout, 'docs/pictures'), { recursive: true });
  writeFileSync(path.join(checkout, 'docs/pictures/run.svg'), terminalPicture(lines, COLUMNS));
} finally {
  for (const card of cards) execFileSync('losetup', ['--detach', card]);
  rmSync(folder, { recursive: true });
}
