/** Numbers as a person of one language reads them. */
export interface Formatter {
  /** Decimal units, as printed on cards: "31.9 GB". */
  readonly bytes: (bytes: number) => string;
  /** Of bytes per second: "21.3 MB/s". */
  readonly speed: (bytesPerSecond: number) => string;
  /** Of milliseconds, in the two largest units: "1 min 20 sec". Never less than a second. */
  readonly duration: (milliseconds: number) => string;
  /** Of a fraction from 0 to 1, rounded down, so that only what is whole is 100 %. */
  readonly percent: (fraction: number) => string;
  readonly integer: (value: number) => string;
  /** "a, b, and c" */
  readonly list: (items: readonly string[]) => string;
}

const byteUnits = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

type Unit = (typeof byteUnits)[number] | 'megabyte-per-second' | 'hour' | 'minute' | 'second';

export function formatter(language: string): Formatter {
  const unit = (value: number, name: Unit, most: number, least = 0): string =>
    new Intl.NumberFormat(language, {
      ...{ style: 'unit', unit: name, unitDisplay: name === 'byte' ? 'long' : 'short' },
      ...{ minimumFractionDigits: least, maximumFractionDigits: most },
    }).format(value);
  return {
    bytes: (bytes) => {
      const power = Math.min(byteUnits.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
      const value = bytes / 1000 ** power;
      return unit(value, byteUnits[power] ?? 'byte', power > 0 && value < 100 ? 1 : 0);
    },
    speed: (perSecond) => {
      // As many digits for all, so that a number that changes in place does not jump.
      const digits = perSecond < 1e8 ? 1 : 0;
      return unit(perSecond / 1e6, 'megabyte-per-second', digits, digits);
    },
    duration: (milliseconds) => {
      const seconds = Math.max(1, Math.round(milliseconds / 1000));
      const parts = [
        { value: Math.floor(seconds / 3600), name: 'hour' as const },
        { value: Math.floor(seconds / 60) % 60, name: 'minute' as const },
        { value: seconds % 60, name: 'second' as const },
      ];
      const first = parts.findIndex(({ value }) => value > 0);
      const shown = parts.slice(first, first + 2).filter(({ value }) => value > 0);
      return shown.map(({ value, name }) => unit(value, name, 0)).join(' ');
    },
    percent: (fraction) =>
      new Intl.NumberFormat(language, { style: 'percent' }).format(
        Math.floor(fraction * 100) / 100,
      ),
    integer: (value) => new Intl.NumberFormat(language).format(value),
    list: (items) => new Intl.ListFormat(language).format(items),
  };
}
