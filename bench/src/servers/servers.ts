// Starts and stops the servers: each on a fresh data directory on disk, with the same zoo.cfg, one at a time.

import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { RawConnection } from '../driver/raw-connection.js';
import type { CommandOptions } from './commands.js';
import { firstAnswer } from './first-answer.js';
import type { RunningServer, ServerKind } from './running-server.js';
import { ServerProcess, writeConfig } from './server-process.js';

const HOST = '127.0.0.1';
const START_LIMIT = 300_000;
const DATA = 'data';

export interface LaunchOptions extends CommandOptions {
  readonly port: number;
  /** Where the data directories are made; not a memory file system, or fsync is not measured. */
  readonly directory: string;
  /** Further lines of zoo.cfg. */
  readonly config: Readonly<Record<string, string | number>>;
}

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
  writeConfig(home, config);
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
  await server.started();
  return server;
}

/** A server with a folder of its own. */
class Launched implements RunningServer {
  readonly kind: ServerKind;
  readonly host = HOST;
  readonly port: number;
  startTime = 0;
  private readonly home: string;
  private readonly options: LaunchOptions;
  private readonly process: ServerProcess;

  constructor(kind: ServerKind, home: string, options: LaunchOptions) {
    this.kind = kind;
    this.port = options.port;
    this.home = home;
    this.options = options;
    this.startTime = performance.now();
    this.process = new ServerProcess(kind, home, options);
  }

  get dataDir(): string {
    return join(this.home, DATA, 'version-2');
  }

  get pid(): number | undefined {
    return this.process.pid;
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
      return await firstAnswer(this, () => this.process.dead || performance.now() > until);
    } catch (error) {
      throw await this.startFailure(error);
    }
  }

  private async startFailure(cause: unknown): Promise<Error> {
    const log = this.process.lastWords();
    await this.stop();
    return new Error(`the ${this.kind} server did not start; its log ends with:\n${log}`, { cause });
  }

  async stop(): Promise<void> {
    await this.process.end();
    rmSync(this.home, { recursive: true, force: true });
  }

  async restart(): Promise<RunningServer> {
    await this.process.end();
    return start(this.kind, this.home, this.options);
  }
}
