// The leader: finds an epoch with a quorum, brings learners to its history, and from then on proposes, counts acks and commits,
// strictly in order. Rules, with their sources: docs/protocol.md, "Leader".

import { OpCode } from '@nodekeeper/protocol';
import type { QuorumVerifier } from '../quorum/quorum-verifier.js';
import type { PendingWrite } from '../request/fifo.js';
import type { ForeignRequest, Proposals } from '../request/originating.js';
import type { Timer } from '../runtime.js';
import { TxnHeaderAt } from '../tree/txn-types.js';
import { LearnerHandler, letSilentGo } from './learner-handler.js';
import type { HistoryHost, LearnerMaster } from './learner-master.js';
import { PacketLink, type Wire } from './packet-link.js';
import { EPOCH, EPOCH_LIMIT, epochOf } from './recent-proposals.js';
import { Standstill } from './standstill.js';
import { SyncLimits } from './sync-limits.js';

/** So long learners have to leave for another leader. */
const HAND_OVER_MS = 200;

export interface LeaderHost extends HistoryHost {
  /** Learners that the log on disk could not bring up to date. Outlives the role: no quorum may come about without them. */
  readonly needSnapshot: Set<number>;
  /** Every how many transactions the acks are timed; 0 for never. */
  readonly ackLoggingFrequency: number;
  readonly currentEpoch: number;
  /** Durable when it returns. */
  setAcceptedEpoch(epoch: number): void;
  setCurrentEpoch(epoch: number): void;
  /** Of the committed configuration and, while it is newer, the proposed one. */
  verifiers(): readonly QuorumVerifier[];
  /** Whether this server, of two voters, may decide without the other one; see oracle.ts. */
  oracleGrants(): boolean;
  /** Whether the committed configuration lists the server. */
  isMember(id: number): boolean;
  /** Whether it lists the server as an observer. */
  isObserver(id: number): boolean;
  /** The epoch of another server's history, as its last vote for itself told; undefined while that is not known. */
  historyEpochOf(id: number): number | undefined;
  /** The text that NEWLEADER carries: of the newest configuration, once the leader serves of the committed one. */
  configText(): string;
  /** A first configuration gets the epoch as its version, where members may change. */
  beginConfig(epoch: number): void;
  /** The configuration in a reconfiguration's entry is proposed from now on. */
  proposeConfig(entry: Buffer): void;
  /** The configuration in the entry is committed. Returns the voters; `mayLead` tells whether this server may go on leading. */
  activateConfig(entry: Buffer): { readonly voters: readonly number[]; readonly mayLead: boolean };
  /** Hands an entry to the own log; {@link Leader.onDurable} follows. */
  append(entry: Buffer, zxid: number): void;
  /** The quorum is there: requests are taken in from now on. False if by the members who are in force now another one must lead. */
  established(epoch: number): boolean;
  /** Everything up to a zxid is committed. */
  committed(upTo: number): void;
  /** Another epoch has to begin: ends the leading once what is under way is finished. */
  endEpoch(reason: string): void;
  submit(request: ForeignRequest): void;
  touchSession(id: bigint, timeout: number): void;
  /** Whether a session is alive; makes the learner its owner. Undefined while its end is not committed. */
  revalidate(id: bigint, timeout: number, owner: LearnerHandler, ifFree: boolean): boolean | undefined;
  /** Leading has ended. */
  ended(reason: string): void;
}

interface Proposal {
  readonly zxid: number;
  readonly entry: Buffer;
  readonly proposedAt: number;
}

type Phase = 'epoch' | 'confirm' | 'newLeader' | 'serving' | 'ended';

export class Leader implements Proposals, LearnerMaster {
  readonly host: LeaderHost;
  readonly observersOnly = false;
  readonly tellsOfMoves = true;
  private phase: Phase = 'epoch';
  private candidate: number;
  private readonly promised = new Set<number>();
  private readonly confirmed = new Set<number>();
  private readonly followed = new Set<number>();
  readonly learners = new Set<LearnerHandler>();
  private outstanding: Proposal[] = [];
  private head = 0;
  private committedZxid: number;
  private overtaken = false;
  /** The last zxid that was proposed. */
  lastProposed: number;
  readonly syncLimits: SyncLimits;
  readonly needSnapshot: Set<number>;
  private durableZxid: number;
  private deadline: Timer | undefined;
  private ticker: Timer | undefined;
  private readonly standstill: Standstill;
  private halfTicks = 0;
  private readonly startedAt: number;
  /** A reconfiguration ends this server's leading. */
  private handingOver = false;
  /** It has ended, and too few had come to follow. */
  unfollowed = false;

