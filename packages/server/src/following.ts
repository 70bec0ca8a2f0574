// A server while it follows or observes a leader: dials it, takes over its history, and once told to, serves clients, forwarding
// their writes.

import { Learner, type LearnerHost } from './broadcast/learner.js';
import { PacketError } from './broadcast/packet.js';
import { type LinkEvents, PacketLink } from './broadcast/packet-link.js';
import { counterOf, EPOCH } from './broadcast/recent-proposals.js';
import { configFrom, configIn } from './broadcast/reconfig-entry.js';
import type { BodySink } from './broadcast/snapshot-stream.js';
import type { EnsembleServer } from './ensemble-server.js';
import type { LearnerView } from './ensemble-view.js';
import type { Connection } from './net/network.js';
import { ObserverHosting } from './observer-hosting.js';
import { bracketed } from './quorum/java-address.js';
import type { QuorumConfig } from './quorum/quorum-config.js';
import type { SessionOwner } from './request/client.js';
import { ForwardingProcessor, type LeaderLink } from './request/forwarding.js';
import type { Identity } from './request/identity.js';
import type { Role } from './role.js';
import { RoleHost } from './role-host.js';
import type { Timer } from './runtime.js';
import { Patience } from './session/patience.js';
import { SessionTable } from './session/session-table.js';

/** The leader opens its port when it has heard of its election: first dials may come too early. Milliseconds. */
const FIRST_REDIALS = [5, 10, 20, 40];
const DIALS = 14;
const EXPIRY_CHECK_MS = 100;
/** So long clients' requests wait for a new epoch that is due. */
const NEW_EPOCH_MS = 5000;

export class Following extends RoleHost implements Role, LearnerHost, LeaderLink {
  readonly mode: 'follower' | 'observer';
  private readonly leader: number;
  readonly leading = undefined;
  readonly unfollowed = false;
  private learner: Learner | undefined;
  private wire: Connection | undefined;
  private dialTimer: Timer | undefined;
  private expiry: Timer | undefined;
  private dials = 0;
  private addressesTried = 0;
  /** The voter that it observes through, undefined for the leader. */
  private master: number | undefined;
  private problem = '';
  private startedAt: number;
  private connectedAt = 0;
  private processor: ForwardingProcessor | undefined;
  /** The members that came with NEWLEADER. */
  private leaderConfig: QuorumConfig | undefined;
  private sessions: SessionTable<SessionOwner> | undefined;
  private pingedAt = 0;
  endsAlike = false;
  private over = false;
  private awaitedEpoch = false;
  /** What it has for observers. */
  private hosting: ObserverHosting | undefined;
  /** Who leads by the reconfiguration that is being committed. */
  private designated: number | undefined;
  /** Who leads next, by reconfiguration. */
  private next: number | undefined;

  constructor(server: EnsembleServer, leader: number, observer: boolean) {
    super(server);
    this.leader = leader;
    this.mode = observer ? 'observer' : 'follower';
    this.startedAt = server.runtime.now();
  }

  start(): void {
    const { server } = this;
    if (!this.observer) {
      this.dial();
      return;
    }
    const { observerMasterPort } = server.ensemble;
    const voters = observerMasterPort === undefined ? [] : server.membership.committed.verifier.voters;
    server.learnerMasters.begin(voters, this.leader);
    this.search();
  }

  /** An observer dials the next server that it may observe. */
  private search(): void {
    const { server } = this;
    const { voter, delay } = server.learnerMasters.take();
    this.master = voter;
    this.addressesTried = 0;
    this.startedAt = server.runtime.now() + delay;
    if (delay === 0) this.dial();
    else this.dialTimer = server.runtime.after(delay, () => server.guard(() => this.dial()));
  }

  private dial(): void {
    const { server } = this;
    const { redialDelay, keepAlive, observerMasterPort = 0 } = server.ensemble;
    const addresses = server.membership.addressesOf(this.masterId);
    const address = addresses[this.addressesTried++ % Math.max(1, addresses.length)];
    if (address === undefined) {
      this.end(`server ${this.masterId} leads, but its address is not known`);
      return;
    }
    const { addressTimeout, leaderConnectTimeout } = server.ensemble;
    const connectTimeout = Math.min(
      leaderConnectTimeout,
      addresses.length > 1 ? addressTimeout : server.ensemble.connectTimeout,
    );
    const port = this.master === undefined ? address.quorumPort : observerMasterPort;
    const limit = this.startedAt + server.ensemble.leaderConnectTimeout;
    const wire = server.quorumNetwork.connect(address.host, port, { keepAlive });
    this.wire = wire;
    let decided = false;
    const failed = (problem: string): void => {
      if (decided || this.over) return;
      decided = true;
      timer.cancel();
      wire.destroy();
      this.problem = `${bracketed(address.host)}:${port}: ${problem}`;
      if (this.master !== undefined) {
        if (this.addressesTried < addresses.length) this.dial();
        else this.search();
        return;
      }
      const delay = FIRST_REDIALS[this.dials++] ?? redialDelay;
      if (this.dials >= DIALS || server.runtime.now() + delay > limit) {
        this.end(`the leader, server ${this.leader}, cannot be reached: ${this.problem}`);
      } else {
        this.dialTimer = server.runtime.after(delay, () => server.guard(() => this.dial()));
      }
    };
    const timer = server.runtime.after(connectTimeout, () =>
      server.guard(() => failed(`no answer within ${connectTimeout} ms`)),
    );
    wire.on('error', (error) =>
      server.guard(() => failed(error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message)),
    );
    const connected = (): void => {
      if (decided || this.over) return;
      decided = true;
      timer.cancel();
      server.guard(() => this.follow(wire));
    };
    wire.on('connect', () => {
      const { quorumAuth: auth } = server;
      if (auth === undefined) connected();
      else {
        auth.prove(wire, address.host, (reason) =>
          reason === undefined ? connected() : server.guard(() => failed(reason)),
        );
      }
    });
  }

