// A server while it leads: opens the quorum port, and once a quorum follows, makes transactions of its clients' requests and of
// those that learners forward.

import { ErrorCode } from '@nodekeeper/protocol';
import { Leader, type LeaderHost, type LogCursor } from './broadcast/leader.js';
import type { LearnerHandler } from './broadcast/learner-handler.js';
import type { Outbox } from './broadcast/packet-link.js';
import { counterOf, EPOCH, type RecentProposals } from './broadcast/recent-proposals.js';
import { configIn } from './broadcast/reconfig-entry.js';
import type { BodySource } from './broadcast/snapshot-stream.js';
import type { EnsembleServer } from './ensemble-server.js';
import type { EnsembleStats } from './ensemble-stats.js';
import type { LeadingView } from './ensemble-view.js';
import type { Connection, Listener } from './net/network.js';
import { Origin } from './origin.js';
import { formatConfig } from './quorum/quorum-config.js';
import type { QuorumVerifier } from './quorum/quorum-verifier.js';
import { type ReconfigRequest, reconfigured } from './quorum/reconfigure.js';
import type { ForeignRequest } from './request/originating.js';
import type { Role } from './role.js';
import type { Runtime, Timer } from './runtime.js';
import { sortedSnapshots } from './storage/file-names.js';
import { LogCursor as DiskCursor } from './storage/log-cursor.js';

const NOTHING = Buffer.alloc(0);
const REBIND_MS = 100;
/** So long the end of an epoch waits for what is under way. */
const LAST_REQUESTS_MS = 5000;
const LOOK_MS = 2;
/** So long a leader that is stopped waits for its last proposals. */
const FINISH_MS = 1000;

export class Leading implements Role, LeaderHost {
  readonly mode = 'leader';
  private readonly server: EnsembleServer;
  private readonly leader: Leader;
  private readonly listeners: Listener[] = [];
  private readonly timers: Timer[] = [];
  private origin: Origin | undefined;
  private over = false;
  private endingEpoch = false;
  private servingSince = 0;
  /** Connections of which it is not known yet whose they are. */
  private readonly proving = new Set<Connection>();

  constructor(server: EnsembleServer) {
    this.server = server;
    this.leader = new Leader(this);
  }

  start(): void {
    for (const { host, quorumPort } of this.server.membership.own.quorumAddresses) void this.open(host, quorumPort);
    this.leader.start();
  }

  private async open(name: string, port: number): Promise<void> {
    const { server } = this;
    const { listenOnAllIPs, keepAlive } = server.ensemble;
    const host = listenOnAllIPs ? undefined : name;
    let told = false;
    while (!this.over) {
      try {
        const listener = await server.quorumNetwork.listen(
          { port, host, keepAlive },
          (wire) => this.accept(wire),
          (error) => this.warn(`quorum port: ${error.message}`),
        );
        if (this.over) await listener.close();
        else this.listeners.push(listener);
        return;
      } catch (e) {
        if (!told) this.warn(`the quorum port ${name}:${port} cannot be opened: ${(e as Error).message}`);
        told = true;
        await new Promise<void>((resolve) => server.runtime.after(REBIND_MS, resolve));
      }
    }
  }

  /** Takes a learner's connection, once it has proved whose it is. */
  private accept(wire: Connection): void {
    const { server } = this;
    const { quorumAuth: auth } = server;
    if (auth === undefined) {
      server.guard(() => this.leader.accept(wire));
      return;
    }
    this.proving.add(wire);
    const timer = server.runtime.after(this.tickTime * this.initLimit, () => wire.destroy());
    auth.demand(wire, Buffer.alloc(0), (problem, rest) => {
      timer.cancel();
      this.proving.delete(wire);
      if (problem === undefined && !this.over) {
        server.guard(() => this.leader.accept(wire, rest));
        return;
      }
      if (!this.over) this.warn(`a connection from ${wire.remoteAddress} at the quorum port is refused: ${problem}`);
      wire.destroy();
    });
  }

