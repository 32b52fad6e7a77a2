/** What the tests understand of ECMA-48 and DEC private modes; anything else is an error. */
const pieces = /\ue000\[(\??[0-9;]*)([A-Za-z])|[\r\n]|[^\ue000\r\n]/gu;

/** A screen that obeys what a program writes, and keeps the lines that scrolled away. */
export class Screen {
  readonly columns: number;
  readonly #lines: string[][] = [[]];
  #row = 0;
  #column = 0;
  /** A row that was wrapped because the text was wider than the screen. */
  wrapped = 0;
  isCursorShown = true;
  colours = 0;

  constructor(columns: number) {
    this.columns = columns;
  }

  get lines(): string[] {
    return this.#lines.map((line) => line.join('').trimEnd());
  }

  write(text: string): void {
    const readable = text.replaceAll('\u001b', '\ue000');
    let understood = 0;
    for (const [piece, parameter, command] of readable.matchAll(pieces)) {
      understood += piece.length;
      if (command !== undefined) this.#obey(command, parameter ?? '');
      else if (piece === '\r') this.#column = 0;
      else if (piece === '\n') this.#down();
      else this.#put(piece);
    }
    if (understood !== text.length) throw new Error(`not understood: ${JSON.stringify(text)}`);
  }

  #obey(command: string, parameter: string): void {
    const line = this.#line();
    if (command === 'A') this.#row = Math.max(0, this.#row - Number(parameter));
    else if (command === 'G') this.#column = Number(parameter) - 1;
    else if (command === 'K') line.length = Math.min(line.length, this.#column);
    else if (command === 'J') {
      line.length = Math.min(line.length, this.#column);
      this.#lines.length = this.#row + 1;
    } else if (command === 'm') this.colours += 1;
    else if (parameter === '?25') this.isCursorShown = command === 'h';
    else throw new Error(`not understood: ${parameter}${command}`);
  }

  #put(character: string): void {
    if (this.#column >= this.columns) {
      this.wrapped += 1;
      this.#column = 0;
      this.#down();
    }
    const line = this.#line();
    while (line.length < this.#column) line.push(' ');
    line[this.#column] = character;
    this.#column += 1;
  }

  #down(): void {
    this.#row += 1;
    this.#line();
  }

  #line(): string[] {
    const line = (this.#lines[this.#row] ??= []);
    return line;
  }
}
