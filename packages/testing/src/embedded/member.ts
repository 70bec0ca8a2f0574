// One embedded server: its directory, its settings, and the server while it runs.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig, type RunningServer, type ServerOptions, startServer } from '@nodekeeper/server';
import type { Switchboard } from './switchboard.js';

/** Settings of zoo.cfg. */
export type Settings = Readonly<Record<string, string | number | boolean>>;

const DEFAULTS: Settings = {
  clientPortAddress: '127.0.0.1',
  'admin.enableServer': false,
  '4lw.commands.whitelist': '*',
  maxClientCnxns: 0,
  preAllocSize: 64,
};

export class Member {
  readonly id: number;
  readonly clientPort: number;
  readonly dataDir: string;
  private readonly settings: Settings;
  private readonly switchboard: Switchboard;
  private readonly options: ServerOptions;
  private running: RunningServer | undefined;

  constructor(
    id: number,
    clientPort: number,
    dataDir: string,
    settings: Settings,
    switchboard: Switchboard,
    options: ServerOptions,
  ) {
    this.id = id;
    this.clientPort = clientPort;
    this.dataDir = dataDir;
    this.settings = settings;
    this.switchboard = switchboard;
    this.options = options;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** The server; throws while it does not run. */
  get server(): RunningServer['server'] {
    if (this.running === undefined) throw new Error(`server ${this.id} does not run`);
    return this.running.server;
  }

  /** @throws if it runs already, or cannot start: see `startServer` of @nodekeeper/server */
  async start(): Promise<void> {
    if (this.running !== undefined) throw new Error(`server ${this.id} runs already`);
    mkdirSync(this.dataDir, { recursive: true });
    writeFileSync(join(this.dataDir, 'myid'), `${this.id}\n`);
    const all = { ...DEFAULTS, clientPort: this.clientPort, dataDir: this.dataDir, ...this.settings };
    const config = loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) });
    this.running = await startServer(config, { ...this.options, network: this.switchboard.of(this.id) });
  }

  /** Stops it as an operator would. */
  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.close();
  }

  /** Ends it as a crash would, as far as others can see: every connection is torn, nothing more is answered. */
  async kill(): Promise<void> {
    this.switchboard.kill(this.id);
    await this.stop();
  }
}