  private follow(wire: Connection): void {
    const { server } = this;
    this.connectedAt = server.runtime.now();
    const open = (events: LinkEvents): PacketLink => {
      const guard = (action: () => void): void => server.guard(action);
      const link = new PacketLink(wire, server.port.turns, server.maxPacket, guard, events);
      link.trace = server.newTrace();
      return link;
    };
    this.learner = new Learner(this, open);
  }

  get serving(): boolean {
    return this.learner?.serving ?? false;
  }

  get tellsOfMoves(): boolean {
    return this.learner?.tellsOfMoves ?? false;
  }

  get turnedAway(): boolean {
    return this.learner !== undefined && !this.learner.synchronized;
  }

  get leaderId(): number {
    return this.leader;
  }

  /** The server whose learner it is. */
  get masterId(): number {
    return this.master ?? this.leader;
  }

  get observers(): Iterable<LearnerView> | undefined {
    return this.hosting?.master.learners;
  }

  get waitsFor(): string {
    const server = this.master === undefined ? `the leader, server ${this.leader}` : `server ${this.master}`;
    if (this.learner !== undefined) return `the history of ${server}`;
    return `${server}, to take the connection${this.problem === '' ? '' : ` (${this.problem})`}`;
  }

  onDurable(zxid: number): void {
    this.learner?.onDurable(zxid);
  }

  async finish(): Promise<void> {}

  stop(reason: string): void {
    if (this.learner !== undefined) this.learner.close(reason);
    else this.end(reason);
  }