  constructor(host: LeaderHost) {
    this.host = host;
    this.needSnapshot = host.needSnapshot;
    this.syncLimits = new SyncLimits(host.mostSyncs);
    this.startedAt = host.runtime.now();
    this.standstill = new Standstill(host.tickTime, this.startedAt);
    this.candidate = host.acceptedEpoch + 1;
    this.committedZxid = host.lastZxid;
    this.lastProposed = host.lastZxid;
    this.durableZxid = host.lastZxid;
    this.promised.add(host.id);
    this.confirmed.add(host.id);
    this.followed.add(host.id);
    this.ticker = host.runtime.every(host.tickTime / 2, () => host.guard(() => this.halfTick()));
    this.armDeadline('servers that promise to follow');
  }

  /** Looks at once whether this server decides alone. */
  start(): void {
    this.checkEpoch();
  }

  get epoch(): number {
    return this.candidate;
  }

  get serving(): boolean {
    return this.phase === 'serving';
  }

  /** Whether the epoch is fixed, so that it may be told. */
  get epochFixed(): boolean {
    return this.phase !== 'epoch';
  }

  /** Whether the history is agreed, so that learners may be synchronized. */
  get confirmedByQuorum(): boolean {
    return this.phase === 'newLeader' || this.phase === 'serving';
  }

  /** Milliseconds of leading so far. */
  get age(): number {
    return this.host.runtime.now() - this.startedAt;
  }

  /** Takes over a connection at the quorum port, and bytes that came on it already. */
  accept(wire: Wire, first?: Buffer): void {
    const { host } = this;
    if (this.phase === 'ended' || this.draining) {
      wire.destroy();
      return;
    }
    const handler: LearnerHandler = new LearnerHandler(
      this,
      (events) => new PacketLink(wire, host.outbox, host.maxPacket, (action) => host.guard(action), events),
    );
    letSilentGo(this.learners);
    this.learners.add(handler);
    if (first !== undefined) handler.feed(first);
  }

  left(handler: LearnerHandler, reason: string): void {
    if (!this.learners.delete(handler) || this.phase === 'ended') return;
    if (handler.id !== undefined) this.host.info(`server ${handler.id} is gone: ${reason}`);
    else this.host.warn(`a connection from ${handler.address} at the quorum port ended: ${reason}`);
  }

  // ---- discovery ----

  /** A learner shows the epoch that it accepted last. */
  promise(handler: LearnerHandler): void {
    if (this.phase === 'epoch') {
      if (this.isOurs(handler)) this.candidate = Math.max(this.candidate, handler.acceptedEpoch + 1);
      if (handler.id !== undefined && handler.participates && this.isVoter(handler.id)) this.promised.add(handler.id);
      this.checkEpoch();
    } else if (handler.acceptedEpoch > this.candidate && this.isMissed(handler)) {
      this.overtake(handler);
    } else {
      handler.tellEpoch();
    }
  }

  /** Whether it is a member, or is to become one that votes: others stay outside rather than use up epochs. */
  private isOurs({ id }: LearnerHandler): boolean {
    return id !== undefined && (this.isVoter(id) || this.host.isMember(id));
  }

  /** Whether it is a member that is not here already under the same id. */
  private isMissed({ id }: LearnerHandler): boolean {
    if (id === undefined || !this.host.isMember(id)) return false;
    if (this.isVoter(id) && !this.isOfThisHistory(id)) return false;
    return ![...this.learners].some((l) => l.id === id && l.following);
  }

  /**
   * A voter whose history is of a later epoch than this one, which a quorum established, has seen other days: a quorum has lost its
   * data and began again. It would win the next election, and what was acknowledged since would be gone.
   */
  private isOfThisHistory(id: number): boolean {
    const epoch = this.host.historyEpochOf(id);
    return epoch !== undefined && epoch <= this.candidate;
  }

  /**
   * A member has accepted a later epoch, of a leader who was never established. It may never follow this one, so another epoch
   * begins; Apache's servers leave it outside until that happens by itself. To accept an epoch that nobody leads is always safe.
   */
  private overtake(handler: LearnerHandler): void {
    const { host } = this;
    const { id, acceptedEpoch } = handler;
    handler.disconnect(`it has accepted epoch ${acceptedEpoch}: a later one has to begin`);
    if (this.overtaken || this.draining) return;
    this.overtaken = true;
    host.setAcceptedEpoch(acceptedEpoch);
    const reason = `server ${id} has accepted epoch ${acceptedEpoch}, a later one begins`;
    if (this.phase === 'serving') host.endEpoch(reason);
    else this.end(reason);
  }

