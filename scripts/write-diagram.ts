/** Draws the diagram in ARCHITECTURE.md anew; `npm run check` fails while it is out of date. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout, readText } from './check/Checkout.ts';
import { importDiagram, withDiagram } from './check/diagram.ts';
import { importGraph } from './check/imports.ts';

const page = readText('ARCHITECTURE.md');
const drawn = withDiagram(page, importDiagram(await importGraph()));
writeFileSync(path.join(checkout, 'ARCHITECTURE.md'), drawn);
