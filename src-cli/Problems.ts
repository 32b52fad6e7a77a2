import { exitCodeOfFailure, exitCodes } from '../src-core/ExitCode.ts';
import type { ExitCode } from '../src-core/ExitCode.ts';
import { failureOf } from '../src-core/Failure.ts';
import type { Failure } from '../src-core/Failure.ts';
import { plainText } from '../src-core/PlainText.ts';
import { problemOf, reportJson } from './CliJsonReport.ts';
import type { Program } from './Program.ts';

/** Of a stack trace, in code points. */
const LONGEST_LINE = 400;

type Speaking = Pick<Program, 'terminal' | 'words'>;

/** Says on the standard error output what happened, and what to do about it. */
export function tellProblem(failure: Failure, { terminal, words }: Speaking): void {
  const { cause, nextStep } = words.failure(failure);
  terminal.notice(words.say('problem.cause', { cause }));
  terminal.notice(`  ${words.say('result.next', { nextStep })}`);
}

/** Tells everything that stood against a command that therefore touched nothing. */
export function tellRefusals(
  refusals: readonly Failure[],
  json: boolean,
  speaking: Speaking,
): ExitCode {
  for (const refusal of refusals) tellProblem(refusal, speaking);
  const exitCode = worstOf(refusals.map(exitCodeOfFailure));
  if (json) {
    const problems = refusals.map((refusal) => problemOf(speaking.words, refusal));
    reportJson(speaking.terminal, { type: 'refused', problems });
    reportJson(speaking.terminal, { type: 'result', exitCode, sha256: null, cards: [] });
  }
  return exitCode;
}

/** Tells what nobody foresaw, and where it happened. */
export function tellFault(thrown: unknown, json: boolean, speaking: Speaking): ExitCode {
  const { terminal, words } = speaking;
  const failure = failureOf(thrown);
  const stack = thrown instanceof Error ? (thrown.stack ?? thrown.message).split('\n') : [];
  for (const line of stack) terminal.notice(plainText(line, LONGEST_LINE));
  tellProblem(failure, speaking);
  const exitCode = exitCodes.internal;
  if (json) {
    reportJson(terminal, { type: 'fault', problem: problemOf(words, failure) });
    reportJson(terminal, { type: 'result', exitCode, sha256: null, cards: [] });
  }
  return exitCode;
}

function worstOf(codes: readonly ExitCode[]): ExitCode {
  const ranked = [exitCodes.internal, exitCodes.cancelled, exitCodes.refused, exitCodes.usage];
  return ranked.find((code) => codes.includes(code)) ?? exitCodes.internal;
}
