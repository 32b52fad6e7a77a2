import type { Writer } from '../src-services/Writer.ts';
import type { Words } from '../src-words/Words.ts';
import type { Interruption } from './Interruption.ts';
import type { Terminal } from './Terminal.ts';

/** What every command works with. */
export interface Program {
  readonly terminal: Terminal;
  readonly words: Words;
  readonly interruption: Interruption;
  /** Started by the first job that needs it. */
  readonly writer: Writer;
}
