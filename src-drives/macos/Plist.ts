/** A value of a property list. Data and dates stay text: nothing here needs them. */
export type PlistValue =
  string | number | boolean | readonly PlistValue[] | ReadonlyMap<string, PlistValue>;

/** Deeper than any list of disks; keeps hostile nesting from filling the stack. */
const DEEPEST = 200;

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function unescape(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]{1,6}|#\d{1,7}|\w+);/g, (whole, name: string) => {
    if (!name.startsWith('#')) return entities[name] ?? whole;
    const code = name.startsWith('#x')
      ? Number.parseInt(name.slice(2), 16)
      : Number.parseInt(name.slice(1), 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

interface Tag {
  readonly name: string;
  readonly closing: boolean;
  readonly empty: boolean;
}

class PlistReader {
  readonly #text: string;
  readonly #token = /\s*(?:<(\/?)(\w+)(?:\s[^<>]*?)?(\/?)>)/y;

  constructor(text: string) {
    this.#text = text;
  }

  read(): PlistValue | null {
    const start = this.#text.search(/<plist[\s>]/);
    if (start < 0) return null;
    this.#token.lastIndex = start;
    if (this.#next()?.name !== 'plist') return null;
    const value = this.#value(this.#next(), 0);
    const end = this.#next();
    return end?.closing === true && end.name === 'plist' ? value : null;
  }

  #next(): Tag | null {
    const match = this.#token.exec(this.#text);
    if (match === null) return null;
    return { name: match[2] ?? '', closing: match[1] === '/', empty: match[3] === '/' };
  }

  #value(tag: Tag | null, depth: number): PlistValue | null {
    if (tag === null || tag.closing || depth > DEEPEST) return null;
    switch (tag.name) {
      case 'true':
      case 'false':
        return tag.empty || this.#scalar(tag.name) !== null ? tag.name === 'true' : null;
      case 'string':
      case 'data':
      case 'date':
        return tag.empty ? '' : this.#scalar(tag.name);
      case 'integer':
      case 'real': {
        const number = Number(this.#scalar(tag.name) ?? Number.NaN);
        return Number.isFinite(number) ? number : null;
      }
      case 'array':
        return tag.empty ? [] : this.#array(depth);
      case 'dict':
        return tag.empty ? new Map() : this.#dict(depth);
      default:
        return null;
    }
  }

  /** The text up to the closing tag. */
  #scalar(name: string): string | null {
    const start = this.#token.lastIndex;
    const end = this.#text.indexOf('<', start);
    if (end < 0) return null;
    this.#token.lastIndex = end;
    const tag = this.#next();
    return tag?.closing === true && tag.name === name
      ? unescape(this.#text.slice(start, end))
      : null;
  }

  #array(depth: number): PlistValue | null {
    const items: PlistValue[] = [];
    for (;;) {
      const tag = this.#next();
      if (tag?.closing === true) return tag.name === 'array' ? items : null;
      const item = this.#value(tag, depth + 1);
      if (item === null) return null;
      items.push(item);
    }
  }

  #dict(depth: number): PlistValue | null {
    const entries = new Map<string, PlistValue>();
    for (;;) {
      const tag = this.#next();
      if (tag?.closing === true) return tag.name === 'dict' ? entries : null;
      if (tag?.name !== 'key') return null;
      const key = tag.empty ? '' : this.#scalar('key');
      const value = this.#value(this.#next(), depth + 1);
      if (key === null || value === null) return null;
      entries.set(key, value);
    }
  }
}

/**
 * Reads an XML property list as diskutil and ioreg print it (Apple's PropertyList-1.0.dtd).
 * Null for anything that is not one in full: a list cut short is no list.
 */
export function parsePlist(text: string): PlistValue | null {
  return new PlistReader(text).read();
}
