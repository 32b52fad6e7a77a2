import { SaxesParser } from 'saxes';

export interface BmapXmlRange {
  readonly text: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The words of a .bmap file, before anything is made of them. Texts are trimmed. */
export interface BmapXml {
  readonly version: string;
  /** The elements beside BlockMap, by name. */
  readonly fields: ReadonlyMap<string, string>;
  readonly ranges: readonly BmapXmlRange[];
}

const maxTextLength = 256;
const maxAttributes = 8;
const maxFields = 32;

/**
 * Reads the XML of a .bmap file. Document types and thereby entities, processing instructions,
 * CDATA, text in odd places, deeper nesting than bmap/BlockMap/Range and elements given twice are
 * refused.
 * @throws Error saying what and where
 */
export function readBmapXml(bytes: Uint8Array): BmapXml {
  const document = new BmapDocument();
  document.read(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  return document;
}

class BmapDocument implements BmapXml {
  version = '';
  readonly fields = new Map<string, string>();
  readonly ranges: BmapXmlRange[] = [];
  readonly #open: string[] = [];
  readonly #parser = new SaxesParser();
  #text = '';
  #attributes = new Map<string, string>();

  constructor() {
    const parser = this.#parser;
    parser.on('doctype', () => {
      throw this.#unexpected('a document type');
    });
    parser.on('processinginstruction', () => {
      throw this.#unexpected('a processing instruction');
    });
    parser.on('cdata', () => {
      throw this.#unexpected('a CDATA section');
    });
    parser.on('opentag', ({ name, attributes }) => {
      this.#openElement(name, new Map(Object.entries(attributes)));
    });
    parser.on('text', (text) => {
      this.#takeText(text);
    });
    parser.on('closetag', ({ name }) => {
      this.#closeElement(name);
    });
  }

  read(text: string): void {
    this.#parser.write(text).close();
    if (!this.fields.has('BlockMap')) throw this.#unexpected('no BlockMap');
  }

  #unexpected(what: string): Error {
    return new Error(`${what} at line ${String(this.#parser.line)}`);
  }

  /** Elements may hold either text or other elements. */
  #holdsText(): boolean {
    const [, section] = this.#open;
    return section !== undefined && (section !== 'BlockMap' || this.#open.length === 3);
  }

  #openElement(name: string, attributes: Map<string, string>): void {
    if (this.#holdsText()) throw this.#unexpected(`an element in ${this.#open.join('/')}`);
    const depth = this.#open.push(name);
    const expected = depth === 1 ? name === 'bmap' : depth === 2 || name === 'Range';
    if (!expected) throw this.#unexpected(`element ${name.slice(0, 40)}`);
    if (depth === 1) this.version = attributes.get('version') ?? '';
    if (depth === 2) {
      if (this.fields.has(name)) throw this.#unexpected(`a second ${name.slice(0, 40)}`);
      if (this.fields.size === maxFields) throw this.#unexpected('too many elements');
      this.fields.set(name, '');
    }
    if (attributes.size > maxAttributes) throw this.#unexpected('too many attributes');
    this.#attributes = attributes;
    this.#text = '';
  }

  #takeText(text: string): void {
    if (!this.#holdsText()) {
      if (text.trim() !== '') throw this.#unexpected('text between elements');
      return;
    }
    this.#text += text;
    if (this.#text.length > maxTextLength) throw this.#unexpected('a text that is too long');
  }

  #closeElement(name: string): void {
    if (this.#holdsText()) {
      const text = this.#text.trim();
      if (this.#open.length === 3) this.ranges.push({ text, attributes: this.#attributes });
      else this.fields.set(name, text);
    }
    this.#open.pop();
  }
}
