import { cardName } from '../src-core/FlashPlan.ts';
import type { CardChoice, PlannedCard } from '../src-core/FlashPlan.ts';
import type { PreparedFlash } from '../src-services/FlashPreparation.ts';
import type { Words } from '../src-words/Words.ts';
import { driveLines } from './DriveLines.ts';
import type { Program } from './Program.ts';

/**
 * Shows what will be lost, and asks: yes for cards, the name for what calls for a second look.
 * @returns whether a person has agreed to all of it
 */
export async function askConsent(
  { request, image, cards }: PreparedFlash,
  program: Program,
): Promise<boolean> {
  const { terminal, words } = program;
  const asked = cards.filter(({ consentNeeded }) => consentNeeded !== 'none');
  if (asked.length === 0) return true;
  const size =
    image.size === null ? words.say('word.unknown-size') : words.format.bytes(image.size);
  terminal.line(words.say('ask.image', { path: request.image, size }));
  terminal.line(words.say('ask.heading', { count: asked.length }));
  for (const { choice } of asked) {
    terminal.line('');
    for (const line of lossLines(choice, words)) terminal.line(`  ${line}`);
  }
  terminal.line('');
  return (await confirmNames(asked, program)) && confirmAll(asked, program);
}

async function confirmNames(asked: readonly PlannedCard[], program: Program): Promise<boolean> {
  for (const { choice } of asked.filter(({ consentNeeded }) => consentNeeded === 'name')) {
    const name = choice.kind === 'drive' ? choice.drive.name : choice.path;
    const question = program.words.say('ask.name', { name });
    if (!(await isAnswered(question, name, program))) return false;
  }
  return true;
}

async function confirmAll(asked: readonly PlannedCard[], program: Program): Promise<boolean> {
  if (asked.every(({ consentNeeded }) => consentNeeded === 'name')) return true;
  const yes = program.words.say('word.yes');
  return isAnswered(program.words.say('ask.yes'), yes, program);
}

async function isAnswered(question: string, wanted: string, program: Program): Promise<boolean> {
  const answer = await program.terminal.ask(question, program.interruption.signal);
  return answer?.trim().toLowerCase() === wanted.toLowerCase();
}

function lossLines(choice: CardChoice, words: Words): string[] {
  if (choice.kind === 'practice') return [words.say('ask.file', { path: cardName(choice) })];
  return driveLines(choice.drive, choice.verdict, words).map(({ text }) => text);
}
