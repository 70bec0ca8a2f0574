// An ensemble of servers of one kind, each its own process, on ports from a base on.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandOptions } from './commands.js';
import type { RunningServer, ServerKind } from './running-server.js';
import { ServerProcess, writeConfig } from './server-process.js';

const HOST = '127.0.0.1';
const START_LIMIT = 60_000;
const POLL = 20;
const ANSWER_LIMIT = 1000;

export interface EnsembleOptions extends CommandOptions {
  /** The first of three ports for each server. */
  readonly port: number;
  readonly directory: string;
  readonly voters: number;
  readonly observers: number;
}

/** One of the ensemble's servers. */
export class Member implements RunningServer {
  readonly kind: ServerKind;
  readonly host = HOST;
  readonly port: number;
  readonly startTime = 0;
  readonly home: string;
  private readonly options: CommandOptions;
  private process: ServerProcess | undefined;

  constructor(kind: ServerKind, home: string, port: number, options: CommandOptions) {
    this.kind = kind;
    this.home = home;
    this.port = port;
    this.options = options;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  get dataDir(): string {
    return join(this.home, 'data', 'version-2');
  }

  start(): void {
    this.process = new ServerProcess(this.kind, this.home, this.options);
  }

  /** Its role, in the words of `srvr`; undefined while it does not serve. */
  async role(): Promise<string | undefined> {
    return /^Mode: (.+)$/m.exec(await ask(this.port, 'srvr'))?.[1];
  }

  /** Waits until it serves. Rejects with the end of its log if that takes too long. */
  async serving(): Promise<string> {
    for (const limit = performance.now() + START_LIMIT; performance.now() < limit; await delay(POLL)) {
      const role = await this.role();
      if (role !== undefined) return role;
      if (this.process?.dead) break;
    }
    throw new Error(`the ${this.kind} server on port ${this.port} does not serve:\n${this.process?.lastWords()}`);
  }

  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.process?.end();
  }

  restart(): Promise<RunningServer> {
    return Promise.reject(new Error('a member is started by its ensemble'));
  }
}

export class RunningEnsemble {
  /** Voters first. */
  readonly members: readonly Member[];
  private readonly home: string;

  private constructor(home: string, members: readonly Member[]) {
    this.home = home;
    this.members = members;
  }

  /** Starts all servers on empty data and waits until they serve. A single voter without observers is standalone. */
  static async start(kind: ServerKind, options: EnsembleOptions): Promise<RunningEnsemble> {
    const home = mkdtempSync(join(options.directory, `nodekeeper-bench-${kind}-ensemble-`));
    const count = options.voters + options.observers;
    const servers: Record<string, string> = {};
    for (let i = 0; i < count && count > 1; i++) {
      const port = options.port + 3 * i;
      servers[`server.${i + 1}`] = `${HOST}:${port + 1}:${port + 2}${i < options.voters ? '' : ':observer'}`;
    }
    const members = Array.from({ length: count }, (_, i) => {
      const dir = join(home, `server-${i + 1}`);
      mkdirSync(join(dir, 'data'), { recursive: true });
      writeFileSync(join(dir, 'data', 'myid'), `${i + 1}\n`);
      const observer = i < options.voters ? {} : { peerType: 'observer' };
      writeConfig(dir, { ...configOf(dir, options.port + 3 * i), ...servers, ...observer });
      return new Member(kind, dir, options.port + 3 * i, options);
    });
    const ensemble = new RunningEnsemble(home, members);
    for (const member of members) member.start();
    try {
      for (const member of members) await member.serving();
    } catch (error) {
      await ensemble.stop();
      throw error;
    }
    return ensemble;
  }

  async leader(): Promise<Member> {
    for (const member of this.members) if ((await member.role()) === 'leader') return member;
    throw new Error('nobody leads');
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.home, { recursive: true, force: true });
  }
}

function configOf(dir: string, port: number): Record<string, string | number> {
  return {
    tickTime: 2000,
    initLimit: 10,
    syncLimit: 5,
    dataDir: join(dir, 'data'),
    clientPort: port,
    clientPortAddress: HOST,
    'admin.enableServer': 'false',
    maxClientCnxns: 0,
    maxSessionTimeout: 600_000,
    '4lw.commands.whitelist': 'srvr',
  };
}

function ask(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect({ host: HOST, port }, () => socket.write(word));
    socket.setTimeout(ANSWER_LIMIT, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}