  get serving(): boolean {
    return this.leader.serving;
  }

  get waitsFor(): string {
    return 'a quorum that follows';
  }

  get leaderId(): number {
    return this.id;
  }

  get leading(): LeadingView {
    const learners = [...this.leader.learners];
    const waiting = learners.reduce((sum, learner) => sum + learner.pendingSyncs, 0);
    return {
      uptime: this.runtime.now() - this.servingSince,
      expiryBuckets: () => this.origin?.sessions.expiryBuckets() ?? [],
      learners,
      pendingSyncs: waiting + (this.origin?.processor.pendingSyncs ?? 0),
    };
  }

  onDurable(zxid: number): void {
    this.leader.onDurable(zxid);
  }

  async finish(): Promise<void> {
    if (!this.leader.serving) return;
    this.server.port.serve(null);
    this.leader.drain();
    const until = this.runtime.now() + FINISH_MS;
    while (this.leader.hasOutstanding && this.runtime.now() < until)
      await new Promise<void>((resolve) => this.runtime.after(1, resolve));
  }

  stop(reason: string): void {
    this.leader.end(reason);
  }

  // ---- what the leader asks for ----

  get id(): number {
    return this.server.id;
  }

  get runtime(): Runtime {
    return this.server.runtime;
  }

  get outbox(): Outbox {
    return this.server.port.turns;
  }

  get tickTime(): number {
    return this.server.config.tickTime;
  }

  get initLimit(): number {
    return this.server.ensemble.initLimit;
  }

  get syncLimit(): number {
    return this.server.ensemble.syncLimit;
  }

  get maxPacket(): number {
    return this.server.maxPacket;
  }

  get recent(): RecentProposals {
    return this.server.recent;
  }

  get stats(): EnsembleStats {
    return this.server.ensembleStats;
  }

  get acceptedEpoch(): number {
    return this.server.epochs.accepted;
  }

  get currentEpoch(): number {
    return this.server.epochs.current;
  }

  setAcceptedEpoch(epoch: number): void {
    this.server.epochs.setAccepted(epoch);
  }

  setCurrentEpoch(epoch: number): void {
    this.server.epochs.setCurrent(epoch);
  }

  get lastZxid(): number {
    return this.server.lastZxid;
  }

  get logAllowed(): boolean {
    return this.server.ensemble.snapshotSizeFactor >= 0;
  }

  get forceSnapshotSync(): boolean {
    return this.server.ensemble.forceSnapshotSync;
  }

  verifiers(): readonly QuorumVerifier[] {
    return this.server.membership.verifiers;
  }

  get configVersion(): number {
    return this.server.membership.committed.version;
  }

  configText(): string {
    const { membership } = this.server;
    // While it serves, what is proposed goes to learners as a proposal: with NEWLEADER they would put it into force.
    return this.serving ? membership.text : membership.proposedText;
  }

  beginConfig(epoch: number): void {
    const { membership } = this.server;
    if (membership.proposed.version !== 0) return;
    membership.propose({ ...membership.proposed, version: epoch * EPOCH });
  }

  proposeConfig(entry: Buffer): void {
    this.server.membership.propose(configIn(entry));
  }

  activateConfig(entry: Buffer): { readonly voters: readonly number[]; readonly mayLead: boolean } {
    const config = configIn(entry);
    const mayLead = this.server.membership.mayLead(config);
    this.server.activate(config);
    return { voters: config.verifier.voters, mayLead };
  }

  /** What a reconfiguration that a client asks for leads to: the members as text, or the code of an error. */
  private reconfigure(request: ReconfigRequest, zxid: number): string | number {
    const { membership, ensemble } = this.server;
    if (membership.inProgress) return ErrorCode.ReconfigInProgress;
    const config = reconfigured(membership.committed, request, zxid, ensemble.standaloneEnabled ? 2 : 1);
    if (typeof config === 'number') return config;
    return this.leader.isSynced(config.verifier) ? formatConfig(config) : ErrorCode.NewConfigNoQuorum;
  }

