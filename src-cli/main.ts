import { existsSync } from 'node:fs';
import path from 'node:path';
import packageFile from '../package.json' with { type: 'json' };
import { exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import { FailureError } from '../src-core/Failure.ts';
import { systemElevation } from '../src-services/Elevation.ts';
import { WriterClient } from '../src-services/WriterClient.ts';
import { Words } from '../src-words/Words.ts';
import { runCommandLine } from './CommandLine.ts';
import { Interruption } from './Interruption.ts';
import { tellFault, tellRefusals } from './Problems.ts';
import type { Program } from './Program.ts';
import { Terminal } from './Terminal.ts';

/** The writer may take this long to end before nobody waits for it any more, in milliseconds. */
const WRITER_END_MS = 950;

/** Shows the cursor that a progress bar may have hidden (DEC private mode 25). */
const SHOW_CURSOR = '\u001b[?25h';

/** Beside this file where the program was built, in dist/ where its source runs as it is. */
function writerFolder(): string {
  const here = import.meta.dirname;
  return existsSync(path.join(here, 'engine.cjs')) ? here : path.join(here, '..', 'dist');
}

/** Their work is what they say; what became of cards is true without an output. */
function isListing([command]: readonly string[]): boolean {
  return command === 'drives' || command === 'inspect';
}

async function main(args: readonly string[]): Promise<ExitCode> {
  const { stdin, stdout, stderr } = process;
  const terminal = new Terminal({ stdin, stdout, stderr }, process.env);
  const words = new Words('en');
  const json = args.includes('--json');
  const endAtOnce = (exitCode: ExitCode): never => {
    if (terminal.canDraw) terminal.write(SHOW_CURSOR);
    // The writer ends with its standard input, which is this process.
    process.exit(exitCode);
  };
  process.on('uncaughtException', (thrown) => {
    endAtOnce(tellFault(thrown, json, { terminal, words }));
  });
  const interruption = new Interruption(() => endAtOnce(exitCodes.cancelled));
  const writer = new WriterClient(writerFolder(), systemElevation);
  const program: Program = { terminal, words, interruption, writer };
  const exitCode = await runCommandLine(args, packageFile.version, program).catch(
    (thrown: unknown) =>
      thrown instanceof FailureError && thrown.failure.code !== 'internal'
        ? tellRefusals([thrown.failure], json, program)
        : tellFault(thrown, json, program),
  );
  const patience = new Promise((resolve) => setTimeout(resolve, WRITER_END_MS));
  await Promise.race([writer.close(), patience]);
  const lost = await terminal.drained();
  if (lost === null) return exitCode;
  terminal.notice(words.say('output.lost', { cause: lost }));
  await terminal.drained();
  return isListing(args) && exitCode === exitCodes.verified ? exitCodes.internal : exitCode;
}

process.exit(await main(process.argv.slice(2)));
