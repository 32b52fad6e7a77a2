/**
 * Strict reading of values that another program printed (lsblk, diskutil, PowerShell): a field that
 * is missing or of another type reads as null, never as something made up.
 */
export class Fields {
  readonly #values: ReadonlyMap<string, unknown>;

  private constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** The fields of a JSON object or of a property list's dict; null for anything else. */
  static of(value: unknown): Fields | null {
    if (value instanceof Map) {
      return new Fields(
        new Map([...value].map(([name, field]) => [String(name), field as unknown])),
      );
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return new Fields(new Map(Object.entries(value)));
  }

  /** A text that is not blank, trimmed. */
  text(name: string): string | null {
    const value = this.#values.get(name);
    if (typeof value !== 'string') return null;
    const trimmed = value.trim();
    return trimmed === '' ? null : trimmed;
  }

  /** A whole number of at least 0, as number or decimal text (lsblk before 2.33 quotes numbers). */
  count(name: string): number | null {
    const value = this.#values.get(name);
    const number =
      typeof value === 'string' && /^\s*\d{1,16}\s*$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0
      ? number
      : null;
  }

  /** A truth value, as boolean, 0 or 1, "0" or "1". */
  flag(name: string): boolean | null {
    const value = this.#values.get(name);
    if (value === true || value === 1 || value === '1') return true;
    if (value === false || value === 0 || value === '0') return false;
    return null;
  }

  /** The items of a list; empty where the field is no list. */
  list(name: string): readonly unknown[] {
    const value: unknown = this.#values.get(name);
    return Array.isArray(value) ? (value as readonly unknown[]) : [];
  }

  /** The objects in a list. */
  objects(name: string): readonly Fields[] {
    return this.list(name)
      .map((item) => Fields.of(item))
      .filter((item) => item !== null);
  }

  /** The texts in a list that are not blank. */
  texts(name: string): readonly string[] {
    return this.list(name).filter(
      (item): item is string => typeof item === 'string' && item.trim() !== '',
    );
  }
}