  snapshotBody(): BodySource & { readonly zxid: number; end(): void } {
    return this.server.database.snapshot();
  }

  logAfter(zxid: number): LogCursor | undefined {
    const { disk, dirs, ensemble } = this.server;
    const newest = sortedSnapshots(disk.list(dirs.snapshots))[0];
    const snapshotSize = newest === undefined ? 0 : (disk.size(`${dirs.snapshots}/${newest.file}`) ?? 0);
    return DiskCursor.open(disk, dirs.logs, zxid, snapshotSize * ensemble.snapshotSizeFactor);
  }

  append(entry: Buffer, zxid: number): void {
    this.server.log.append(entry, zxid);
  }

  established(epoch: number): void {
    const { server } = this;
    this.servingSince = server.runtime.now();
    this.stats.resetProposalSizes();
    server.database.tree.lastProcessedZxid = epoch * EPOCH;
    server.activate(server.membership.proposed);
    const preparer = server.newPreparer((request, zxid) => this.reconfigure(request, zxid));
    const origin = new Origin(server, this.leader, preparer);
    this.origin = origin;
    const { sessions, processor } = origin;
    const { tree } = server.database;
    server.onTurn = () => {
      processor.now = server.port.now;
      processor.wallTime = server.port.wallTime;
    };
    server.port.beginTurn();
    server.onTurn();
    origin.takeOverSessions();
    server.established(epoch, server.ensemble.leaderServes ? { tree, sessions, processor } : null);
    origin.start((ms, action) => {
      this.timers.push(server.runtime.every(ms, () => server.guard(action)));
    });
  }

  committed(upTo: number): void {
    this.active.processor.commit(NOTHING, upTo);
    if (counterOf(upTo) >= this.server.ensemble.epochLength) this.endEpoch();
  }

  /**
   * A new epoch has to begin before the counter is used up (ZOOKEEPER-1277). Here, and on learners that see the commit, no request
   * is taken in any more; what is under way is finished first, so that none fails.
   */
  private endEpoch(): void {
    if (this.endingEpoch) return;
    this.endingEpoch = true;
    const { server, leader } = this;
    server.port.holding = true;
    leader.askAll();
    const until = server.runtime.now() + LAST_REQUESTS_MS;
    const look = (): void => {
      if (leader.isIdle || server.runtime.now() >= until) leader.end('this epoch is long enough, a new one begins');
    };
    this.timers.push(server.runtime.every(LOOK_MS, () => server.guard(look)));
  }

  private get active(): Origin {
    if (this.origin === undefined) throw new Error('the leader does not serve yet');
    return this.origin;
  }

  submit(request: ForeignRequest): void {
    if (!this.leader.draining) this.origin?.processor.submitForeign(request);
  }

  touchSession(id: bigint, timeout: number): void {
    const session = this.origin?.sessions.get(id);
    if (session === undefined || session.closing) return;
    session.timeout = timeout;
    this.active.sessions.touch(session, this.server.port.now);
  }

  revalidate(id: bigint, timeout: number, owner: LearnerHandler, ifFree: boolean): boolean | undefined {
    const session = this.origin?.sessions.get(id);
    if (session?.closing === true) return undefined;
    if (session === undefined || !session.committed) return false;
    const before = session.owner;
    if (ifFree && before !== undefined && before !== owner && !before.closed) return false;
    session.timeout = timeout;
    session.owner = owner;
    this.active.sessions.touch(session, this.server.port.now);
    return true;
  }

  ended(reason: string): void {
    this.over = true;
    for (const timer of this.timers) timer.cancel();
    for (const listener of this.listeners) void listener.close();
    for (const wire of this.proving) wire.destroy();
    this.server.roleEnded(this, reason, [...this.leader.uncommitted()]);
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
}