  private end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.dialTimer?.cancel();
    this.expiry?.cancel();
    this.wire?.destroy();
    this.hosting?.end(reason);
    this.server.roleEnded(this, reason, this.learner?.loggedUncommitted ?? [], this.next);
  }

  // ---- what the learner asks for ----

  get observer(): boolean {
    return this.mode === 'observer';
  }

  get wallTime(): number {
    return this.server.port.wallTime;
  }

  setCurrentEpoch(epoch: number): void {
    this.server.joined(epoch);
  }

  get lastZxid(): number {
    return this.server.historyEnd;
  }

  get needsAll(): boolean {
    return this.server.needsAll;
  }

  askForAll(): void {
    this.server.needsAll = true;
    // It may wait for this server: it gives everything in this epoch, without an election.
    this.next = this.leader;
  }

  get digestMismatches(): number {
    return this.server.database.digestMismatches;
  }

  get digestComparisons(): number {
    return this.server.database.digestComparisons;
  }

  beginSnapshot(): BodySink {
    return this.server.beginReceiving();
  }

  snapshotReceived(zxid: number): void {
    this.server.received(zxid);
  }

  saveSnapshot(done: () => void): void {
    this.server.saveReceived(done);
  }

  truncate(zxid: number, done: (cut: boolean) => void): void {
    this.server.truncate(zxid, (cut) => {
      if (!cut) this.askForAll();
      done(cut);
    });
  }

  append(entry: Buffer, zxid: number): void {
    if (this.observer) this.server.appendInformed(entry, zxid);
    else this.server.log.append(entry, zxid);
  }

  flushLog(done: () => void): void {
    const { server } = this;
    server.log.whenDurable(() => server.guard(done));
  }

  apply(entry: Buffer, zxid: number): void {
    this.server.applyUnasked(entry, zxid);
  }

  newLeaderConfig(text: string): void {
    const { membership } = this.server;
    if (!membership.changeable) return;
    const config = configFrom(text);
    if (config.version < membership.committed.version)
      throw new PacketError('the leader has older members than this server');
    membership.propose(config);
    this.leaderConfig = config;
  }

  proposeConfig(entry: Buffer): void {
    this.server.membership.propose(configIn(entry));
  }

  activateConfig(entry: Buffer, designated: number): boolean {
    const { server } = this;
    server.activate(configIn(entry));
    this.designated = designated;
    const leave = designated !== this.leader || server.membership.observer !== this.observer;
    if (leave && server.membership.changeable) this.next = designated;
    return leave && server.membership.changeable;
  }

  established(epoch: number): boolean {
    const { server, leaderConfig } = this;
    const { tree } = server.database;
    // Apache's leaders send a configuration along that is only proposed; its transaction is then still to come.
    // One with a version of a later epoch is not: no transaction of this leader can have it.
    const last = Math.max(tree.lastProcessedZxid, epoch * EPOCH);
    if (leaderConfig !== undefined && (leaderConfig.version <= last || leaderConfig.version >= (epoch + 1) * EPOCH)) {
      server.activate(leaderConfig);
      // Another one that this server had seen proposed is not in the leader's history: it never comes about.
      server.membership.withdraw();
      if (server.membership.observer !== this.observer) {
        this.next = this.leader;
        return false;
      }
      // Apache's server goes on leading when those who agreed to its removal died before they could say so, and commits nothing.
      if (!server.membership.committed.verifier.isVoter(this.leader)) return false;
    }
    // What a snapshot held of later transactions has been committed by now.
    tree.compareDigestsFromNow();
    tree.lastProcessedZxid = Math.max(tree.lastProcessedZxid, epoch * EPOCH);
    const sessions = new SessionTable<SessionOwner>(server.config.tickTime);
    const processor = new ForwardingProcessor(
      tree,
      sessions,
      server.newReads(),
      this,
      server.processorHooks,
      server.processorOptions,
    );
    this.sessions = sessions;
    this.processor = processor;
    server.database.listener = {
      onSessionCreated: () => {},
      onSessionClosed: (id) => {
        sessions.remove(id);
        this.hosting?.master.forget(id);
      },
    };
    this.pingedAt = server.port.now;
    const patience = new Patience(server.config.tickTime, server.port.now);
    if (server.ensemble.localSessions)
      this.expiry = server.runtime.every(EXPIRY_CHECK_MS, () =>
        server.guard(() => {
          server.port.hearHeld();
          if (patience.mayExpire(server.port.now)) processor.expireLocal();
        }),
      );
    const took = server.runtime.now() - this.connectedAt;
    (this.observer ? this.stats.observerSyncTime : this.stats.followerSyncTime).add(took);
    if (!this.tellsOfMoves) server.port.closeParked('this leader may take what was kept here for newer than it is');
    server.established(epoch, { tree, sessions, processor });
    const { observerMasterPort } = server.ensemble;
    this.designated = undefined;
    if (!this.observer && observerMasterPort !== undefined)
      this.hosting = new ObserverHosting(server, processor, this, this.tellsOfMoves, observerMasterPort);
    return true;
  }

  committed(entry: Buffer, zxid: number): void {
    if (this.processor === undefined) throw new Error('a commit before the leader was followed');
    this.processor.commit(entry, 0, entry.length);
    this.server.recent.add(zxid, entry);
    this.hosting?.master.committed(zxid, entry, this.designated);
    this.designated = undefined;
    if (counterOf(zxid) >= this.server.ensemble.epochLength) this.awaitEpoch();
  }

  /** The leader is about to begin a new epoch: what is under way is finished, nothing new begun. Apache's leaders begin it later. */
  private awaitEpoch(): void {
    if (this.awaitedEpoch) return;
    this.awaitedEpoch = true;
    this.server.port.hold(NEW_EPOCH_MS);
  }

  validated(session: bigint, valid: boolean, settled: boolean): void {
    this.processor?.validated(session, valid, settled);
  }

  synced(): void {
    this.processor?.synced();
  }

  takeTouched(): readonly (readonly [bigint, number])[] {
    const { port } = this.server;
    port.hearHeld();
    const since = this.pingedAt;
    this.pingedAt = port.now;
    const out: (readonly [bigint, number])[] = [...(this.hosting?.master.takeTouched() ?? [])];
    for (const session of this.sessions?.values() ?? []) {
      if (session.touchedAt >= since && !session.local) out.push([session.id, session.timeout]);
    }
    return out;
  }

  ended(reason: string): void {
    this.end(reason);
  }

  guard(action: () => void): void {
    this.server.guard(action);
  }

  info(message: string): void {
    this.server.logger.info({}, message);
  }

  warn(message: string): void {
    this.server.logger.warn({}, message);
  }

  // ---- what the processor asks for ----

  /** Ids of sessions begin with the server's id, then comes the time, which is never 0. */
  get nobody(): bigint {
    return BigInt.asIntN(64, BigInt(this.server.id) << 56n);
  }

  request(session: bigint, cxid: number, op: number, body: Buffer, identities: readonly Identity[] | null): void {
    this.learner?.request(session, cxid, op, body, identities);
  }

  revalidate(session: bigint, timeout: number, ifFree: boolean): void {
    this.learner?.revalidate(session, timeout, ifFree);
  }

  takesOver(session: bigint): void {
    this.hosting?.master.forget(session);
  }
}
