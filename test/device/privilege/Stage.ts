import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeOwnFolder, removeOwnFolder } from '../../support/OwnFolder.ts';

const DIST = fileURLToPath(new URL('../../../dist/', import.meta.url));
const PROGRAMS = ['boxwright.mjs', 'supervisor.mjs', 'engine-launcher.mjs', 'engine.cjs'] as const;
const SECURITY = fileURLToPath(new URL('../../../SECURITY.md', import.meta.url));
const POLICY = fileURLToPath(
  new URL('../../../assets/polkit/org.boxwright.policy', import.meta.url),
);
const INSTALLED = '/usr/lib/boxwright';
const ACCOUNT = /^bwtest(\d+)x\d+:/gm;

let stages = 0;

/**
 * What an administrator's machine has: the program in a folder of root's that everybody can read,
 * an account without rights in a group of its own, and the rules that SECURITY.md shows, with the
 * names of this folder and group in them. Everything is taken away again at the end.
 */
export class Stage implements AsyncDisposable {
  readonly folder: string;
  /** The account, and the group of the same name. */
  readonly account: string;
  readonly password = 'correct horse 7';
  readonly #files: string[] = [];

  private constructor(folder: string, account: string) {
    this.folder = folder;
    this.account = account;
  }

  static async create(): Promise<Stage> {
    removeLostAccounts();
    const folder = await makeOwnFolder();
    chmodSync(folder, 0o755);
    for (const program of PROGRAMS) copyFileSync(join(DIST, program), join(folder, program));
    copyFileSync(process.execPath, join(folder, 'node'));
    const supervisor = join(folder, 'supervisor.mjs');
    writeFileSync(supervisor, readFileSync(supervisor, 'utf8').replace(INSTALLED, folder));
    chmodSync(supervisor, 0o755);
    const account = `bwtest${String(process.pid)}x${String(++stages)}`;
    execFileSync('/usr/sbin/useradd', ['-M', '-U', '-d', '/nonexistent', '-s', '/bin/sh', account]);
    const stage = new Stage(folder, account);
    execFileSync('/usr/sbin/chpasswd', { input: `${account}:${stage.password}\n` });
    return stage;
  }

  get uid(): number {
    return Number(execFileSync('/usr/bin/id', ['-u', this.account], { encoding: 'utf8' }));
  }

  /** The command line that is handed to sudo and pkexec. */
  get supervisor(): string[] {
    return [join(this.folder, 'supervisor.mjs')];
  }

  boxwright(...words: string[]): string[] {
    return [join(this.folder, 'node'), join(this.folder, 'boxwright.mjs'), ...words];
  }

  /** The same command, run as the account with its own groups and an environment of its own. */
  asAccount(command: readonly string[]): string[] {
    const become = ['--reuid', this.account, '--regid', this.account, '--init-groups'];
    return ['/usr/bin/setpriv', ...become, '--reset-env', ...command];
  }

  /** Lets the account's group use sudo, by SECURITY.md's rule, or asked for its password. */
  allowSudo(how: 'without password' | 'with password'): void {
    const rule = this.#rule('sudoers').replaceAll('BOXWRIGHT', `BW_${this.account.toUpperCase()}`);
    const file = `/etc/sudoers.d/${this.account}`;
    this.#files.push(file);
    writeFileSync(file, how === 'with password' ? rule.replace('NOPASSWD:', '') : rule, {
      mode: 0o440,
    });
    execFileSync('/usr/sbin/visudo', ['-c', '-q']);
  }

  refuseSudo(): void {
    rmSync(`/etc/sudoers.d/${this.account}`, { force: true });
  }

  /** Installs the packaged polkit action and, where allowed, SECURITY.md's rule. */
  usePolkit(answer: 'YES' | 'NO' | null): void {
    const action = `org.boxwright.${this.account}`;
    const policy = readFileSync(POLICY, 'utf8').replace('org.boxwright.write-drives', action);
    const rule = this.#rule('js').replace('org.boxwright.write-drives', action);
    this.#place(`/usr/share/polkit-1/actions/${action}.policy`, this.#here(policy));
    const ruleFile = `/etc/polkit-1/rules.d/10-${this.account}.rules`;
    if (answer === null) rmSync(ruleFile, { force: true });
    else this.#place(ruleFile, rule.replace('Result.YES', `Result.${answer}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const file of this.#files) rmSync(file, { force: true });
    removeAccount(this.account);
    await removeOwnFolder(this.folder);
  }

  #place(file: string, text: string): void {
    this.#files.push(file);
    writeFileSync(file, text, { mode: 0o644 });
  }

  /** One of SECURITY.md's examples, for this folder and group. */
  #rule(language: 'js' | 'sudoers'): string {
    const example = new RegExp('```' + language + '\\n([^`]*)```').exec(
      readFileSync(SECURITY, 'utf8'),
    );
    if (example?.[1] === undefined) throw new Error(`SECURITY.md shows no ${language}`);
    const ours = this.#here(example[1]);
    return ours
      .replace('%boxwright', `%${this.account}`)
      .replace("'boxwright'", `'${this.account}'`);
  }

  #here(text: string): string {
    return text.replaceAll(INSTALLED, this.folder);
  }
}

function removeAccount(account: string): void {
  rmSync(`/etc/sudoers.d/${account}`, { force: true });
  rmSync(`/etc/polkit-1/rules.d/10-${account}.rules`, { force: true });
  rmSync(`/usr/share/polkit-1/actions/org.boxwright.${account}.policy`, { force: true });
  execFileSync('/usr/sbin/userdel', ['-f', account], { stdio: 'ignore' });
}

/** Accounts of tests that were killed. */
function removeLostAccounts(): void {
  for (const [line, pid = ''] of readFileSync('/etc/passwd', 'utf8').matchAll(ACCOUNT)) {
    if (!existsSync(`/proc/${pid}`)) removeAccount(line.slice(0, -1));
  }
}
