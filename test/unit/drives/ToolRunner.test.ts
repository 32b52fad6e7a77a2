import { describe, expect, it } from 'vitest';
import { withinDeadline } from '../../../src-drives/Deadline.ts';
import { callTool, runTool } from '../../../src-drives/ToolRunner.ts';

const sleepTool = ['/nowhere/sleep', '/usr/bin/sleep', '/bin/sleep'];

describe('a tool', () => {
  it('is looked for at fixed paths, with a fixed environment and nothing to read', async () => {
    process.env['BOXWRIGHT_LEAK'] = 'secret';
    const printed = await runTool({ tool: ['/usr/bin/env'], arguments: [], timeout: 5000 });
    delete process.env['BOXWRIGHT_LEAK'];
    expect(printed?.trim().split('\n').sort()).toEqual([
      'LC_ALL=C',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
    expect(await runTool({ tool: ['/bin/cat'], arguments: [], timeout: 5000 })).toBe('');
  });

  it('that is missing, fails or prints without end gives nothing', async () => {
    expect(await runTool({ tool: ['/nowhere/x'], arguments: [], timeout: 1000 })).toBeNull();
    expect(await runTool({ tool: ['/bin/false'], arguments: [], timeout: 5000 })).toBeNull();
    expect(await runTool({ tool: ['/usr/bin/yes'], arguments: [], timeout: 10_000 })).toBeNull();
  });

  it('that found nothing is told apart from one that is missing, was killed or started not', async () => {
    const outcome = (tool: string, ...words: string[]) =>
      callTool({ tool: [tool], arguments: words, timeout: 5000 });
    expect(await outcome('/bin/sh', '-c', 'echo some; exit 2')).toEqual({
      ...{ kind: 'ended', exitCode: 2, printed: 'some\n' },
    });
    expect(await outcome('/nowhere/x')).toEqual({ kind: 'missing' });
    const unanswered = { kind: 'unanswered' };
    expect(await outcome('/bin/sh', '-c', 'kill -KILL $$')).toEqual(unanswered);
    expect(await outcome('/bin')).toEqual(unanswered);
    expect(await outcome('/usr/bin/yes')).toEqual(unanswered);
    expect(await callTool({ tool: sleepTool, arguments: ['60'], timeout: 100 })).toEqual(
      unanswered,
    );
  });

  it('is not waited for beyond its time', async () => {
    const begun = performance.now();
    expect(await runTool({ tool: sleepTool, arguments: ['60'], timeout: 100 })).toBeNull();
    expect(performance.now() - begun).toBeLessThan(5000);
  });
});

describe('a question with a deadline', () => {
  it('is answered, or null', async () => {
    expect(await withinDeadline(Promise.resolve(7), 1000)).toBe(7);
    expect(await withinDeadline(Promise.reject(new Error('EIO')), 1000)).toBeNull();
    expect(await withinDeadline(new Promise(() => undefined), 10)).toBeNull();
  });
});
