import { Command, CommanderError, Option } from 'commander';
import { MAX_CARDS } from '../src-contract/WriterWire.ts';
import type { DriveOrder } from '../src-contract/WriterWire.ts';
import { exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import { fail } from '../src-core/Failure.ts';
import { listDrives } from './DrivesCommand.ts';
import { runFlash } from './FlashCommand.ts';
import { inspectCard } from './InspectCommand.ts';
import type { Program } from './Program.ts';

/**
 * Does what a command line says.
 * @param args without the program's own name
 * @throws FailureError usage-invalid, and what the commands throw
 */
export async function runCommandLine(
  args: readonly string[],
  version: string,
  program: Program,
): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.verified;
  const done = (code: ExitCode): void => {
    exitCode = code;
  };
  const root = rootCommand(version, program);
  addDrives(root, program, done);
  addFlash(root, program, done);
  addVerify(root, program, done);
  addInspect(root, program, done);
  try {
    await root.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode === 0) return exitCodes.verified;
    if (thrown.code === 'commander.help') return exitCodes.usage;
    const detail = thrown.message.replace(/^error: /, '').replace(/\.$/, '');
    throw fail('usage-invalid', { detail }, { cause: thrown });
  }
  return exitCode;
}

type Done = (code: ExitCode) => void;

function rootCommand(version: string, { words, terminal }: Program): Command {
  return (
    new Command('boxwright')
      .description(words.say('help.program'))
      .version(version, '-V, --version', words.say('help.option.version'))
      .helpOption('-h, --help', words.say('help.option.help'))
      .helpCommand(false)
      .addHelpText('after', words.say('help.examples.program'))
      .exitOverride()
      .showSuggestionAfterError()
      // Defaults are what happens without the option, which nobody needs to be told.
      .configureHelp({ optionDescription: ({ description }) => description })
      .configureOutput({
        writeOut: (text) => {
          terminal.write(text);
        },
        writeErr: (text) => {
          terminal.notice(text.trimEnd());
        },
        // A wrong command line is told like every other failure, with its next step.
        outputError: () => undefined,
      })
  );
}

function addDrives(root: Command, program: Program, done: Done): void {
  const { words } = program;
  root
    .command('drives')
    .description(words.say('help.drives'))
    .option('--all', words.say('help.option.all'), false)
    .option('--json', words.say('help.option.json'), false)
    .addHelpText('after', words.say('help.examples.drives'))
    .action(async (options: { all: boolean; json: boolean }) => {
      done(await listDrives(options, program));
    });
}

interface FlashFlags {
  readonly to: readonly string[];
  readonly yes: boolean;
  readonly allowWarned: boolean;
  readonly allowVirtual: boolean;
  readonly json: boolean;
  readonly sha256: string | null;
  readonly bmap: string | null;
  readonly usedBlocks: boolean;
  readonly verify: boolean;
  readonly eject: boolean;
  readonly forceRaw: boolean;
}

