// An ensemble inside a test, and what a test can do to its servers.

import { constants } from 'node:os';
import { join } from 'node:path';
import { nodeNetwork, type ServerOptions } from '@nodekeeper/server';
import { type AdvanceOptions, advance } from './advance.js';
import { Chaos } from './chaos.js';
import type { ChaosOptions } from './chaos-plan.js';
import { TestClock } from './clock.js';
import { makeDirectory, removeDirectory } from './data-directories.js';
import { Member, type World } from './member.js';
import { withFreePorts } from './ports.js';
import { performance, setTimeout } from './real-time.js';
import { checkSettings, type Settings } from './settings.js';
import { StartingLine } from './starting-line.js';
import { type DroppedReply, type ReplyChoice, Switchboard } from './switchboard.js';

export interface TestServerOptions {
  /** Settings of zoo.cfg, for example `{ maxSessionTimeout: 60_000 }`. */
  readonly settings?: Settings | undefined;
  /** The client port; one that is free if not given, or 0. */
  readonly port?: number | undefined;
  /** Where log lines go; nowhere if not given. */
  readonly logger?: ServerOptions['logger'] | undefined;
}

export interface TestEnsembleOptions extends Omit<TestServerOptions, 'port'> {
  /** Servers without a vote beside the others. */
  readonly observers?: number | undefined;
}

const READY_TIMEOUT_MS = 30_000;
/** Short ticks: what a test waits for should not take long. */
const SETTINGS = { tickTime: 200, initLimit: 50, syncLimit: 25, standaloneEnabled: false } as const;

/** Servers 1, 2 … of one ensemble in this process, with data that go with them. `await using` closes it. */
export class TestEnsemble implements AsyncDisposable {
  private readonly dir: string;
  private readonly world: World;
  private readonly members: ReadonlyMap<number, Member>;

  private readonly voters: number;
  private readonly chaosRuns: Chaos[] = [];
  private isClosed = false;

  private constructor(
    clientPorts: readonly number[],
    voters: number,
    settings: Settings,
    logger: ServerOptions['logger'],
  ) {
    this.voters = voters;
    this.dir = makeDirectory();
    this.world = { switchboard: new Switchboard(nodeNetwork), clock: new TestClock(), logger };
    this.members = new Map(
      clientPorts.map((port, i) => {
        const id = i + 1;
        return [id, new Member(id, port, join(this.dir, String(id)), settings, this.world)];
      }),
    );
  }

  /** Resolves when there is a leader and every server serves. */
  static async start(servers: number, options: TestEnsembleOptions = {}): Promise<TestEnsemble> {
    const { observers = 0 } = options;
    if (!(Number.isInteger(servers) && servers >= 1)) throw new RangeError(`an ensemble of ${servers} servers`);
    if (!(Number.isInteger(observers) && observers >= 0))
      throw new RangeError(`an ensemble with ${observers} observers`);
    const count = servers + observers;
    return withFreePorts(3 * count, (ports) => {
      const lines = Object.fromEntries(
        Array.from({ length: count }, (_, i) => {
          const [client, quorum, election] = ports.slice(3 * i);
          const role = i < servers ? 'participant' : 'observer';
          return [`server.${i + 1}`, `127.0.0.1:${quorum}:${election}:${role};127.0.0.1:${client}`];
        }),
      );
      const portsOf = (use: number): number[] => ports.filter((_, i) => i % 3 === use);
      const settings = { ...SETTINGS, ...lines, ...options.settings };
      checkSettings(options.settings ?? {}, settings);
      return TestEnsemble.open(portsOf(0), servers, settings, options.logger, new StartingLine(portsOf(2)));
    });
  }

  /** A standalone server, with everything that can be done to server 1 of an ensemble. @throws the system's error, EADDRINUSE among them */
  static async alone(options: TestServerOptions = {}): Promise<TestEnsemble> {
    const { settings = {}, port = 0 } = options;
    checkSettings(settings, settings);
    const open = (ports: readonly number[]) => TestEnsemble.open(ports, 1, settings, options.logger);
    return port === 0 ? withFreePorts(1, open) : open([port]);
  }

