// One member of an ensemble: a directory with zoo.cfg and myid, and the process that runs on it, of either implementation.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apacheClassPath, type Kind, NODEKEEPER } from '../servers/index.js';
import { until } from './until.js';
import { type Mode, modeOf } from './words.js';

const START_MS = 60_000;
const STOP_MS = 20_000;

export interface MemberPorts {
  readonly client: number;
  readonly quorum: number;
  readonly election: number;
}

export interface MemberSettings {
  readonly id: number;
  readonly kind: Kind;
  readonly dir: string;
  readonly ports: MemberPorts;
  /** All of zoo.cfg. */
  readonly cfg: Readonly<Record<string, string>>;
  /** System properties; ours takes them as -D flags. */
  readonly props: Readonly<Record<string, string>>;
  /** What the Java virtual machine is told beyond the class path. */
  readonly jvm: readonly string[];
}

/** No process of a test may outlive it. */
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

export class Member {
  readonly id: number;
  readonly dir: string;
  readonly ports: MemberPorts;
  /** Changed between two runs, it takes effect with the next. */
  kind: Kind;
  cfg: Record<string, string>;
  props: Record<string, string>;
  /** Of the process, beside this one's. */
  env: Record<string, string> = {};
  readonly #jvm: readonly string[];
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(settings: MemberSettings) {
    this.id = settings.id;
    this.kind = settings.kind;
    this.dir = settings.dir;
    this.ports = settings.ports;
    this.cfg = { ...settings.cfg };
    this.props = { ...settings.props };
    this.#jvm = settings.jvm;
    mkdirSync(this.dataDir, { recursive: true });
    writeFileSync(join(this.dataDir, 'myid'), `${this.id}\n`);
  }

  get dataDir(): string {
    return join(this.dir, 'data');
  }

  get logFile(): string {
    return join(this.dir, 'log');
  }

  get configFile(): string {
    return join(this.dir, 'zoo.cfg');
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws Error if it doesn't run */
  get pid(): number {
    const pid = this.running ? this.#child?.pid : undefined;
    if (pid === undefined) throw new Error(`server ${this.id} does not run`);
    return pid;
  }

  /** Starts the process; it is not waited for. */
  start(): void {
    if (this.running) throw new Error(`server ${this.id} runs already`);
    const lines = Object.entries(this.cfg).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(this.configFile, lines.join(''));
    this.#spawn();
  }

  /** Starts the process on the zoo.cfg that is there, which the server may have changed itself. */
  startOnOwnConfig(): void {
    if (this.running) throw new Error(`server ${this.id} runs already`);
    this.#spawn();
  }

  #spawn(): void {
    const log = openSync(this.logFile, 'a');
    const child = this.kind === 'apache' ? this.#apache(log) : this.#nodekeeper(log);
    closeSync(log);
    this.#child = child;
    alive.add(child);
    this.#exited = once(child, 'exit').finally(() => alive.delete(child));
  }

  #apache(log: number): ChildProcess {
    const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
    const args = [...this.#jvm, ...this.#flags(), '-cp', apacheClassPath(), main, this.configFile];
    return spawn('java', args, { cwd: this.dir, stdio: ['ignore', log, log], env: { ...process.env, ...this.env } });
  }

  #nodekeeper(log: number): ChildProcess {
    const args = [NODEKEEPER, 'start-foreground', this.configFile, ...this.#flags()];
    return spawn(process.execPath, args, {
      cwd: this.dir,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...this.env },
    });
  }

  #flags(): string[] {
    return Object.entries(this.props).map(([key, value]) => `-D${key}=${value}`);
  }

  /** Sends SIGTERM, or another signal that ends it, and waits for the end. Nothing if it doesn't run. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.running) this.#child?.kill(signal);
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  /** kill -9. */
  kill(): Promise<void> {
    return this.stop('SIGKILL');
  }

  /** Sends a signal that doesn't end it: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** The process's state as the kernel tells it: T while it is stopped. */
  state(): string {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  }

  /** Resolves when the process has ended by itself. */
  async ended(limitMs: number): Promise<number | null> {
    await until(`server ${this.id} ends`, limitMs, () => !this.running);
    return this.#child?.exitCode ?? null;
  }

  /** Loses all data, as with a new disk; not the id. */
  wipe(): void {
    rmSync(join(this.dataDir, 'version-2'), { recursive: true, force: true });
  }

  mode(): Promise<Mode | undefined> {
    return modeOf(this.ports.client);
  }

  /** Waits until it serves in one of the roles; in any if none is given. Rejects at once if the process ends. */
  async inRole(...roles: Mode[]): Promise<Mode> {
    const what = `server ${this.id} (${this.kind}) is ${roles.join(' or ') || 'serving'}`;
    return until(what, START_MS, async () => {
      if (!this.running) throw new Error(`${what}: it has ended`);
      const mode = await this.mode();
      return mode !== undefined && (roles.length === 0 || roles.includes(mode)) ? mode : undefined;
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.lastWords()}`);
    });
  }

  /** All it has said; empty if it never ran. */
  log(): string {
    if (!existsSync(this.logFile)) return '';
    return readFileSync(this.logFile, 'utf8');
  }

  /** The end of its log. */
  lastWords(lines = 15): string {
    const words = this.log()
      .split('\n')
      .filter((line) => !line.startsWith('\tat '))
      .slice(-lines);
    return words.map((line) => `    [${this.id}] ${line}`).join('\n');
  }
}
