import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

const NOBODY = 65534;

/** Missing in the type definitions of Node. */
type GroupProcess = typeof process & { initgroups?: (user: number, group: number) => void };

/**
 * Started by the supervisor as `node engine-launcher ENGINE UID GID`, with rights. Reads the engine's
 * text, gives the rights up for good, proves that they are gone, and only then runs the text.
 * Dropping here instead of at the start lets the program live where the caller cannot read, keeps
 * the caller's supplementary groups, and leaves the process undumpable: no other process of the
 * same account can trace it or take its descriptors (PR_SET_DUMPABLE in prctl(2)).
 */
function main(enginePath: string, uid: number, gid: number): void {
  const engineText = readFileSync(enginePath, 'utf8');
  dropTo(uid, gid);
  proveDropped(uid, gid);
  process.umask(0o077);
  dieWithSupervisor();
  process.argv.splice(1, Infinity, enginePath);
  const parameters = ['require', 'engineText', 'exports', 'module', '__filename'];
  const run = compileFunction(engineText, parameters, { filename: enginePath });
  Reflect.apply(run, undefined, [createRequire(enginePath), engineText, {}, {}, enginePath]);
}

function dropTo(uid: number, gid: number): void {
  if (!(uid > 0) || !(gid > 0)) throw new Error('cannot drop to this account');
  process.setgroups?.([]);
  if (uid !== NOBODY) (process as GroupProcess).initgroups?.(uid, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** Tries to get back, then looks at every thread: an id or a capability that is left is a way back. */
function proveDropped(uid: number, gid: number): void {
  const calls = ['setuid', 'seteuid', 'setgid', 'setegid'] as const;
  for (const call of calls) refused(() => process[call]?.(0));
  refused(() => process.setgroups?.([0]));
  if (process.platform !== 'linux') return;
  const four = (id: number): string => Array<number>(4).fill(id).join('\t');
  const expected = ['CapPrm', 'CapEff', 'CapAmb'].map((set) => `${set}:\t${'0'.repeat(16)}`);
  expected.push(`Uid:\t${four(uid)}`, `Gid:\t${four(gid)}`, 'NoNewPrivs:\t1');
  for (const thread of readdirSync('/proc/self/task')) {
    const status = readFileSync(`/proc/self/task/${thread}/status`, 'utf8').split('\n');
    const missing = expected.find((line) => !status.includes(line));
    if (missing !== undefined) throw new Error(`rights are left: not ${missing}`);
  }
}

function refused(wayBack: () => void): void {
  try {
    wayBack();
  } catch {
    return;
  }
  throw new Error('rights can be taken back');
}

function dieWithSupervisor(): void {
  const supervisor = process.ppid;
  setInterval(() => {
    if (process.ppid !== supervisor) process.kill(process.pid, 'SIGKILL');
  }, 250).unref();
}

const [enginePath = '', uid, gid] = process.argv.slice(2);
main(enginePath, Number(uid), Number(gid));
