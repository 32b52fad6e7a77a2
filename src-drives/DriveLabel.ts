import { plainText } from '../src-core/PlainText.ts';

/** What stands where a maker's name belongs and says nothing. */
const meaningless =
  /^(ata|usb|scsi|nvme|\(standard disk drives\)|to be filled by o\.?e\.?m\.?|0x[0-9a-f]+)$/i;

/**
 * What a person calls a drive, from the parts a platform knows (maker, model, ...): cleaned,
 * nothing said twice, never empty.
 * @param otherwise used where no part says anything: the kernel's name of the drive
 */
export function driveLabel(parts: readonly (string | null)[], otherwise: string): string {
  const words: string[] = [];
  for (const part of parts) {
    if (part === null) continue;
    const text = plainText(part.replaceAll('_', ' '));
    if (text === '' || meaningless.test(text)) continue;
    const last = words.at(-1);
    if (last !== undefined && startsWithWords(text, last)) words.pop();
    if (!words.some((word) => startsWithWords(word, text))) words.push(text);
  }
  return plainText(words.join(' ')) || plainText(otherwise) || 'drive';
}

function startsWithWords(text: string, start: string): boolean {
  return `${text} `.toLowerCase().startsWith(`${start} `.toLowerCase());
}
