/** `npm run check`: everything that can be said about the sources without running the product. */
import { allChecks, runChecks } from './check/checks.ts';
import { summaryLine } from './test/Tally.ts';

const results = await runChecks(allChecks(), ({ name, problems, milliseconds }) => {
  const verdict = problems.length === 0 ? 'ok' : 'FAILED';
  process.stdout.write(`${verdict.padEnd(7)}${name} (${(milliseconds / 1000).toFixed(1)} s)\n`);
});
for (const { name, problems } of results) {
  if (problems.length > 0) process.stdout.write(`\n${name}:\n${problems.join('\n')}\n`);
}
const failed = results.filter(({ problems }) => problems.length > 0).length;
const tally = { passed: results.length - failed, failed, skipped: 0 };
process.stdout.write(`\n${summaryLine(tally)}\n`);
if (failed > 0) process.exitCode = 1;
