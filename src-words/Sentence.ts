import type { Fact } from '../src-core/Failure.ts';
import type { sentences } from './en/sentences.ts';

type Table = typeof sentences;

type PluralForm = 'zero' | 'one' | 'two' | 'few' | 'many' | 'other';

/** The key without its plural form. */
type Stem<Key> = Key extends `${infer Base}_${PluralForm}` ? Base : Key;

/** Every sentence there is; the English table is the list. */
export type SentenceKey = Stem<keyof Table>;

type Trimmed<Text extends string> = Text extends ` ${infer Rest}`
  ? Trimmed<Rest>
  : Text extends `${infer Rest} `
    ? Trimmed<Rest>
    : Text;

type Named<Text extends string> = Text extends `${infer Name},${string}`
  ? Trimmed<Name>
  : Trimmed<Text>;

/** The names of the facts in a sentence: `{{name}}` and `{{name, format}}`. */
type FactNames<Text extends string> = Text extends `${string}{{${infer Inside}}}${infer Rest}`
  ? Named<Inside> | FactNames<Rest>
  : never;

type Forms<Key extends SentenceKey> = Extract<keyof Table, Key | `${Key}_${PluralForm}`>;

type NamesOf<Key extends SentenceKey> = FactNames<Table[Forms<Key>]>;

/** The facts that a sentence asks for; none at all where it has none. */
export type SentenceFacts<Key extends SentenceKey> = [NamesOf<Key>] extends [never]
  ? []
  : [facts: Readonly<Record<NamesOf<Key>, Fact>>];
