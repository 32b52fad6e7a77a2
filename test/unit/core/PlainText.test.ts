import { describe, expect, it } from 'vitest';
import { plainText } from '../../../src-core/PlainText.ts';

describe('plainText', () => {
  it.each([
    ['SanDisk Ultra', 'SanDisk Ultra'],
    ['  a \t b\u00a0c ', 'a b c'],
    ['SD\u202egpj.exe', 'SD gpj.exe'],
    ['\u2066iso\u2069late', 'iso late'],
    ['\u001b[31mred\u0007', '[31mred'],
    ['line\nbreak\u2028end', 'line break end'],
    ['zero\u200bwidth\ufeff', 'zero width'],
    ['tag\u{e0041}\u{e007f}s', 'tag s'],
    ['lone\ud800surrogate', 'lone surrogate'],
    ['\u3164\u2800\u115f', ''],
    ['Größe ñ 卡片 بطاقة', 'Größe ñ 卡片 بطاقة'],
    ['', ''],
  ])('%j is shown as %j', (text, shown) => {
    expect(plainText(text)).toBe(shown);
  });

  it('cuts what is too long to be shown, between whole characters', () => {
    expect(plainText('😀'.repeat(10_000))).toBe('😀'.repeat(128));
    expect(plainText(`${' '.repeat(500)}x`)).toBe('x');
  });
});
