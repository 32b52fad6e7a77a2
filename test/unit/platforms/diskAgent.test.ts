import { expect, onTestFinished, test } from 'vitest';
import { PowerShellAgent } from '../../../src-writer/supervisor/windows/DiskAgent.ts';
import { diskAgentScript } from '../../../src-writer/supervisor/windows/diskAgentScript.ts';
import { runAsScript } from '../../../src-services/WindowsRunAs.ts';

/** An agent that is a program of Node's: what `answer` makes of each line, it says. */
function agentThat(answer: string): PowerShellAgent {
  const program = `
    const lines = require('node:readline').createInterface({ input: process.stdin });
    lines.on('line', (line) => { ${answer} });
  `;
  const agent = new PowerShellAgent([process.execPath, '-e', program]);
  onTestFinished(() => agent.end());
  return agent;
}

test('a question is one line, and so is its answer', async () => {
  const agent = agentThat(`console.log('0 ' + line.toUpperCase())`);
  expect(await agent.ask('open', 'x', 'c0')).toEqual({ error: 0, value: 'OPEN X C0' });
  expect(await agent.ask('serial', '2')).toEqual({ error: 0, value: 'SERIAL 2' });
});

const said: readonly [line: string, answer: object][] = [
  ['5 Access is denied', { error: 5, value: 'Access is denied' }],
  ['0 ', { error: 0, value: '' }],
  ['0 zw\u00f6lf', { error: 0, value: 'zw\u00f6lf' }],
  ['', { error: -1, value: '' }],
  ['WARNING: something', { error: -1, value: 'WARNING: something' }],
  ['-5 x', { error: -1, value: '-5 x' }],
  ['99999999999 x', { error: -1, value: '99999999999 x' }],
];

test.each(said)('%j', async (line, answer) => {
  expect(await agentThat(`console.log(${JSON.stringify(line)})`).ask('x')).toEqual(answer);
});

test('a line without end is cut, and is no answer', async () => {
  const { error, value } = await agentThat(`console.log('0 ' + 'x'.repeat(100000))`).ask('x');
  expect([error, value.length]).toEqual([-1, 1000]);
});

test('an agent that dies says why, then and later', async () => {
  const agent = agentThat(`console.error('Add-Type: no'); process.exit(1)`);
  expect(await agent.ask('x')).toEqual({ error: -1, value: 'Add-Type: no' });
  expect(await agent.ask('y')).toEqual({ error: -1, value: 'Add-Type: no' });
  await agent.end();
});

test('a PowerShell that is not there is an answer, not a crash', async () => {
  const agent = new PowerShellAgent(['/nowhere/powershell.exe']);
  const { error, value } = await agent.ask('x');
  expect([error, value]).toEqual([-1, expect.stringContaining('ENOENT')]);
  await agent.end();
});

test('an agent that hangs on a dead device is ended by force', async () => {
  const agent = agentThat(`for (;;);`);
  const asked = agent.ask('control', '0', '2d4808', '0');
  const started = performance.now();
  await agent.end();
  expect(performance.now() - started).toBeLessThan(2500);
  expect((await asked).error).toBe(-1);
});

test('the agent gets no variable of the caller', async () => {
  const agent = agentThat(`console.log('0 ' + Object.keys(process.env).sort().join())`);
  expect((await agent.ask('x')).value.split(',')).toEqual(expect.arrayContaining(['TEMP', 'TMP']));
  expect((await agent.ask('x')).value).not.toContain('PATH');
});

test.each([
  ['the disk agent', diskAgentScript],
  ['asking for consent', runAsScript],
])('%s: a fixed text that fits on a command line and leaves its input alone', (_what, script) => {
  // PowerShell reads standard input itself where a script mentions $input.
  expect(script).not.toMatch(/\$input\b/i);
  expect(script).not.toMatch(/Invoke-Expression|\biex\b|ExecutionPolicy|DownloadString/i);
  expect(Buffer.from(script, 'utf16le').toString('base64').length).toBeLessThan(30_000);
  expect(script).toMatch(/^[\n -~]+$/);
});
