import { describe, expect, it } from 'vitest';
import { failureCodes, failureFacts } from '../../../src-core/Failure.ts';
import type { Failure } from '../../../src-core/Failure.ts';
import { failure } from '../../../src-core/Failure.ts';
import { Words } from '../../../src-words/Words.ts';

const words = new Words('en');

/** A failure with every fact of its code set to the same. */
function failureWith(code: Failure['code'], fact: string | number): Failure {
  const facts = Object.fromEntries(failureFacts[code].map((name) => [name, fact]));
  return { code, facts } as Failure;
}

describe('failures in words', () => {
  it.each(failureCodes)('%s leaves no placeholder, whatever kind its facts are', (code) => {
    for (const fact of ['something', 4096]) {
      const { cause, nextStep } = words.failure(failureWith(code, fact));
      expect(`${cause} ${nextStep}`).not.toMatch(/\{\{|\}\}|NaN|undefined|failure\./);
    }
  });

  it('shows sizes, numbers and times as a person reads them', () => {
    expect(
      words.failure(failure('image-too-large', { imageBytes: 4e9, driveBytes: 2.5e9 })).cause,
    ).toBe(
      'The image needs 4 GB (4,000,000,000 bytes), but the card holds only 2.5 GB (2,500,000,000 bytes).',
    );
    expect(words.failure(failure('card-stalled', { drive: 'sdb', seconds: 90 })).cause).toBe(
      'sdb has not answered for 1 min 30 sec.',
    );
    const facts = { drive: 'sdb', offset: 1048576, cause: 'EIO' };
    expect(words.failure(failure('write-failed', facts)).cause).toContain(
      'at byte 1,048,576: the device reported an error (EIO).',
    );
  });

  it('puts the codes of reasons into words, with and without what they are about', () => {
    const cause = (reasons: string): string =>
      words.failure(failure('drive-refused', { drive: 'sda', reasons })).cause;
    expect(cause('carries-root: / through md0')).toBe(
      'sda is refused: the running system is on it (/ through md0).',
    );
    expect(cause('carries-swap, read-only')).toBe(
      'sda is refused: the running system swaps to it, it is write-protected.',
    );
    expect(cause('too-small: 4000000000')).toContain('too small for the image (4 GB)');
    expect(cause('toString, __proto__: x')).toContain('toString, __proto__: x');
    expect(cause('carries-program: /a, read-only, carries-program: /b')).toBe(
      'sda is refused: this program itself is on it (/a and /b), it is write-protected.',
    );
    expect(cause('holds-image: /media/a, b: c.img, virtual: sda')).toBe(
      'sda is refused: the image is on it (/media/a, b: c.img), it is a virtual drive (--allow-virtual permits it).',
    );
  });

  it('tells the step that helps, where a drive is refused for one reason alone', () => {
    const nextStep = (reasons: string): string =>
      words.failure(failure('drive-refused', { drive: 'sda', reasons })).nextStep;
    expect(nextStep('read-only: sda')).toContain('away from LOCK');
    expect(nextStep('no-medium')).toContain('Put a card into the reader');
    expect(nextStep('holds-image: /media/a.img')).toContain('Copy the image');
    for (const reasons of ['carries-root: /', 'carries-root: /, read-only: sda', 'unheard-of']) {
      expect(nextStep(reasons)).toContain('Choose another drive');
    }
  });

  it('says what the system said of an error, with its name, and ends in one full stop', () => {
    const cause = (said: string): string =>
      words.failure(failure('image-unreadable', { path: 'a.img', cause: said })).cause;
    const denied = 'The image a.img cannot be read: permission denied (EACCES).';
    expect(cause('EACCES')).toBe(denied);
    expect(cause("EACCES: permission denied, open '/root/a.img'")).toBe(denied);
    expect(cause('EUNHEARD')).toBe('The image a.img cannot be read: EUNHEARD.');
    expect(cause('tool: target is busy.')).toBe(
      'The image a.img cannot be read: tool: target is busy.',
    );
  });
});

