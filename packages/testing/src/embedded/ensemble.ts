// An ensemble inside a test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeNetwork } from '@nodekeeper/server';
import { Member } from './member.js';
import { freePorts } from './ports.js';
import type { TestServerOptions } from './server.js';
import { Switchboard } from './switchboard.js';

export interface TestEnsembleOptions extends Omit<TestServerOptions, 'port'> {
  /** Servers without a vote beside the others. */
  readonly observers?: number;
}

const READY_TIMEOUT_MS = 30_000;
/** Short ticks: what a test waits for should not take long. */
const SETTINGS = { tickTime: 200, initLimit: 50, syncLimit: 25, standaloneEnabled: false } as const;

/** Servers 1, 2 … of one ensemble in this process, with data that go with them. `await using` closes it. */
export class TestEnsemble implements AsyncDisposable {
  private readonly dir: string;
  private readonly switchboard: Switchboard;
  private readonly members: ReadonlyMap<number, Member>;

  private constructor(dir: string, switchboard: Switchboard, members: ReadonlyMap<number, Member>) {
    this.dir = dir;
    this.switchboard = switchboard;
    this.members = members;
  }

  /** Resolves when there is a leader and every server serves. */
  static async start(servers: number, options: TestEnsembleOptions = {}): Promise<TestEnsemble> {
    if (!(servers >= 1)) throw new RangeError(`an ensemble of ${servers} servers`);
    const count = servers + (options.observers ?? 0);
    const ports = await freePorts(3 * count);
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    const lines = Object.fromEntries(
      ids.map((id) => {
        const [client, quorum, election] = ports.slice(3 * (id - 1));
        const role = id <= servers ? 'participant' : 'observer';
        return [`server.${id}`, `127.0.0.1:${quorum}:${election}:${role};127.0.0.1:${client}`];
      }),
    );
    const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-test-'));
    const switchboard = new Switchboard(nodeNetwork);
    const settings = { ...SETTINGS, ...lines, ...options.settings };
    const serverOptions = options.logger === undefined ? {} : { logger: options.logger };
    const members = new Map(
      ids.map((id) => {
        const port = ports[3 * (id - 1)] as number;
        return [id, new Member(id, port, join(dir, String(id)), settings, switchboard, serverOptions)];
      }),
    );
    const ensemble = new TestEnsemble(dir, switchboard, members);
    try {
      await Promise.all([...members.values()].map((member) => member.start()));
      await ensemble.ready();
    } catch (e) {
      await ensemble.close();
      throw e;
    }
    return ensemble;
  }

  get ids(): number[] {
    return [...this.members.keys()];
  }

  /** Of every server, divided by commas. */
  get connectString(): string {
    return [...this.members.values()].map(({ clientPort }) => `127.0.0.1:${clientPort}`).join(',');
  }

  /** Of one server. */
  connectStringOf(id: number): string {
    return `127.0.0.1:${this.member(id).clientPort}`;
  }

  /** The id of the leader; undefined while there is none. */
  get leader(): number | undefined {
    return this.running.find(({ server }) => server.mode === 'leader' && server.notReady === undefined)?.id;
  }

  /** Ids of running servers that do not lead. */
  get followers(): number[] {
    const { leader } = this;
    return this.running.map(({ id }) => id).filter((id) => id !== leader);
  }

  /** Resolves when every running server serves. @throws after half a minute, telling what each server does */
  async ready(): Promise<void> {
    const until = performance.now() + READY_TIMEOUT_MS;
    while (this.leader === undefined || this.running.some(({ server }) => server.notReady !== undefined)) {
      if (performance.now() > until) {
        const states = this.running.map(
          ({ id, server }) => `server ${id}: ${server.mode}, ${server.notReady ?? 'serving'}`,
        );
        throw new Error(`the ensemble does not serve: ${states.join('; ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  start(id: number): Promise<void> {
    return this.member(id).start();
  }

  /** Stops a server as an operator would; its data stay. */
  stop(id: number): Promise<void> {
    return this.member(id).stop();
  }

  /** Tears all of a server's connections at once, as a crash does; {@link start} brings it back. */
  kill(id: number): Promise<void> {
    return this.member(id).kill();
  }

  /** Cuts the servers apart into the given groups: no connection between two of them lives or comes about. */
  partition(...groups: readonly (readonly number[])[]): void {
    for (const [i, group] of groups.entries())
      for (const other of groups.slice(i + 1)) for (const a of group) for (const b of other) this.switchboard.cut(a, b);
  }

  /** Undoes every {@link partition}. */
  heal(): void {
    this.switchboard.heal();
  }

  /** Ends a session as if it had been silent for too long. False if it is not known, or nobody leads. */
  expireSession(id: bigint): boolean {
    const { leader } = this;
    return leader !== undefined && this.member(leader).server.expireSession(id);
  }

  /** Stops all servers and removes their data. */
  async close(): Promise<void> {
    await Promise.all([...this.members.values()].map((member) => member.stop()));
    rmSync(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private get running(): Member[] {
    return [...this.members.values()].filter((member) => member.isRunning);
  }

  private member(id: number): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new RangeError(`there is no server ${id}: the servers are ${this.ids.join(', ')}`);
    return member;
  }
}