  private checkEpoch(): void {
    if (this.phase !== 'epoch' || !this.enough(this.promised)) return;
    if (this.candidate >= EPOCH_LIMIT) throw new Error(`epoch ${this.candidate} is beyond what zxids can hold exactly`);
    this.host.setAcceptedEpoch(this.candidate);
    this.phase = 'confirm';
    this.armDeadline('servers that confirm the history');
    for (const learner of [...this.learners]) if (learner.introduced) learner.tellEpoch();
    this.checkConfirmed();
  }

  /** A learner shows its history. */
  confirm(handler: LearnerHandler): void {
    if (this.phase === 'confirm') {
      const { peerEpoch, peerZxid, id } = handler;
      if (peerEpoch !== -1) {
        const { currentEpoch, lastZxid } = this.host;
        if (peerEpoch > currentEpoch || (peerEpoch === currentEpoch && peerZxid > lastZxid)) {
          handler.disconnect(`its history (epoch ${peerEpoch}, 0x${peerZxid.toString(16)}) is ahead of the leader's`);
          return;
        }
        if (peerZxid !== -1 && id !== undefined && handler.participates && this.isVoter(id)) this.confirmed.add(id);
      }
      this.checkConfirmed();
    } else {
      this.synchronize(handler);
    }
  }

  private checkConfirmed(): void {
    if (this.phase !== 'confirm' || !this.enough(this.confirmed)) return;
    this.host.setCurrentEpoch(this.candidate);
    this.host.beginConfig(this.candidate);
    this.phase = 'newLeader';
    this.armDeadline('servers that follow');
    for (const learner of [...this.learners]) if (learner.summarized) this.synchronize(learner);
    this.checkFollowed();
  }

  /**
   * Brings a learner up to date, which may cut its log. What it acknowledged on an older connection, of which this server has not
   * seen the end, does not count any more.
   */
  private synchronize(handler: LearnerHandler): void {
    for (const other of [...this.learners])
      if (other !== handler && other.id === handler.id && other.participates)
        other.disconnect('this server has connected again');
    if (handler.id !== undefined && handler.participates) this.followed.delete(handler.id);
    handler.synchronize();
  }

  /** A learner has the leader's history on its disk. */
  follow(handler: LearnerHandler): void {
    if (handler.id !== undefined && handler.participates) this.followed.add(handler.id);
    if (this.phase === 'serving') this.letServe(handler);
    else this.checkFollowed();
  }

  private letServe(learner: LearnerHandler): void {
    learner.upToDate();
    // Clients have seen its zxids, and are taken by nobody until there are later ones.
    if (learner.isForeign && this.isOurs(learner))
      this.host.endEpoch('another leader had this epoch, so that a new one begins');
  }

  private checkFollowed(): void {
    if (this.phase !== 'newLeader' || !this.enough(this.followed)) return;
    this.deadline?.cancel();
    this.phase = 'serving';
    const start = this.candidate * EPOCH;
    this.committedZxid = start;
    this.lastProposed = start;
    this.durableZxid = start;
    const mayLead = this.host.established(this.candidate);
    for (const learner of [...this.learners]) if (learner.following) this.letServe(learner);
    if (!mayLead) this.handOver('another server leads from now on, by reconfiguration');
  }

  // ---- what learners ask for ----

  acked(handler: LearnerHandler, zxid: number): string | undefined {
    if (zxid > this.lastProposed) return 'which was never proposed';
    if (handler.participates && handler.id !== undefined) this.measureAck(handler.id, handler.acked, zxid);
    handler.acked = zxid;
    this.tryCommit();
    return undefined;
  }

  touch(session: bigint, timeout: number): void {
    this.host.touchSession(session, timeout);
  }

  revalidate(handler: LearnerHandler, session: bigint, timeout: number, ifFree: boolean): void {
    if (this.draining) return;
    const valid = this.host.revalidate(session, timeout, handler, ifFree) === true;
    // Learners know a commit by session and cxid, and clients count from 1 again on a new connection: what the session asked for
    // before has to be committed before it goes on, or its commit passes for that of a later request. And a session that is being
    // closed is over when that is committed, not before. So is a move done when the history tells of it: see OriginatingProcessor.
    this.answerInOrder(handler, () => handler.answerRevalidation(session, valid, true));
  }

  sync(handler: LearnerHandler): void {
    this.answerInOrder(handler, () => handler.answerSync());
  }

  submit(_handler: LearnerHandler, request: ForeignRequest): void {
    this.host.submit(request);
  }