describe('reasons in words', () => {
  it('joins those that are the same', () => {
    const given = [
      { code: 'mounted', about: '/media/a' },
      { code: 'holds-data', about: 'vfat on sdb1' },
      { code: 'mounted', about: '/media/b' },
    ] as const;
    expect(words.reasons(given)).toEqual([
      'mounted, will be unmounted (/media/a and /media/b)',
      'holds data (vfat on sdb1)',
    ]);
  });
});

describe('foreign text in sentences', () => {
  it.each([
    ['\u001b[31mred\u001b[0m\u0007', ['\u001b', '\u0007']],
    ['abc\u202egnp.exe', ['\u202e']],
    ['two\nlines\r', ['\n', '\r']],
    ['tags\u{e0041}\u{e0042}', ['\u{e0041}']],
    ['\ud800lone', ['\ud800']],
  ])('%j is cleaned', (label, gone) => {
    const { cause } = words.failure(failure('drive-busy', { drive: label }));
    for (const character of gone) expect(cause).not.toContain(character);
    expect(words.say('drive.heading', { path: '/dev/sdb', label })).not.toMatch(/\p{Cc}|\p{Cf}/u);
    const reasons = words.reasons([{ code: 'mounted', about: label }]).join('');
    expect(reasons).not.toMatch(/\p{Cc}|\p{Cf}/u);
  });

  it.each([
    '$t(failure.internal.cause)',
    '{{path}}',
    '{{drive}}',
    '$t(help.program, {"x": 1})',
    '__proto__',
  ])('%s is only text', (label) => {
    expect(words.failure(failure('drive-busy', { drive: label })).cause).toBe(
      `${label} is in use by another program.`,
    );
    const given = words.say('drive.heading', { path: label, label });
    expect(given).toBe(`${label}  ${label}`);
  });

  it.each([
    ['os.img.xz', 'os.img.xz'],
    ['my image.img', "'my image.img'"],
    ['$(reboot).img', "'$(reboot).img'"],
    ["it's.img", "'it'\\''s.img'"],
    ['-y', './-y'],
    ['', "''"],
  ])('stands in a command to copy as one argument: %s', (image, argument) => {
    const said = words.say('next.verify', { image, drive: '/dev/sdb' });
    expect(said).toContain(`: boxwright verify ${argument} --on /dev/sdb`);
  });

  it('is cut where it is endless', () => {
    const { cause } = words.failure(failure('internal', { detail: 'x'.repeat(100_000) }));
    expect(cause.length).toBeLessThan(700);
  });
});

describe('numbers', () => {
  const { format } = words;

  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [1000, '1 kB'],
    [31_914_983_424, '31.9 GB'],
    [256e9, '256 GB'],
    [1.5e12, '1.5 TB'],
    [3e15, '3,000 TB'],
  ])('%d bytes are %s', (bytes, shown) => {
    expect(format.bytes(bytes)).toBe(shown);
  });

  it.each([
    [0, '1 sec'],
    [59_400, '59 sec'],
    [60_000, '1 min'],
    [80_000, '1 min 20 sec'],
    [3_600_000, '1 hr'],
    [3_725_000, '1 hr 2 min'],
    [360_000_000, '100 hr'],
  ])('%d ms are %s', (milliseconds, shown) => {
    expect(format.duration(milliseconds)).toBe(shown);
  });

  it('calls only what is whole 100 %', () => {
    expect(format.percent(0.9999)).toBe('99%');
    expect(format.percent(1)).toBe('100%');
    expect(format.speed(21_340_000)).toBe('21.3 MB/s');
    expect(format.speed(1.234e9)).toBe('1,234 MB/s');
  });

  it('counts in the forms of the language', () => {
    expect(words.say('drive.hidden', { count: 1 })).toMatch(/^One more drive is/);
    expect(words.say('drive.hidden', { count: 1200 })).toMatch(/^1,200 more drives are/);
  });
});
