import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';
import { filtered, sampleBytes, sampleImage } from './ImageSamples.ts';

const decodeSource = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { decodeSegment } from '${path.resolve('src-image/decodeSegment.ts')}';
  import { openImage } from '${path.resolve('src-image/FileImage.ts')}';
  import { planDecode } from '${path.resolve('src-image/DecodePlan.ts')}';
  const file = openImage(workerData);
  const plan = planDecode(file);
  let bytes = 0;
  const segment = plan.segments[0];
  decodeSegment(file, plan, segment, (chunk) => { bytes += chunk.length; }).then(() => {
    parentPort.postMessage(bytes);
  });
`;

test('in one CommonJS file that a thread evaluates, xz decodes without any file beside it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'image-bundle-'));
  try {
    const entry = path.join(folder, 'decode.mjs');
    writeFileSync(entry, decodeSource);
    const wasm = createRequire(import.meta.url).resolve('node-liblzma/wasm/liblzma.wasm');
    const define = { LIBLZMA_WASM_BASE64: JSON.stringify(readFileSync(wasm, 'base64')) };
    const build = await rolldown({ input: entry, platform: 'node', transform: { define } });
    const { output } = await build.generate({ format: 'cjs', codeSplitting: false });
    await build.close();
    expect(output).toHaveLength(1);
    expect(output[0].code).not.toContain('node_modules/node-liblzma/lib/wasm/liblzma.wasm');

    const image = path.join(folder, 'image.xz');
    writeFileSync(image, filtered('xz', ['-T1', '-c'], sampleImage()));
    const thread = new Worker(output[0].code, { eval: true, workerData: image });
    const decoded = await new Promise((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
    });
    expect(decoded).toBe(sampleBytes);
    await thread.terminate();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
