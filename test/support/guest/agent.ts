/**
 * Runs inside the guest: starts the commands that the test on the host sends over a virtio port and
 * tells what they print and how they end. One JSON object a line in both directions, see
 * GuestWire.ts. Ends when the host goes away, so that no machine outlives its test.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, read, writeSync } from 'node:fs';
import { guestRequestSchema, type GuestReport, type GuestRequest } from './GuestWire.ts';

const [, , portPath] = process.argv;
if (portPath === undefined) throw new Error('usage: agent.ts PORT');
const port = openSync(portPath, 'r+');
const running = new Map<number, ChildProcess>();

function report(message: GuestReport): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let sent = 0; sent < line.length;) sent += writeSync(port, line, sent);
}

function start(request: Extract<GuestRequest, { type: 'start' }>): void {
  const { id, argv, technician } = request;
  const [program = '', ...rest] = argv;
  const child = spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, HOME: technician ? '/home/technician' : '/root' },
    ...(technician ? { uid: 1000, gid: 1000, cwd: '/home/technician' } : { cwd: '/root' }),
  });
  running.set(id, child);
  child.stdin.on('error', () => undefined);
  child.stdin.end(request.input);
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      report({ type: 'output', id, stream, text });
    });
  }
  child.on('error', (cause) => {
    report({ type: 'output', id, stream: 'stderr', text: cause.message });
    if (child.pid === undefined) report({ type: 'ended', id, code: 127, signal: null });
  });
  child.on('close', (code, signal) => {
    if (running.delete(id) && child.pid !== undefined) report({ type: 'ended', id, code, signal });
  });
}

function serve(line: string): void {
  const request = guestRequestSchema.parse(JSON.parse(line));
  if (request.type === 'start') start(request);
  else running.get(request.id)?.kill(request.signal);
}

const decoder = new TextDecoder();
const buffer = Buffer.alloc(65536);
let rest = '';

function receive(): void {
  read(port, buffer, 0, buffer.length, null, (cause, count) => {
    if (cause !== null || count === 0) process.exit(0);
    const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) serve(line);
    receive();
  });
}

report({ type: 'ready' });
receive();
