// A server while it leads: opens the quorum port, and once a quorum follows, makes transactions of its clients' requests and of
// those that learners forward.

import { ErrorCode } from '@nodekeeper/protocol';
import { Leader, type LeaderHost } from './broadcast/leader.js';
import type { LearnerHandler } from './broadcast/learner-handler.js';
import { counterOf, EPOCH } from './broadcast/recent-proposals.js';
import { configIn } from './broadcast/reconfig-entry.js';
import type { EnsembleServer } from './ensemble-server.js';
import type { LeadingView } from './ensemble-view.js';
import { ServerHistory } from './history-host.js';
import { LearnerPort } from './learner-port.js';
import { Origin } from './origin.js';
import { formatConfig } from './quorum/quorum-config.js';
import type { QuorumVerifier } from './quorum/quorum-verifier.js';
import { type ReconfigRequest, reconfigured } from './quorum/reconfigure.js';
import { DEPARTED } from './request/client.js';
import type { ForeignRequest } from './request/originating.js';
import type { Role } from './role.js';
import type { Timer } from './runtime.js';

const NOTHING = Buffer.alloc(0);
/** So long the end of an epoch waits for what is under way. */
const LAST_REQUESTS_MS = 5000;
const LOOK_MS = 2;
/** So long a leader that is stopped waits for its last proposals. */
const FINISH_MS = 1000;

export class Leading extends ServerHistory implements Role, LeaderHost {
  readonly mode = 'leader';
  private readonly leader: Leader;
  private readonly port: LearnerPort;
  private readonly timers: Timer[] = [];
  private origin: Origin | undefined;
  private endingEpoch = false;
  private servingSince = 0;

  constructor(server: EnsembleServer) {
    super(server);
    this.leader = new Leader(this);
    this.port = new LearnerPort(server, 'quorum port', (wire, first) => this.leader.accept(wire, first));
  }

  start(): void {
    const { quorumAddresses } = this.server.membership.own;
    this.port.open(quorumAddresses.map(({ host, quorumPort }) => ({ host, port: quorumPort })));
    this.leader.start();
  }

  readonly endsAlike = false;
  readonly turnedAway = false;
  readonly tellsOfMoves = true;

  get unfollowed(): boolean {
    return this.leader.unfollowed;
  }

  get serving(): boolean {
    return this.leader.serving;
  }

  get waitsFor(): string {
    const { problem } = this.port;
    return `a quorum that follows${problem === undefined ? '' : `: ${problem}`}`;
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

  expireSession(id: bigint): boolean {
    return this.origin?.expire(id) ?? false;
  }

  stop(reason: string): void {
    this.leader.end(reason);
  }

  /** Ends leading if no quorum has promised to follow for more than `ms` milliseconds. Returns whether it did. */
  giveUpEpoch(ms: number, reason: string): boolean {
    if (this.leader.epochFixed || this.leader.age <= ms) return false;
    this.leader.end(reason);
    return true;
  }

  // ---- what the leader asks for ----

  get needSnapshot(): Set<number> {
    return this.server.needSnapshot;
  }

  get ackLoggingFrequency(): number {
    return this.server.ensemble.ackLoggingFrequency;
  }

  setCurrentEpoch(epoch: number): void {
    this.server.epochs.setCurrent(epoch);
  }

  verifiers(): readonly QuorumVerifier[] {
    return this.server.membership.verifiers;
  }

  override configText(): string {
    const { membership } = this.server;
    // While it serves, what is proposed goes to learners as a proposal: with NEWLEADER they would put it into force.
    return this.serving ? membership.text : membership.proposedText;
  }

  oracleGrants(): boolean {
    return this.server.oracle.grants;
  }

  isMember(id: number): boolean {
    return this.server.membership.committed.members.has(id);
  }

  isObserver(id: number): boolean {
    return this.server.membership.committed.members.get(id)?.role === 'observer';
  }

  historyEpochOf(id: number): number | undefined {
    return this.server.historyEpochOf(id);
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
    const { standaloneEnabled, multiAddress } = ensemble;
    const rules = { leastVoters: standaloneEnabled ? 2 : 1, multiAddress };
    const config = reconfigured(membership.committed, request, zxid, rules);
    if (typeof config === 'number') return config;
    return this.leader.isSynced(config.verifier) ? formatConfig(config) : ErrorCode.NewConfigNoQuorum;
  }

  append(entry: Buffer, zxid: number): void {
    this.server.log.append(entry, zxid);
  }

  established(epoch: number): boolean {
    const { server } = this;
    this.servingSince = server.runtime.now();
    this.stats.resetProposalSizes();
    server.database.tree.lastProcessedZxid = epoch * EPOCH;
    const mayLead = server.membership.mayLead(server.membership.proposed);
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
    return mayLead;
  }

  committed(upTo: number): void {
    this.active.processor.commit(NOTHING, upTo);
    // A new epoch has to begin before the counter is used up (ZOOKEEPER-1277). Learners that see the commit know it, too.
    if (counterOf(upTo) >= this.server.ensemble.epochLength)
      this.endEpoch('this epoch is long enough, a new one begins');
  }

  /** No request is taken in any more, and what is under way is finished, so that none fails. */
  endEpoch(reason: string): void {
    if (this.endingEpoch) return;
    this.endingEpoch = true;
    const { server, leader } = this;
    server.port.hold(2 * LAST_REQUESTS_MS);
    leader.askAll();
    const until = server.runtime.now() + LAST_REQUESTS_MS;
    const look = (): void => {
      if (leader.isIdle || server.runtime.now() >= until) leader.end(reason);
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
    // One whose beginning is not committed yet counts: the answer is sent behind its commit.
    if (session === undefined || session.local) return false;
    const before = session.owner;
    // Once it was at home here in this epoch, what another server still keeps of it is older.
    if (ifFree && before !== undefined && before !== owner && (!before.closed || before === DEPARTED)) return false;
    session.timeout = timeout;
    if (before !== owner) before?.close('the session goes on at another server');
    session.owner = owner;
    this.active.sessions.touch(session, this.server.port.now);
    if (!ifFree) this.active.processor.tellOfMove(session);
    return true;
  }

  ended(reason: string): void {
    for (const timer of this.timers) timer.cancel();
    this.port.close();
    this.server.roleEnded(this, reason, [...this.leader.uncommitted()]);
  }
}
