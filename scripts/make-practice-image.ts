/**
 * Writes assets/practice.img.xz and assets/practice.json anew (see practice-image/PracticeImage.ts).
 * Debian 12 made the files that are there.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { checkout } from './check/Checkout.ts';
import { layout, makePracticeImage, toolVersions } from './practice-image/PracticeImage.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'boxwright-practice-'));
try {
  const { compressed, sha256 } = makePracticeImage(folder);
  copyFileSync(compressed, path.join(checkout, 'assets/practice.img.xz'));
  const facts = { size: layout.size, sha256, madeWith: toolVersions() };
  const text = `${JSON.stringify(facts, null, 2)}\n`;
  writeFileSync(path.join(checkout, 'assets/practice.json'), text);
} finally {
  rmSync(folder, { recursive: true });
}
