/**
 * `npm start`: the main job on what the repository brings along, so that a fresh clone shows at
 * once what the product does. Flashes the practice image onto a practice card, a file among the
 * user's data, through the same command, engine and verification as a real card.
 */
import path from 'node:path';
import { becomeChild } from './bootstrap/become-child.mjs';
import { checkout, readText } from './check/Checkout.ts';

const { sha256 } = JSON.parse(readText('assets/practice.json')) as { sha256: string };
const boxwright = path.join(checkout, 'dist/boxwright.mjs');
const image = path.join(checkout, 'assets/practice.img.xz');

const nextSteps = `
In this checkout the command is "npm run -s boxwright --":

  npm run -s boxwright -- inspect --on practice       what is on the practice card now
  npm run -s boxwright -- drives                      which drives there are, and which may be flashed
  npm run -s boxwright -- flash IMAGE --to DRIVE      write an image to one of them and verify it
`;

process.stdout.write('Flashing the practice image onto a practice card.\n\n');
const words = ['flash', image, '--to', 'practice', '--yes', '--sha256', sha256];
const code = await becomeChild(process.execPath, [boxwright, ...words], checkout);
if (code === 0) process.stdout.write(nextSteps);
process.exitCode = code;
