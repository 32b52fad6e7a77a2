const segments = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * What takes two columns: the wide and fullwidth characters of Unicode Standard Annex 11, as scripts
 * and blocks, and pictures shown as emoji.
 */
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;

/** Columns that a text takes in a terminal. The text has no control characters. */
export function textWidth(text: string): number {
  return [...segments.segment(text)].reduce((sum, { segment }) => sum + columns(segment), 0);
}

/** The text in exactly `width` columns: filled with blanks, or cut with a mark at its end. */
export function fitText(text: string, width: number, mark: string): string {
  const missing = width - textWidth(text);
  if (missing >= 0) return text + ' '.repeat(missing);
  if (width < 1) return '';
  let shown = '';
  let used = 0;
  for (const { segment } of segments.segment(text)) {
    if (used + columns(segment) > width - 1) break;
    shown += segment;
    used += columns(segment);
  }
  return shown + mark + ' '.repeat(width - 1 - used);
}

function columns(grapheme: string): number {
  return wide.test(grapheme) ? 2 : 1;
}