  private static async open(
    clientPorts: readonly number[],
    voters: number,
    settings: Settings,
    logger: ServerOptions['logger'],
    line?: StartingLine,
  ): Promise<TestEnsemble> {
    const ensemble = new TestEnsemble(clientPorts, voters, settings, logger);
    const { switchboard } = ensemble.world;
    switchboard.startingLine = line;
    const start = async (member: Member): Promise<void> => {
      try {
        await member.start();
      } finally {
        line?.open(); // all are there, or one will not come
      }
    };
    try {
      const starts = await Promise.allSettled([...ensemble.members.values()].map(start));
      switchboard.startingLine = undefined;
      for (const outcome of starts) if (outcome.status === 'rejected') throw outcome.reason;
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
    return this.ids.map((id) => this.connectStringOf(id)).join(',');
  }

  /** Of one server. */
  connectStringOf(id: number): string {
    return `127.0.0.1:${this.member(id).clientPort}`;
  }

  /** The id of the leader, or of a server alone; undefined while there is none. */
  get leader(): number | undefined {
    return this.running.find(
      ({ server }) => (server.mode === 'leader' || server.mode === 'standalone') && server.notReady === undefined,
    )?.id;
  }

  /** Ids of running servers that do not lead. */
  get followers(): number[] {
    const { leader } = this;
    return this.running.map(({ id }) => id).filter((id) => id !== leader);
  }

  /** Resolves when every running server serves. @throws after half a minute, telling what each server does */
  async ready(): Promise<void> {
    const until = performance.now() + READY_TIMEOUT_MS;
    this.checkOpen();
    while (this.leader === undefined || this.running.some(({ server }) => server.notReady !== undefined)) {
      if (performance.now() > until) {
        const states = this.running.map(
          ({ id, server }) => `server ${id}: ${server.mode}, ${server.notReady ?? 'serving'}`,
        );
        throw new Error(`the ensemble does not serve: ${states.join('; ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
      this.checkOpen();
    }
  }

  // ---- processes ----

  /** @throws if it runs, or cannot start */
  async start(id: number): Promise<void> {
    const member = this.member(id);
    this.checkOpen();
    await member.start();
  }

  /** Stops a server as an operator would; its data stay. */
  stop(id: number): Promise<void> {
    return this.member(id).stop();
  }

  /** Tears all of a server's connections at once, as a crash does; {@link start} brings it back. */
  kill(id: number): Promise<void> {
    return this.member(id).kill();
  }

  /** Starts a server with the data that it had, stopping it first if it runs. */
  async restart(id: number): Promise<void> {
    await this.member(id).stop();
    await this.start(id);
  }

  isRunning(id: number): boolean {
    return this.member(id).isRunning;
  }

  /** Why a server ended by itself, of a failed disk for one; undefined if it did not, or was started again. */
  failure(id: number): Error | undefined {
    return this.member(id).failure;
  }

  // ---- network ----

  /** Cuts the servers apart into the given groups: no connection between two of them lives or comes about. */
  partition(...groups: readonly (readonly number[])[]): void {
    const all = groups.flat();
    const twice = all.find((id, i) => all.indexOf(id) !== i);
    if (twice !== undefined) throw new TypeError(`server ${twice} cannot be cut off from itself: it is there twice`);
    for (const [a, b] of this.between(groups)) this.world.switchboard.cut(a, b);
  }

  /** Undoes the {@link partition} into these groups; without groups, every one. */
  heal(...groups: readonly (readonly number[])[]): void {
    if (groups.length === 0) this.world.switchboard.heal();
    for (const [a, b] of this.between(groups)) this.world.switchboard.mend(a, b);
  }

  private *between(groups: readonly (readonly number[])[]): Generator<[number, number]> {
    for (const id of groups.flat()) this.member(id);
    for (const [i, group] of groups.entries())
      for (const other of groups.slice(i + 1)) for (const a of group) for (const b of other) yield [a, b];
  }

  /** Has no byte come to a server or leave it, of clients and of servers; connections stay, so that they are half-open. */
  freeze(id: number): void {
    this.world.switchboard.freeze(this.member(id).id);
  }

  /** Lets everything that {@link freeze} held back go on. */
  thaw(id: number): void {
    this.world.switchboard.thaw(this.member(id).id);
  }

  /** Has everything that a server sends to its clients leave so many milliseconds later; 0 for at once. */
  delayReplies(id: number, ms: number): void {
    this.world.switchboard.delayReplies(this.member(id).id, checked(ms));
  }

  /**
   * Loses the next reply to a request, of any client, server or session that is not given: the request is done, and the connection
   * ends before its reply is sent. Pings and watch events are no replies.
   */
  dropNextReply(choice: ReplyChoice = {}): DroppedReply {
    if (choice.server !== undefined) this.member(choice.server);
    return this.world.switchboard.dropNextReply(choice);
  }

  // ---- disks ----

  /** Has every sync of a server take so many milliseconds longer; 0 for none. Writes are answered later, as behind a bad disk. */
  slowDisk(id: number, ms: number): void {
    this.member(id).disk.delay = checked(ms);
  }

  /**
   * Has every write of a server fail from now on. The next one to the log ends the server as by {@link kill}, with {@link failure}
   * telling why: what is not on disk is never acknowledged.
   * @param code of the system's error: EIO for a broken disk, ENOSPC for a full one
   */
  failDisk(id: number, code = 'EIO'): void {
    if (!Object.hasOwn(constants.errno, code))
      throw new TypeError(`'${code}' is no code of the system's errors, as EIO and ENOSPC are`);
    this.member(id).disk.error = code;
  }

  /** Makes a disk well again, and as fast as it is. A server that ended needs {@link start}. */
  healDisk(id: number): void {
    this.member(id).disk.heal();
  }

  // ---- sessions and time ----

  /** Ends a session as if it had been silent for too long. False if it is not known, or nobody leads. */
  expireSession(id: bigint): boolean {
    const { leader } = this;
    return leader !== undefined && this.member(leader).server.expireSession(id);
  }

  /**
   * Lets so many milliseconds pass for all servers at once. Clients that are connected count as heard meanwhile, unless they are to be
   * `silent`; sessions of others expire, containers and TTL nodes go. Resolves when all that is committed.
   */
  advance(ms: number, options: AdvanceOptions = {}): Promise<void> {
    return advance(this.world.clock, () => this.running, ms, options);
  }

  /**
   * Has faults strike until their time is over, while the test goes on: kills, partitions, slow disks … one server after the other, at
   * times that follow from a seed. It ends with everything well again.
   */
  chaos(options: ChaosOptions = {}): Chaos {
    const chaos = new Chaos(this, this.voters, options);
    this.chaosRuns.push(chaos);
    return chaos;
  }

  // ---- the end ----

  /** Stops all servers and removes their data. A {@link chaos} that is under way ends, and rejects. */
  async close(): Promise<void> {
    this.isClosed = true;
    for (const { disk } of this.members.values()) disk.heal();
    await Promise.allSettled(this.chaosRuns.map((chaos) => chaos.stop()));
    await Promise.all([...this.members.values()].map((member) => member.stop()));
    removeDirectory(this.dir);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws if the data are gone */
  private checkOpen(): void {
    if (this.isClosed) throw new Error('closed: its servers cannot be started again');
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

function checked(ms: number): number {
  if (!(ms >= 0 && ms < 2 ** 31)) throw new RangeError(`${ms} ms: from 0 to ${2 ** 31 - 1} are expected`);
  return ms;
}