function addFlash(root: Command, program: Program, done: Done): void {
  const { words } = program;
  const cards = new Option('--to <card>', words.say('help.option.to'))
    .argParser((card: string, before: readonly string[] | undefined) => [
      ...(before ?? []),
      namedCard('--to', card),
    ])
    .makeOptionMandatory();
  root
    .command('flash')
    .description(words.say('help.flash'))
    .argument('<image>', words.say('help.image'))
    .addOption(cards)
    .option('-y, --yes', words.say('help.option.yes'), false)
    .option('--allow-warned', words.say('help.option.allow-warned'), false)
    .option('--allow-virtual', words.say('help.option.allow-virtual'), false)
    .option('--json', words.say('help.option.json'), false)
    .option('--sha256 <hex>', words.say('help.option.sha256'), once('--sha256', sha256), null)
    .addOption(
      new Option('--bmap <file>', words.say('help.option.bmap'))
        .argParser(once('--bmap', String))
        .default(null),
    )
    .addOption(
      new Option('--used-blocks', words.say('help.option.used-blocks'))
        .default(false)
        .conflicts('bmap'),
    )
    .option('--no-verify', words.say('help.option.no-verify'))
    .option('--no-eject', words.say('help.option.no-eject'))
    .option('--force-raw', words.say('help.option.force-raw'), false)
    .addHelpText('after', words.say('help.examples.flash'))
    .action(async (image: string, flags: FlashFlags) => {
      if (flags.to.length > MAX_CARDS) {
        throw fail('usage-invalid', { detail: `more than ${String(MAX_CARDS)} cards at once` });
      }
      const { yes, json, to: named, sha256: expectedSha256, verify, eject } = flags;
      const { forceRaw, allowWarned, allowVirtual } = flags;
      const request = {
        action: 'flash' as const,
        ...{ image, cards: named, expectedSha256, blockMap: blockMapOf(flags), forceRaw },
        ...{ verify, eject, allowWarned, allowVirtual },
      };
      done(await runFlash({ request, yes, json }, program));
    });
}

interface VerifyFlags {
  readonly on: string;
  readonly json: boolean;
  readonly sha256: string | null;
  readonly forceRaw: boolean;
}

function addVerify(root: Command, program: Program, done: Done): void {
  const { words } = program;
  root
    .command('verify')
    .description(words.say('help.verify'))
    .argument('<image>', words.say('help.image'))
    .requiredOption('--on <card>', words.say('help.option.on'), oneCard)
    .option('--json', words.say('help.option.json'), false)
    .option('--sha256 <hex>', words.say('help.option.sha256'), once('--sha256', sha256), null)
    .option('--force-raw', words.say('help.option.force-raw'), false)
    .addHelpText('after', words.say('help.examples.verify'))
    .action(async (image: string, flags: VerifyFlags) => {
      const { on: card, json, sha256: expectedSha256, forceRaw } = flags;
      const request = {
        action: 'verify' as const,
        ...{ image, cards: [card], expectedSha256, blockMap: null, forceRaw },
        // Nothing is written, so there is nothing to permit.
        ...{ verify: true, eject: false, allowWarned: true, allowVirtual: true },
      };
      done(await runFlash({ request, yes: true, json }, program));
    });
}

function addInspect(root: Command, program: Program, done: Done): void {
  const { words } = program;
  root
    .command('inspect')
    .description(words.say('help.inspect'))
    .requiredOption('--on <card>', words.say('help.option.on'), oneCard)
    .option('--json', words.say('help.option.json'), false)
    .addHelpText('after', words.say('help.examples.inspect'))
    .action(async ({ on: card, json }: { on: string; json: boolean }) => {
      done(await inspectCard({ card, json }, program));
    });
}

function blockMapOf({ bmap, usedBlocks }: FlashFlags): DriveOrder['image']['blockMap'] {
  if (bmap !== null) return { kind: 'bmap', path: bmap };
  return usedBlocks ? { kind: 'used-blocks' } : null;
}

/** Of two values only one could be obeyed, and nobody would learn that the other was not. */
function once(option: string, parse: (given: string) => string) {
  return (given: string, before: string | null | undefined): string => {
    if (typeof before !== 'string') return parse(given);
    throw fail('usage-invalid', { detail: `${option} was given more than once` });
  };
}

const oneCard = once('--on', (card) => namedCard('--on', card));

/** A variable of a script that is empty would else be looked for as a drive without a name. */
function namedCard(option: string, card: string): string {
  if (!/^(serial:|practice:)?\s*$/.test(card)) return card;
  throw fail('usage-invalid', { detail: `${option} names no card: "${card}"` });
}

function sha256(given: string): string {
  const digits = given.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return digits;
  throw fail('usage-invalid', { detail: `--sha256 takes 64 hexadecimal digits, not "${given}"` });
}
