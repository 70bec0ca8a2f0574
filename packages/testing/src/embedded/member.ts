// One embedded server: its directory, its settings, its faults, and the server while it runs.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig, type RunningServer, type ServerConfig, type ServerOptions, startServer } from '@nodekeeper/server';

import type { TestClock } from './clock.js';
import { DiskFaults, faultyDisk } from './faulty-disk.js';
import { flagsOf, type Settings } from './settings.js';
import type { Switchboard } from './switchboard.js';
import { unsyncedDisk } from './unsynced-disk.js';

const DEFAULTS: Settings = {
  clientPortAddress: '127.0.0.1',
  'admin.enableServer': false,
  '4lw.commands.whitelist': '*',
  maxClientCnxns: 0,
  preAllocSize: 64,
};

/** What the servers of a test have in common. */
export interface World {
  readonly switchboard: Switchboard;
  readonly clock: TestClock;
  /** Where log lines go; nowhere if not given. */
  readonly logger: ServerOptions['logger'] | undefined;
}

export class Member {
  readonly id: number;
  readonly clientPort: number;
  readonly dataDir: string;
  readonly disk = new DiskFaults();
  /** Why the server ended by itself; undefined if it did not, or was started again. */
  failure: Error | undefined;
  private readonly settings: Settings;
  private readonly world: World;
  private running: RunningServer | undefined;
  /** A start that is under way. */
  private starting: Promise<void> | undefined;
  private ending: Promise<void> = Promise.resolve();

  constructor(id: number, clientPort: number, dataDir: string, settings: Settings, world: World) {
    this.id = id;
    this.clientPort = clientPort;
    this.dataDir = dataDir;
    this.settings = settings;
    this.world = world;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Whether bytes come to it and leave it. */
  get isReachable(): boolean {
    return !this.world.switchboard.isFrozen(this.id);
  }

  /** The server; throws while it does not run. */
  get server(): RunningServer['server'] {
    if (this.running === undefined) throw new Error(`server ${this.id} does not run`);
    return this.running.server;
  }

  /** @throws if it runs already, or cannot start: see `startServer` of @nodekeeper/server */
  async start(): Promise<void> {
    if (this.running !== undefined || this.starting !== undefined) throw new Error(`server ${this.id} runs already`);
    this.starting = this.bringUp();
    try {
      await this.starting;
    } finally {
      this.starting = undefined;
    }
  }

  private async bringUp(): Promise<void> {
    await this.ending;
    this.failure = undefined;
    mkdirSync(this.dataDir, { recursive: true });
    writeFileSync(join(this.dataDir, 'myid'), `${this.id}\n`);
    const all = { ...DEFAULTS, clientPort: this.clientPort, dataDir: this.dataDir, ...this.settings };
    const config = loadConfig({ flags: flagsOf(all) });
    const { switchboard, clock, logger } = this.world;
    const running = await startServer(config, {
      ...(logger === undefined ? {} : { logger }),
      disk: faultyDisk(unsyncedDisk, this.disk),
      network: switchboard.of(this.id, { client: this.clientPort, tls: tlsPorts(config) }),
      runtime: clock,
      onFatal: (error) => {
        this.failure = error;
        this.ending = this.kill();
      },
    });
    if (this.failure !== undefined) {
      await running.close();
      throw this.failure;
    }
    this.running = running;
  }

  /** Stops it as an operator would; one that is starting, once it runs. */
  async stop(): Promise<void> {
    if (this.starting !== undefined) await this.started();
    const { running } = this;
    this.running = undefined;
    if (!this.isReachable) this.world.switchboard.kill(this.id); // nobody would take its leave
    if (running !== undefined) await this.ended(running.close());
    await this.ending;
  }

  /** Ends it as a crash would, as far as others can see: every connection is torn, nothing more is answered. */
  async kill(): Promise<void> {
    this.world.switchboard.kill(this.id);
    if (this.starting !== undefined) await this.started();
    const { running } = this;
    this.running = undefined;
    // What the system had taken in reaches the disk, and nobody waits for it.
    if (running !== undefined) await this.ended(this.disk.hurryUntil(running.close()));
  }

  /** Resolves when a start that is under way is over, one way or the other: whoever starts it is told. */
  private async started(): Promise<void> {
    await this.starting?.catch(() => {});
  }

  /** Settles as `closed` does; until then nobody else finds the server stopped. */
  private async ended(closed: Promise<void>): Promise<void> {
    this.ending = Promise.allSettled([this.ending, closed]).then(() => {});
    await closed;
  }

  /** The sessions that are connected to it and heard. */
  get heardSessions(): bigint[] {
    const server = this.running?.server;
    return server !== undefined && this.isReachable && server.notReady === undefined
      ? server.port.connectedSessions
      : [];
  }

  /** Counts clients as heard now, wherever they are connected. */
  hear(sessions: readonly bigint[]): void {
    const server = this.running?.server;
    if (this.isReachable) server?.guard(() => server.port.hear(sessions));
  }
}

function tlsPorts({ clientPort, secureClientPort, portUnification }: ServerConfig): number[] {
  return [secureClientPort, portUnification ? clientPort : undefined].filter((port) => port !== undefined);
}
