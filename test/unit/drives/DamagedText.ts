import type { SeededRandom } from '../../support/SeededRandom.ts';

const pieces = [
  '\0',
  '\u202e',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  '/',
  '\n',
  '99999999999999999999',
  'é',
];

/** A text with a few places cut, doubled or overwritten. */
export function damaged(text: string, random: SeededRandom): string {
  let result = text;
  for (let count = 1 + random.integer(4); count > 0; count -= 1) {
    const at = random.integer(result.length);
    const length = random.integer(40);
    const piece = pieces[random.integer(pieces.length)] ?? '';
    const replacements = ['', piece, result.slice(at, at + length).repeat(2)];
    const replacement = replacements[random.integer(replacements.length)] ?? '';
    result = result.slice(0, at) + replacement + result.slice(at + length);
  }
  return result;
}
