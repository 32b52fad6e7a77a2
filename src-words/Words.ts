import i18next from 'i18next';
import type { i18n } from 'i18next';
import type { DriveReason, ReasonGiven } from '../src-core/DriveVerdict.ts';
import type { Fact, Failure } from '../src-core/Failure.ts';
import { plainText } from '../src-core/PlainText.ts';
import { en } from './en/index.ts';
import { formatter } from './Formatter.ts';
import type { Formatter } from './Formatter.ts';
import type { SentenceFacts, SentenceKey } from './Sentence.ts';
import type { WordTable } from './WordTable.ts';

/** Every language there are words in. */
export const wordTables = { en } satisfies Record<string, WordTable>;

export type Language = keyof typeof wordTables;

/** Longest piece of foreign text in a sentence, in code points: paths and reports may be long. */
const LONGEST_FACT = 600;

/** What is said to a person, in one language. Everything put into a sentence is cleaned first. */
export class Words {
  readonly format: Formatter;
  readonly #i18n: i18n;
  readonly #table: WordTable;

  constructor(language: Language) {
    this.format = formatter(language);
    this.#table = wordTables[language];
    this.#i18n = i18next.createInstance();
    void this.#i18n.init({
      lng: language,
      resources: { [language]: { translation: resourceOf(wordTables[language]) } },
      ...{ keySeparator: false, nsSeparator: false, initAsync: false, returnNull: false },
      // Cleaned for a terminal here, and escaped by the renderer where there is one.
      interpolation: { escapeValue: false, skipOnVariables: true },
    });
    this.#addFormats();
  }

  /** A sentence by its key. */
  say<Key extends SentenceKey>(key: Key, ...[facts]: SentenceFacts<Key>): string {
    return this.#say(key, facts ?? {});
  }

  /** What happened and what to do about it. */
  failure({ code, facts }: Failure): { readonly cause: string; readonly nextStep: string } {
    const given = facts as Readonly<Record<string, Fact>>;
    const step = code === 'drive-refused' ? this.#stepAfter(String(given['reasons'])) : null;
    return {
      cause: this.#say(`failure.${code}.cause`, given),
      nextStep: step ?? this.#say(`failure.${code}.nextStep`, given),
    };
  }

  /** Why a drive is judged as it is: "it is unusually large for a card (1 TB)". Same reasons join. */
  reasons(given: readonly ReasonGiven[]): string[] {
    const codes = [...new Set(given.map(({ code }) => code))];
    return codes.map((code) => {
      const things = given.filter((each) => each.code === code).map(({ about }) => about);
      return this.#reason(code, this.format.list(things.filter((about) => about !== '')));
    });
  }

  #reason(code: DriveReason, about: string): string {
    const reason = this.#say(`reason.${code}`, { about });
    return about === '' ? reason.replace(' ()', '') : reason;
  }

  #say(key: string, facts: Readonly<Record<string, Fact>>): string {
    const cleaned = Object.entries(facts).map(([name, fact]): [string, Fact] => [
      name,
      typeof fact === 'string' ? plainText(fact, LONGEST_FACT) : fact,
    ]);
    return this.#i18n.t(key, Object.fromEntries(cleaned));
  }

  #addFormats(): void {
    const { formatter: formats } = this.#i18n.services;
    if (formats === undefined) throw new Error('i18next was built without a formatter');
    // Facts that crossed a process may be numbers written as text.
    const add = (name: string, format: (value: number) => string): void => {
      formats.add(name, (value: unknown) => {
        const number = typeof value === 'string' && value !== '' ? Number(value) : value;
        return Number.isFinite(number) ? format(Number(number)) : String(value);
      });
    };
    add('bytes', this.format.bytes);
    add('integer', this.format.integer);
    add('seconds', (seconds) => this.format.duration(seconds * 1000));
    formats.add('reasons', (value: unknown) => this.#reasons(String(value)));
    formats.add('argument', (value: unknown) => shellArgument(String(value)));
    formats.add('system', (value: unknown) => this.#systemError(String(value)));
  }

  /** The fact "carries-root: / through md0, large" in words; what begins with no known code stays as it is. */
  #reasons(fact: string): string {
    const given = reasonsIn(fact);
    return given === null ? fact : this.reasons(given).join(', ');
  }

  #stepAfter(fact: string): string | null {
    const codes = new Set(reasonsIn(fact)?.map(({ code }) => code));
    const [only] = codes;
    return only === undefined || codes.size > 1 ? null : (this.#table.reasonSteps[only] ?? null);
  }

  /** What the system or one of its tools said of an error: "EACCES", or "EACCES: permission denied, open ...". */
  #systemError(said: string): string {
    const [, code = ''] = /^(E[A-Z0-9]+)(?:: .*)?$/su.exec(said) ?? [];
    const known = Object.hasOwn(this.#table.systemErrors, code);
    // Tools end their message with a full stop, which the sentence around it has as well.
    if (!known) return said.replace(/\.+$/, '');
    return `${this.#table.systemErrors[code] ?? ''} (${code})`;
  }
}

/**
 * A name as it has to stand in a command that a person copies: in single quotes where a shell would
 * read more into it (POSIX.1-2017, Shell Command Language, 2.2.2), and never taken for an option.
 */
function shellArgument(name: string): string {
  const argument = name.startsWith('-') ? `./${name}` : name;
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", "'\\''")}'`;
}

/** Null where the fact does not begin with the code of a reason. */
function reasonsIn(fact: string): ReasonGiven[] | null {
  const given: ReasonGiven[] = [];
  for (const piece of fact.split(', ')) {
    const [code = '', ...about] = piece.split(': ');
    const before = given.at(-1);
    if (isReason(code)) given.push({ code, about: about.join(': ') });
    else if (before === undefined) return null;
    // A name that has a comma in it.
    else given.splice(-1, 1, { ...before, about: `${before.about}, ${piece}` });
  }
  return given;
}

function isReason(code: string): code is DriveReason {
  return Object.hasOwn(en.reasons, code);
}

/** One flat table, as i18next is asked with keys that are not paths. */
function resourceOf(table: WordTable): Record<string, string> {
  const failures = Object.entries(table.failures).flatMap(([code, { cause, nextStep }]) => [
    [`failure.${code}.cause`, cause],
    [`failure.${code}.nextStep`, nextStep],
  ]);
  const reasons = Object.entries(table.reasons).map(([code, words]) => [`reason.${code}`, words]);
  return Object.fromEntries([
    ...failures,
    ...reasons,
    ...Object.entries(table.sentences),
  ]) as Record<string, string>;
}
