// An ensemble in the test's own process, on loopback ports of its own.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../dist/config/index.js';
import { EnsembleServer } from '../../dist/ensemble-server.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';
import type { ServerOptions } from '../../dist/server.js';
import { type RunningServer, startServer } from '../../dist/start.js';
import { logName } from '../../dist/storage/file-names.js';
import { LOG_MAGIC, LOG_VERSION, LogBatch } from '../../dist/storage/txn-log.js';
import { atEnd, dataDir, RawClient } from '../server/raw-client.js';

export interface Line {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
}

// Below the ports that systems give to outgoing connections, which would take one between two uses of it.
const LOWEST_PORT = 10_000;
const PORTS = 20_000;
let nextPort = (process.pid * 97) % PORTS;

/**
 * The second in which connections are kept while nobody leads is a minute: a machine that gives the process no time for that long
 * would end those that are to go on with the next leader.
 */
export const PATIENT: Runtime = {
  ...nodeRuntime,
  after: (ms, action) => nodeRuntime.after(ms === 1000 ? 60_000 : ms, action),
};

/** Ports that nobody listened at a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = LOWEST_PORT + (nextPort++ % PORTS);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) found.push(port);
  }
  return found;
}

export class Ensemble {
  readonly dir: string;
  private readonly settings: Record<string, string | number | boolean>;
  private readonly t: TestContext;
  private readonly servers = new Map<number, RunningServer>();
  readonly lines = new Map<number, Line[]>();
  readonly memberLines: Record<string, string>;
  runtime: Runtime = nodeRuntime;

  private constructor(
    t: TestContext,
    settings: Record<string, string | number | boolean>,
    members: Record<string, string>,
  ) {
    this.t = t;
    this.dir = dataDir(t);
    this.settings = settings;
    this.memberLines = members;
    atEnd(t, () => this.close());
  }

  /**
   * @param roles of servers 1, 2 …: participant or observer
   * @param hosts their loopback addresses
   */
  static async of(
    t: TestContext,
    roles: readonly ('participant' | 'observer')[],
    settings: Record<string, string | number | boolean> = {},
    hosts: readonly string[] = [],
  ): Promise<Ensemble> {
    const ports = await freePorts(roles.length * 2);
    const members = roles.map((role, i) => [
      `server.${i + 1}`,
      `${hosts[i] ?? '127.0.0.1'}:${ports[2 * i]}:${ports[2 * i + 1]}:${role}`,
    ]);
    return new Ensemble(t, settings, Object.fromEntries(members));
  }

  static async ofThree(
    t: TestContext,
    settings: Record<string, string | number | boolean> = {},
    runtime = nodeRuntime,
  ): Promise<Ensemble> {
    const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
    ensemble.runtime = runtime;
    await Promise.all([1, 2, 3].map((id) => ensemble.start(id)));
    await ensemble.settled();
    return ensemble;
  }

  /** Servers with configuration files, which reconfigurations rewrite; `count` have addresses, `ids` are started. */
  static async withFiles(
    t: TestContext,
    count: number,
    ids: readonly number[],
    settings: Record<string, string | number | boolean>,
    started: readonly number[] = ids,
  ): Promise<Ensemble> {
    const ports = await freePorts(count * 3);
    const members: Record<string, string> = {};
    for (let i = 0; i < count; i++) {
      const [quorum, election, client] = ports.slice(3 * i, 3 * i + 3);
      members[`server.${i + 1}`] = `127.0.0.1:${quorum}:${election}:participant;127.0.0.1:${client}`;
    }
    const ensemble = new Ensemble(t, settings, members);
    for (const id of ids) ensemble.writeFiles(id, ids);
    await Promise.all(started.map((id) => ensemble.start(id)));
    return ensemble;
  }

  configPath(id: number): string {
    return join(this.dataDirOf(id), 'zoo.cfg');
  }

  /** What stands behind `server.N=`. */
  fullLine(id: number): string {
    return this.memberLines[`server.${id}`] ?? '';
  }

  quorumPortOf(id: number): number {
    return Number(this.fullLine(id).split(':')[1]);
  }

  electionPortOf(id: number): number {
    return Number(this.fullLine(id).split(':')[2]);
  }

  clientPortOf(id: number): number {
    return Number(/(\d+)$/.exec(this.fullLine(id))?.[1]);
  }

  private writeFiles(id: number, members: readonly number[]): void {
    mkdirSync(this.dataDirOf(id), { recursive: true });
    const lines = members.map((member) => `server.${member}=${this.fullLine(member)}`);
    const settings = Object.entries(this.allSettings(id)).map(([key, value]) => `${key}=${value}`);
    writeFileSync(this.configPath(id), [...settings, ...lines, ''].join('\n'));
  }

  /** Starts a server that is no member yet: it knows itself and those who run. */
  async startJoiner(id: number): Promise<void> {
    this.writeFiles(id, [...this.running, id]);
    await this.start(id);
  }

  private allSettings(id: number): Record<string, string | number | boolean> {
    return {
      'admin.enableServer': false,
      preAllocSize: 64,
      dataDir: this.dataDirOf(id),
      tickTime: 200,
      initLimit: 50,
      syncLimit: 25,
      ...this.settings,
    };
  }

  dataDirOf(id: number): string {
    return join(this.dir, String(id));
  }

  async start(
    id: number,
    settings: Record<string, string | number | boolean> = {},
    options: ServerOptions = {},
  ): Promise<void> {
    const dir = this.dataDirOf(id);
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'myid'), `${id}\n`);
    const withFile = existsSync(this.configPath(id));
    const all = {
      clientPort: 0,
      clientPortAddress: '127.0.0.1',
      ...this.memberLines,
      ...this.allSettings(id),
      ...settings,
    };
    const flags = Object.entries(all).map(([key, value]) => `${key}=${value}`);
    const config = loadConfig(withFile ? { file: this.configPath(id) } : { flags });
    const lines = this.lines.get(id) ?? [];
    this.lines.set(id, lines);
    const say = (level: Line['level']) => (fields: object, message: string) =>
      lines.push({ level, message: `${message} ${JSON.stringify(fields)}` });
    const logger = { info: say('info'), warn: say('warn'), error: say('error') };
    this.servers.set(id, await startServer(config, { logger, runtime: this.runtime, ...options }));
  }

  async stop(id: number): Promise<void> {
    const running = this.servers.get(id);
    this.servers.delete(id);
    await running?.close();
  }

  server(id: number): EnsembleServer {
    const server = this.servers.get(id)?.server;
    if (!(server instanceof EnsembleServer)) throw new Error(`server ${id} does not run`);
    return server;
  }

  get running(): number[] {
    return [...this.servers.keys()];
  }

  /** Resolves when every running server serves, one of them as the leader; returns its id. */
  async settled(): Promise<number> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const modes = this.running.map((id) => ({ id, mode: this.server(id).mode, why: this.server(id).notReady }));
      const leader = modes.find(({ mode }) => mode === 'leader');
      // Without one the others have not noticed yet that theirs has gone.
      if (leader !== undefined && modes.every(({ why }) => why === undefined)) return leader.id;
      if (performance.now() > deadline) {
        const said = [...this.lines].map(([id, lines]) => `${id}: ${lines.map((line) => line.message).join('\n   ')}`);
        throw new Error(`not serving: ${JSON.stringify(modes)}\n${said.join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async follower(): Promise<number> {
    const leader = await this.settled();
    return this.running.find((id) => id !== leader) ?? 0;
  }

  client(
    id: number,
    options: { id?: bigint; password?: Buffer; timeout?: number; readOnly?: boolean } = {},
  ): Promise<RawClient> {
    return RawClient.open(this.t, this.server(id).boundPort, options);
  }

  /** Resolves when all running servers have applied the same transactions. */
  async level(): Promise<void> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const zxids = new Set(this.running.map((id) => this.server(id).lastZxid));
      if (zxids.size === 1) return;
      if (performance.now() > deadline) throw new Error(`servers stand at ${[...zxids].map((z) => z.toString(16))}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  digests(): Set<bigint> {
    return new Set(this.running.map((id) => this.server(id).database.tree.digest.toBigInt()));
  }

  said(id: number, pattern: RegExp): boolean {
    return this.timesSaid(id, pattern) > 0;
  }

  timesSaid(id: number, pattern: RegExp): number {
    return (this.lines.get(id) ?? []).filter(({ message }) => pattern.test(message)).length;
  }

  async close(): Promise<void> {
    await Promise.all(this.running.map((id) => this.stop(id)));
  }
}

/** Writes a log file of these transactions, as a server that was stopped then has logged last. */
export function writeLog(dir: string, entries: readonly { readonly zxid: number; readonly entry: Buffer }[]): void {
  const batch = new LogBatch();
  for (const { zxid, entry } of entries) batch.append(entry, zxid);
  const header = Buffer.alloc(16);
  header.writeInt32BE(LOG_MAGIC, 0);
  header.writeInt32BE(LOG_VERSION, 4);
  writeFileSync(join(dir, logName(entries[0]?.zxid ?? 0)), Buffer.concat([header, batch.buf.subarray(0, batch.used)]));
}