  /** Answers behind everything that is proposed by now. */
  private answerInOrder(handler: LearnerHandler, answer: () => void): void {
    if (this.hasOutstanding) handler.answerAfter(this.lastProposed, answer);
    else answer();
  }

  // ---- broadcast ----

  propose(write: PendingWrite, buf: Buffer, length: number): void {
    const { zxid } = write;
    if (zxid !== this.lastProposed + 1 || epochOf(zxid) !== this.candidate)
      throw new Error(`zxid 0x${zxid.toString(16)} is proposed after 0x${this.lastProposed.toString(16)}`);
    const entry = Buffer.from(buf.subarray(0, length));
    write.entry = entry;
    write.start = 0;
    write.end = length;
    this.lastProposed = zxid;
    if (isReconfig(entry)) this.host.proposeConfig(entry);
    this.outstanding.push({ zxid, entry, proposedAt: this.host.runtime.now() });
    this.host.stats.onProposal(length);
    for (const learner of this.learners) learner.proposal(zxid, entry);
    this.host.append(entry, zxid);
  }

  /** Asks every learner for a sign of life: {@link isIdle} tells when all have answered. */
  askAll(): void {
    for (const learner of this.learners) learner.ping();
  }

  /** Whether nothing is under way: no proposal, and nothing that learners sent before they saw the last commit. */
  get isIdle(): boolean {
    if (this.hasOutstanding) return false;
    for (const learner of this.learners) if (learner.following && !learner.answered) return false;
    return true;
  }

  /** Proposals that are not committed, oldest first. */
  *uncommitted(): Generator<{ readonly zxid: number; readonly entry: Buffer }> {
    for (let i = this.head; i < this.outstanding.length; i++) yield this.outstanding[i] as Proposal;
  }

  /** Whether what is proposed is the last. */
  draining = false;

  /** Takes no more learners and requests. */
  drain(): void {
    this.draining = true;
  }

  get hasOutstanding(): boolean {
    return this.head < this.outstanding.length;
  }

  /** Measures how long a server took to acknowledge a proposal, unless a quorum did so before. */
  private measureAck(id: number, before: number, zxid: number): void {
    const { ackLoggingFrequency, stats, runtime } = this.host;
    const timed = zxid - (zxid % ackLoggingFrequency);
    const oldest = this.outstanding[this.head];
    if (!(timed > before) || oldest === undefined) return;
    const proposal = this.outstanding[this.head + timed - oldest.zxid];
    if (proposal?.zxid === timed) stats.onAck(id, runtime.now() - proposal.proposedAt);
  }

  /** Everything up to a zxid is on the own disk. */
  onDurable(zxid: number): void {
    this.measureAck(this.host.id, this.durableZxid, zxid);
    if (zxid > this.durableZxid) this.durableZxid = zxid;
    this.tryCommit();
  }

  /** Commits what enough servers have: to be called when acks have come in. */
  tryCommit(): void {
    if (this.phase !== 'serving' || this.handingOver) return;
    const from = this.head;
    const { stats, runtime } = this.host;
    const now = from < this.outstanding.length ? runtime.now() : 0;
    while (this.head < this.outstanding.length && !this.handingOver) {
      const { zxid, entry, proposedAt } = this.outstanding[this.head] as Proposal;
      if (!this.decides((id) => this.ackedBy(id) >= zxid)) break;
      if (zxid !== this.committedZxid + 1) throw new Error('commit out of order');
      this.head++;
      this.committedZxid = zxid;
      stats.onCommit(now - proposedAt);
      this.host.recent.add(zxid, entry);
      const designated = isReconfig(entry) ? this.activate(zxid, entry) : undefined;
      for (const learner of this.learners) {
        if (designated === undefined) learner.commit(zxid, entry);
        else learner.commitAndActivate(zxid, entry, designated);
        learner.answerWaiting(zxid); // before later commits: a client's later writes must not be answered first
      }
    }
    if (this.head === from) return;
    if (this.head === this.outstanding.length) {
      this.outstanding = [];
      this.head = 0;
    } else if (this.head > 4096) {
      this.outstanding = this.outstanding.slice(this.head);
      this.head = 0;
    }
    this.host.committed(this.committedZxid);
  }

  /** Puts a committed configuration into force; returns who leads from now on. */
  private activate(zxid: number, entry: Buffer): number {
    const { host } = this;
    const { voters, mayLead } = host.activateConfig(entry);
    if (mayLead) return host.id;
    // Among the voters that have the reconfiguration, the one that has the most; this one if there is no other: elsewhere.
    let best = host.id;
    for (const id of voters) {
      if (id !== host.id && this.ackedBy(id) >= zxid && (best === host.id || this.ackedBy(id) > this.ackedBy(best)))
        best = id;
    }
    this.handOver(`server ${best} leads from now on, by reconfiguration`);
    return best;
  }

