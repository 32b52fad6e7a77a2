/**
 * Makes the programs in dist/: one self-contained file each, so that the privileged one can be
 * installed, read and hashed on its own.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { rolldown } from 'rolldown';
import { FINGERPRINT_FILE, sourcesFingerprint } from './bootstrap/bundles.mjs';
import { checkout } from './bootstrap/checkout.mjs';

/**
 * @typedef {object} Bundle
 * @property {string} source
 * @property {string} output
 * @property {'esm' | 'cjs'} format the engine is evaluated from its text, which an ES module cannot be
 * @property {string} [hashbang] what starts it where it is installed
 */

/** @type {readonly Bundle[]} */
const bundles = [
  {
    source: 'src-cli/main.ts',
    output: 'boxwright.mjs',
    format: 'esm',
    hashbang: '#!/usr/bin/env node',
  },
  {
    source: 'src-writer/supervisor/main.ts',
    output: 'supervisor.mjs',
    format: 'esm',
    // The installation that SECURITY.md describes: sudo and pkexec start it without other arguments.
    hashbang: '#!/usr/lib/boxwright/node --disable-sigusr1',
  },
  {
    source: 'src-writer/supervisor/engine-launcher.ts',
    output: 'engine-launcher.mjs',
    format: 'esm',
  },
  { source: 'src-writer/engine/main.ts', output: 'engine.cjs', format: 'cjs' },
];

/** The WebAssembly of the xz decoder lies in the bundle: src-image/xz/Liblzma.ts. */
const liblzma = readFileSync(
  createRequire(import.meta.url).resolve('node-liblzma/wasm/liblzma.wasm'),
  'base64',
);

/**
 * @param {Bundle} bundle
 * @returns {Promise<string>} the program's text
 */
async function bundleText({ source, format, hashbang }) {
  const build = await rolldown({
    input: path.join(checkout, source),
    cwd: checkout,
    platform: 'node',
    treeshake: true,
    transform: { define: { LIBLZMA_WASM_BASE64: JSON.stringify(liblzma) } },
    onLog: (_level, log) => process.stderr.write(`${source}: ${log.message}\n`),
  });
  const { output: parts } = await build.generate({
    format,
    codeSplitting: false,
    ...(hashbang !== undefined && { banner: hashbang }),
    comments: { legal: false },
    // Names stay: they are what a stack trace in a bug report is read by.
    minify: { mangle: false, compress: true, codegen: true },
  });
  await build.close();
  const [chunk, ...others] = parts;
  const outside = [...chunk.imports, ...chunk.dynamicImports].filter((name) => !isBuiltin(name));
  if (others.length > 0 || outside.length > 0) {
    const left = [...others.map(({ fileName }) => fileName), ...outside];
    throw new Error(`${source} does not fit into one file; left over: ${left.join(', ')}`);
  }
  return chunk.code;
}

/**
 * Puts a file in place in one step, because another run of the program may be reading it.
 * @param {string} file relative to the checkout
 * @param {string} text
 */
function replaceFile(file, text) {
  const target = path.join(checkout, file);
  const fresh = `${target}.${String(process.pid)}`;
  writeFileSync(fresh, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  renameSync(fresh, target);
}

/**
 * @param {Bundle} bundle
 * @returns {Promise<boolean>} whether it could be made
 */
async function make(bundle) {
  try {
    if (!existsSync(path.join(checkout, bundle.source))) throw new Error('its source is missing');
    replaceFile(`dist/${bundle.output}`, await bundleText(bundle));
    return true;
  } catch (error) {
    const message = stripVTControlCharacters(
      error instanceof Error ? error.message : String(error),
    );
    process.stderr.write(`dist/${bundle.output} not built from ${bundle.source}: ${message}\n`);
    return false;
  }
}

const fingerprint = sourcesFingerprint();
mkdirSync(path.join(checkout, 'dist'), { recursive: true });
const made = await Promise.all(bundles.map(make));
if (made.every(Boolean)) replaceFile(FINGERPRINT_FILE, fingerprint);
else process.exitCode = 1;
