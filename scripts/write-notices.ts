/** Writes THIRD-PARTY-NOTICES.md anew; `npm run check` fails while it is out of date. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './check/Checkout.ts';
import { thirdPartyNotices } from './check/licences.ts';
import { readLock } from './check/Lock.ts';

writeFileSync(path.join(checkout, 'THIRD-PARTY-NOTICES.md'), thirdPartyNotices(readLock()));