  /** Commits nothing more; ends when the learners had the time to hear why. */
  private handOver(reason: string): void {
    const { host } = this;
    this.handingOver = true;
    this.deadline = host.runtime.after(HAND_OVER_MS, () => host.guard(() => this.end(reason)));
  }

  /** Whether enough servers of a configuration are there and have the history. */
  isSynced(verifier: QuorumVerifier): boolean {
    const there = this.there();
    return verifier.enough((id) => there.has(id));
  }

  private there(): Set<number> {
    const { host } = this;
    const there = new Set([host.id]);
    // An observer acknowledges nothing until it has become a follower, which it does only when the new members are in force; nor
    // does a follower that has been made an observer and will soon come again as one.
    for (const { id, following, participates } of this.learners)
      if (following && participates && id !== undefined && !host.isObserver(id)) there.add(id);
    return there;
  }

  private ackedBy(id: number): number {
    if (id === this.host.id) return this.durableZxid;
    let best = -1;
    for (const learner of this.learners) {
      if (learner.id === id && learner.acked > best) best = learner.acked;
    }
    return best;
  }

  // ---- time ----

  private halfTick(): void {
    const { host } = this;
    const now = host.runtime.now();
    if (this.standstill.isBefore(now)) {
      for (const learner of this.learners) learner.ping();
      return;
    }
    this.halfTicks++;
    for (const learner of [...this.learners]) {
      // Until the leader serves, learners that follow have nothing to say.
      const steady = learner.following && this.phase === 'serving';
      const limit = host.tickTime * (steady ? host.syncLimit : host.initLimit);
      if (now - learner.heardAt > limit) learner.disconnect(`nothing was heard for ${limit} ms`);
      else if (steady && learner.owesAck(now, limit)) learner.disconnect(`it has acknowledged nothing for ${limit} ms`);
      else learner.ping();
    }
    if (this.phase !== 'serving' || this.halfTicks % 2 !== 0) return;
    const oldest = this.outstanding[this.head];
    // With the oracle's leave it goes on while the other one catches up, too, though it may decide nothing without that one then.
    if (!host.verifiers().every((verifier) => this.isSynced(verifier)) && !host.oracleGrants()) {
      this.end(`only servers ${[...this.there()].join(', ')} are there: no quorum`);
      return;
    }
    this.tryCommit(); // where the oracle says that those who are there are enough now
    // What they were sent before they followed counts, too, as long as it is waited for. One that has just come has its time from
    // then on, or it would be sent away for ever.
    if (oldest === undefined) return;
    const before = now - host.tickTime * host.syncLimit;
    for (const learner of [...this.learners]) {
      const late = oldest.proposedAt < before && learner.followsSince < before && learner.acked < oldest.zxid;
      if (learner.participates && learner.following && late)
        learner.disconnect(`0x${oldest.zxid.toString(16)} was not acknowledged in time`);
    }
  }

  private armDeadline(what: string): void {
    this.deadline?.cancel();
    const ms = this.host.tickTime * this.host.initLimit;
    this.deadline = this.host.runtime.after(ms, () =>
      this.host.guard(() => this.end(`not enough ${what} within ${ms} ms`)),
    );
  }

  /** Stops leading: every learner is let go. */
  end(reason: string): void {
    if (this.phase === 'ended') return;
    this.unfollowed = this.phase === 'epoch';
    this.phase = 'ended';
    this.deadline?.cancel();
    this.ticker?.cancel();
    for (const learner of [...this.learners]) learner.disconnect(reason);
    this.learners.clear();
    this.host.ended(reason);
  }

  private isVoter(id: number): boolean {
    return this.host.verifiers().some((verifier) => verifier.isVoter(id));
  }

  private enough(ids: ReadonlySet<number>): boolean {
    return this.decides((id) => ids.has(id));
  }

  /** Whether the servers are a quorum, or the oracle says that this one is enough: it is asked only if no other one follows. */
  private decides(has: (id: number) => boolean): boolean {
    const { host } = this;
    if (host.verifiers().every((verifier) => verifier.enough(has))) return true;
    for (const learner of this.learners) if (learner.participates && learner.synced) return false;
    return has(host.id) && host.oracleGrants();
  }
}

function isReconfig(entry: Buffer): boolean {
  return entry.readInt32BE(TxnHeaderAt.type) === OpCode.reconfig;
}
