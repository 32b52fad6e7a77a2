/** How a character looks. */
export interface Style {
  readonly bold: boolean;
  readonly dim: boolean;
  /** Number of an ANSI colour, 0 to 7; null for the terminal's own. */
  readonly colour: number | null;
}

export interface Cell {
  readonly text: string;
  readonly style: Style;
}

const plain: Style = { bold: false, dim: false, colour: null };

const ESC = '\u001b';

/** ECMA-48: a control sequence, a control character, or anything else up to one of them. */
const piece = new RegExp(`${ESC}\\[([?\\d;]*)([A-Za-z])|[\\r\\n]|[^${ESC}\\r\\n]+`, 'gu');

/**
 * The screen of a terminal, as far as Boxwright's output needs one: text, returns and new lines,
 * cursor up, erasing to the end of a line or of the page, colours. Other sequences are left out.
 */
export class Screen {
  readonly #columns: number;
  readonly #rows: Cell[][] = [[]];
  #row = 0;
  #column = 0;
  #style = plain;

  constructor(columns: number) {
    this.#columns = columns;
  }

  write(output: string): void {
    for (const [whole, parameters = '', command] of output.matchAll(piece)) {
      if (command !== undefined) this.#control(command, parameters);
      else if (whole === '\r') this.#column = 0;
      else if (whole === '\n') this.#goTo(this.#row + 1);
      else for (const text of Array.from(whole)) this.#put(text);
    }
  }

  /** The lines with anything on them, from the top. */
  lines(): readonly (readonly Cell[])[] {
    const last = this.#rows.findLastIndex((row) => row.length > 0);
    return this.#rows.slice(0, last + 1);
  }

  #goTo(row: number): void {
    this.#row = Math.max(0, row);
    while (this.#rows.length <= this.#row) this.#rows.push([]);
  }

  #put(text: string): void {
    if (this.#column === this.#columns) {
      this.#goTo(this.#row + 1);
      this.#column = 0;
    }
    const row = this.#rows[this.#row] ?? [];
    while (row.length < this.#column) row.push({ text: ' ', style: plain });
    row[this.#column] = { text, style: this.#style };
    this.#column += 1;
  }

  #control(command: string, parameters: string): void {
    if (command === 'A') this.#goTo(this.#row - Math.max(1, Number(parameters)));
    if (command === 'K' || command === 'J') this.#rows[this.#row]?.splice(this.#column);
    if (command === 'J') this.#rows.splice(this.#row + 1);
    if (command === 'm') for (const code of parameters.split(';')) this.#setStyle(Number(code));
  }

  #setStyle(code: number): void {
    if (code === 0) this.#style = plain;
    if (code === 1) this.#style = { ...this.#style, bold: true };
    if (code === 2) this.#style = { ...this.#style, dim: true };
    if (code === 22) this.#style = { ...this.#style, bold: false, dim: false };
    if (code >= 30 && code <= 37) this.#style = { ...this.#style, colour: code - 30 };
    if (code === 39) this.#style = { ...this.#style, colour: null };
  }
}
