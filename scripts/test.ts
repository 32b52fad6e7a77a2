/**
 * Runs suites, in stages: those of one stage run side by side, because none of them minds the
 * others' load. Prints what failed, each suite's time, and ends with one line that sums them all.
 */
import { endPrograms } from './check/Checkout.ts';
import { cleanCloneSuite } from './test/clean-clone.ts';
import { checkSuite, vitestSuite, type Suite } from './test/suites.ts';
import { noTests, sum, summaryLine, type Tally } from './test/Tally.ts';

type Stages = readonly (readonly Suite[])[];

/** Twenty kills at random offsets: for the long run. */
const INTERRUPTIONS = '**/interruptions.test.ts';

const everyDay: Stages = [
  // Neither asks what time it is.
  [checkSuite, vitestSuite('fault', { env: { BOXWRIGHT_FAULT_RUNS: '300' } })],
  [vitestSuite('unit'), vitestSuite('contract')],
  // Limits of seconds hold on real devices, so nothing else runs.
  [vitestSuite('device', { exclude: INTERRUPTIONS })],
];

/** Without Linux's loop devices, FUSE and file-system tools: what needs none of them. */
const anywhere: Stages = [[checkSuite, vitestSuite('unit'), vitestSuite('contract')]];

const faultsAtLength: Stages = [
  [vitestSuite('fault', { name: 'fault (long)', env: { BOXWRIGHT_FAULT_RUNS: '1000' } })],
  [vitestSuite('device', { name: 'device (faults)', files: ['fault', 'interruptions'] })],
];

const guest: Stages = [[vitestSuite('guest')]];

const plans: Readonly<Record<string, Stages>> = {
  test: process.platform === 'linux' ? everyDay : anywhere,
  'fault-long': faultsAtLength,
  guest,
  all: [...everyDay, ...faultsAtLength, ...guest],
  ci: [...everyDay, ...faultsAtLength, ...guest, [cleanCloneSuite]],
};

async function runSuite(suite: Suite, alone: boolean): Promise<Tally> {
  const begun = performance.now();
  process.stdout.write(`${suite.name} ...\n`);
  const { tally, report } = await suite.run(alone);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  process.stdout.write(`\n${report}\n${suite.name}: ${summaryLine(tally)} (${seconds} s)\n`);
  return tally;
}

const [name = 'test'] = process.argv.slice(2);
const stages = plans[name];
if (stages === undefined) {
  throw new Error(`no such plan: ${name}; one of ${Object.keys(plans).join(', ')}`);
}

const ended: Tally[] = [];

function finish(tally: Tally): void {
  process.stdout.write(`\n${summaryLine(tally)}\n`);
  if (tally.failed > 0) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endPrograms(signal);
    process.stdout.write(`\nEnded by ${signal}; what was still running counts as failed.\n`);
    finish(sum([...ended, { ...noTests, failed: 1 }]));
    process.exit();
  });
}

for (const stage of stages) {
  const alone = stage.length === 1;
  await Promise.all(stage.map(async (suite) => ended.push(await runSuite(suite, alone))));
}
finish(sum(ended));
