import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { failureCodes, failureFacts } from '../../../src-core/Failure.ts';
import { wordTables } from '../../../src-words/Words.ts';

const formats = ['bytes', 'integer', 'seconds', 'reasons', 'system', 'argument'];
const root = path.join(import.meta.dirname, '..', '..', '..');

/** The facts a sentence uses, and the formats it shows them in. */
function placeholders(sentence: string): { name: string; format: string | null }[] {
  return [...sentence.matchAll(/\{\{\s*([^},\s]+)\s*(?:,\s*([^}\s]+)\s*)?\}\}/g)].map(
    ([, name = '', format = null]) => ({ name, format }),
  );
}

function sources(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(path.join(root, folder, file), 'utf8'));
}

describe.each(Object.entries(wordTables))('the words of %s', (_language, table) => {
  it.each(failureCodes)(
    '%s: a cause and a next step, with no fact that it does not get',
    (code) => {
      const { cause, nextStep } = table.failures[code];
      for (const sentence of [cause, nextStep]) {
        expect(sentence.trim()).not.toBe('');
        for (const { name, format } of placeholders(sentence)) {
          expect(failureFacts[code] as readonly string[]).toContain(name);
          if (format !== null) expect(formats).toContain(format);
        }
        expect(sentence.replace(/\{\{[^}]*\}\}/g, '')).not.toMatch(/[{}]|\$t\(/);
      }
    },
  );

  it('has words for no code that there is not', () => {
    expect(Object.keys(table.failures).sort()).toEqual([...failureCodes].sort());
  });

  it.each(Object.entries(table.reasons))(
    'reason %s uses nothing but what it is about',
    (_, reason) => {
      expect(reason.trim()).not.toBe('');
      for (const { name } of placeholders(reason)) expect(name).toBe('about');
    },
  );

  it('says the steps after a refusal, and the system errors, without facts', () => {
    const { reasonSteps, systemErrors } = table;
    for (const said of [...Object.values(reasonSteps), ...Object.values(systemErrors)]) {
      expect(said.trim()).not.toBe('');
      expect(placeholders(said)).toEqual([]);
    }
  });

  it('has the same sentences as English, in the plural forms of its own', () => {
    const stems = (keys: readonly string[]): string[] =>
      [...new Set(keys.map((key) => key.replace(/_(zero|one|two|few|many|other)$/, '')))].sort();
    expect(stems(Object.keys(table.sentences))).toEqual(
      stems(Object.keys(wordTables.en.sentences)),
    );
  });

  it.each(Object.entries(table.sentences))('sentence %s uses known formats', (_, sentence) => {
    for (const { format } of placeholders(sentence)) {
      if (format !== null) expect(formats).toContain(format);
    }
  });
});

it('no sentence is unused', () => {
  const code = ['src-cli', 'src-main', 'src-renderer']
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap(sources)
    .join('\n');
  const literal = new Set(
    [...code.matchAll(/'([a-z]+(?:[.-][a-z0-9-]+)+)'/g)].map(([, key]) => key),
  );
  const prefixes = [...code.matchAll(/say\(`([a-z.]+)\$\{/g)].map(([, prefix = '']) => prefix);
  expect(prefixes.length).toBeGreaterThan(3);
  const unused = Object.keys(wordTables.en.sentences)
    .map((key) => key.replace(/_(one|other)$/, ''))
    .filter((key) => !literal.has(key) && !prefixes.some((prefix) => key.startsWith(prefix)));
  expect(unused).toEqual([]);
});
