import { exitCodeOfJob, exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import type { FlashJob } from '../src-core/FlashJob.ts';
import { cardName } from '../src-core/FlashPlan.ts';
import type { PlannedCard } from '../src-core/FlashPlan.ts';
import { plainText } from '../src-core/PlainText.ts';
import { prepareFlash } from '../src-services/FlashPreparation.ts';
import type { FlashRequest, PreparedFlash } from '../src-services/FlashPreparation.ts';
import { FlashRun } from '../src-services/FlashRun.ts';
import { practicePath } from '../src-services/PracticeCard.ts';
import { cardResults, CliJsonReport, reportJson } from './CliJsonReport.ts';
import { askConsent } from './Consent.ts';
import { summaryLines } from './JobSummary.ts';
import type { JobView } from './JobView.ts';
import { LineProgress } from './LineProgress.ts';
import { LiveProgress } from './LiveProgress.ts';
import { tellRefusals } from './Problems.ts';
import type { Program } from './Program.ts';

/** How long a cancelled job may take to say what every card is; with the writer's end, two seconds. */
const PATIENCE_MS = 900;

export interface FlashOptions {
  readonly request: Omit<FlashRequest, 'consent'>;
  readonly yes: boolean;
  readonly json: boolean;
}

/** Flashes or compares cards, from the look at the image to the last word about every card. */
export async function runFlash(options: FlashOptions, program: Program): Promise<ExitCode> {
  const { interruption, terminal } = program;
  const { json } = options;
  const askable = terminal.canAsk && !json ? 'askable' : 'impossible';
  const consent = options.yes ? 'given' : askable;
  if (!options.request.cards.every((named) => practicePath(named) !== null))
    program.writer.warmUp();
  const preparation = await interruption.unless(prepareFlash({ ...options.request, consent }));
  if (preparation === null) return tellNothingDone(json, program);
  if (!preparation.ok) return tellRefusals(preparation.refusals, json, program);
  const { flash } = preparation;
  if (!(await askConsent(flash, program))) return tellNothingDone(json, program);
  return runPrepared(flash, json, program);
}

/** A person said no, or gave up, before anything began. */
function tellNothingDone(json: boolean, { terminal, words }: Program): ExitCode {
  const exitCode = exitCodes.cancelled;
  if (json) reportJson(terminal, { type: 'result', exitCode, sha256: null, cards: [] });
  else terminal.notice(words.say('result.nothing-done'));
  return exitCode;
}

async function runPrepared(
  prepared: PreparedFlash,
  json: boolean,
  program: Program,
): Promise<ExitCode> {
  const { terminal, words, interruption, writer } = program;
  const names = namesOf(prepared.cards, program);
  const paths = new Map(prepared.cards.map((card) => [card.cardId, pathOf(card)]));
  const view: JobView = json
    ? new CliJsonReport(terminal, words, paths)
    : terminal.canDraw
      ? new LiveProgress(terminal, words, names)
      : new LineProgress(terminal, words, names);
  const run = new FlashRun(writer, prepared, (job, event) => {
    if (event.type === 'awaiting-permission' && !json) tellPermission(program);
    view.update(job, event);
  });
  if (json) reportJob(run.job, prepared, program);
  interruption.onAsked(() => {
    run.cancel(null);
    setTimeout(() => {
      run.abandon();
    }, PATIENCE_MS).unref();
  });
  const job = await run.run();
  view.close();
  return tellEnd({ job, prepared, names, paths, json }, program);
}

interface End {
  readonly job: FlashJob;
  readonly prepared: PreparedFlash;
  readonly names: ReadonlyMap<string, string>;
  readonly paths: ReadonlyMap<string, string>;
  readonly json: boolean;
}

function tellEnd({ job, prepared, names, paths, json }: End, program: Program): ExitCode {
  const { terminal, words } = program;
  if (job.refusals.length > 0) return tellRefusals(job.refusals, json, program);
  const exitCode = exitCodeOfJob(job);
  if (json) {
    const cards = cardResults(job, paths, words);
    reportJson(terminal, { type: 'result', exitCode, sha256: job.sha256, cards });
  }
  for (const { text, isProblem } of summaryLines(job, prepared, names, words)) {
    if (isProblem) terminal.notice(text);
    else if (!json) terminal.line(text);
  }
  return exitCode;
}

/** Where the program runs as root already, nobody will be asked. */
function tellPermission({ terminal, words }: Program): void {
  if (process.getuid?.() !== 0) terminal.notice(words.say('progress.permission'));
}

function reportJob({ jobId, action }: FlashJob, prepared: PreparedFlash, program: Program): void {
  const { image, request } = prepared;
  reportJson(program.terminal, {
    ...{ type: 'job', jobId, action },
    image: { path: request.image, format: image.format, size: image.size },
    cards: prepared.cards.map((card) => ({
      ...{ cardId: card.cardId, drive: pathOf(card), practice: card.choice.kind === 'practice' },
      label: card.choice.kind === 'drive' ? card.choice.drive.label : card.choice.path,
    })),
  });
}

function namesOf(cards: readonly PlannedCard[], { words }: Program): Map<string, string> {
  return new Map(
    cards.map(({ cardId, choice }) => [
      cardId,
      choice.kind === 'practice' ? words.say('card.practice') : plainText(cardName(choice)),
    ]),
  );
}

function pathOf({ choice }: PlannedCard): string {
  return choice.kind === 'practice' ? choice.path : choice.drive.path;
}
