// Starts and stops the servers: each on a fresh data directory on disk, with the same zoo.cfg, one at a time.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { RawConnection } from '../driver/raw-connection.js';
import { type CommandOptions, startCommand } from './commands.js';
import { firstAnswer } from './first-answer.js';
import type { RunningServer, ServerKind } from './running-server.js';

const HOST = '127.0.0.1';
const START_LIMIT = 300_000;
const DATA = 'data';
const STOP_LIMIT = 60_000;

export interface LaunchOptions extends CommandOptions {
  readonly port: number;
  /** Where the data directories are made; not a memory file system, or fsync is not measured. */
  readonly directory: string;
  /** Further lines of zoo.cfg. */
  readonly config: Readonly<Record<string, string | number>>;
}

const running = new Set<Launched>();

/** Starts a server on an empty data directory and waits for its first answered handshake. Rejects if it dies before. */
export async function launch(kind: ServerKind, options: LaunchOptions): Promise<RunningServer> {
  if (await isTaken(options.port)) throw new Error(`port ${options.port} is in use; choose another with --port`);
  const home = mkdtempSync(join(options.directory, `nodekeeper-bench-${kind}-`));
  const config = {
    tickTime: 2000,
    dataDir: join(home, DATA),
    clientPort: options.port,
    clientPortAddress: HOST,
    'admin.enableServer': 'false',
    maxClientCnxns: 0,
    maxSessionTimeout: 600_000,
    ...options.config,
  };
  const lines = Object.entries(config).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(home, 'zoo.cfg'), lines.join(''));
  return start(kind, home, options);
}

/** Whether something listens there; its answers would be taken for the new server's. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: HOST, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function start(kind: ServerKind, home: string, options: LaunchOptions): Promise<RunningServer> {
  const server = new Launched(kind, home, options);
  running.add(server);
  await server.started();
  return server;
}

/** A server as a child process with a folder of its own. */
class Launched implements RunningServer {
  readonly kind: ServerKind;
  readonly host = HOST;
  readonly port: number;
  startTime = 0;
  private readonly home: string;
  private readonly options: LaunchOptions;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private dead = false;

  constructor(kind: ServerKind, home: string, options: LaunchOptions) {
    this.kind = kind;
    this.port = options.port;
    this.home = home;
    this.options = options;
    const [program, ...args] = startCommand(kind, join(home, 'zoo.cfg'), options);
    const log = openSync(join(home, 'log'), 'a');
    this.startTime = performance.now();
    this.child = spawn(program, args, { stdio: ['ignore', log, log], cwd: home });
    closeSync(log);
    this.exited = new Promise((resolve) => {
      const end = () => {
        this.dead = true;
        resolve();
      };
      this.child.once('exit', end);
      this.child.once('error', end);
    });
  }

  get dataDir(): string {
    return join(this.home, DATA, 'version-2');
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Knocks until the server answers a handshake; the time this took becomes `startTime`. */
  async started(): Promise<void> {
    const begun = this.startTime;
    const session = await this.knock(begun + START_LIMIT);
    this.startTime = performance.now() - begun;
    await session.closeSession();
  }

  private async knock(until: number): Promise<RawConnection> {
    try {
      return await firstAnswer(this, () => this.dead || performance.now() > until);
    } catch (error) {
      throw await this.startFailure(error);
    }
  }

  private async startFailure(cause: unknown): Promise<Error> {
    const log = readFileSync(join(this.home, 'log'), 'utf8').slice(-2000);
    await this.stop();
    return new Error(`the ${this.kind} server did not start; its log ends with:\n${log}`, { cause });
  }

  async stop(): Promise<void> {
    await this.end();
    rmSync(this.home, { recursive: true, force: true });
  }

  async restart(): Promise<RunningServer> {
    await this.end();
    return start(this.kind, this.home, this.options);
  }

  private async end(): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT);
    if (!this.dead) this.child.kill('SIGTERM');
    await this.exited;
    clearTimeout(timer);
    running.delete(this);
  }

  /** Ends at once, without waiting; for when this program itself is ended. */
  abandon(): void {
    this.child.kill('SIGKILL');
    rmSync(this.home, { recursive: true, force: true });
  }
}

process.once('exit', () => {
  for (const server of running) server.abandon();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
