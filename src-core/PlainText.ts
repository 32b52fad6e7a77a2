/**
 * Characters that hide, reorder or fake text: controls, formatting (bidirectional marks, zero-width
 * joiners, tags), lone surrogates, private use, unassigned, line and paragraph separators, and the
 * letters that print as blanks (Unicode TR 36, section 2).
 */
const deceptive = /[\p{C}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** Longest name that is shown, in code points. Sentences may take longer pieces. */
const LONGEST = 128;

/**
 * Text that came from a device or another program, fit to be shown in one line: without control
 * and bidirectional characters, blanks collapsed, at most `longest` code points. May be empty.
 */
export function plainText(text: string, longest = LONGEST): string {
  const shown = text
    .slice(0, 8 * longest)
    .replace(deceptive, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  return Array.from(shown).slice(0, longest).join('').trim();
}
