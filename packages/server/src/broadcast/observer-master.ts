// Serves observers on a follower, so that the leader need not: brings them to the committed history, informs them of what is
// committed, and passes on what they ask for. Source: ObserverMaster of Apache ZooKeeper; docs/protocol.md, "Observer master".

import { OpCode } from '@nodekeeper/protocol';
import type { ValidityTaker } from '../request/forwarding.js';
import type { ForeignRequest } from '../request/originating.js';
import type { Timer } from '../runtime.js';
import { LearnerHandler, letSilentGo } from './learner-handler.js';
import type { HistoryHost, LearnerMaster } from './learner-master.js';
import { PacketLink, type Wire } from './packet-link.js';
import { epochOf } from './recent-proposals.js';
import { Standstill } from './standstill.js';
import { SyncLimits } from './sync-limits.js';

export interface ObserverMasterHost extends HistoryHost {
  readonly currentEpoch: number;
  /** Whether its leader's history tells of each session that moves. */
  readonly tellsOfMoves: boolean;
  /** Bytes that an observer may leave unread. */
  readonly sizeLimit: number;
  /** Whether there is such a session, as far as this server knows. */
  knowsSession(id: bigint): boolean;
  /** Whether a session is at home on this server itself. */
  holdsSession(id: bigint): boolean;
  /** A session goes on at an observer: it does not at this server. */
  handedOver(session: bigint): void;
  /** Asks the leader whether a session is alive, behind what was asked before. */
  revalidate(session: bigint, timeout: number, ifFree: boolean, answer: ValidityTaker): void;
  /** Passes a sync on to the leader; syncs are answered in the order in which they come. */
  sync(request: ForeignRequest, answer: () => void): void;
  /** Passes a request on to the leader. */
  forward(request: ForeignRequest): void;
}

export class ObserverMaster implements LearnerMaster {
  readonly host: ObserverMasterHost;
  readonly epoch: number;
  readonly observersOnly = true;
  readonly tellsOfMoves: boolean;
  readonly syncLimits: SyncLimits;
  readonly needSnapshot = new Set<number>();
  readonly learners = new Set<LearnerHandler>();
  /** Where the sessions are that came through here. */
  private readonly owners = new Map<bigint, LearnerHandler>();
  /** Sessions that observers' clients have used, with their timeouts. */
  private touched = new Map<bigint, number>();
  /** Observers that have more than this follower: it waits for the leader's commits. */
  private readonly ahead = new Set<LearnerHandler>();
  private readonly ticker: Timer;
  private readonly standstill: Standstill;
  private ended = false;

  constructor(host: ObserverMasterHost) {
    this.host = host;
    this.syncLimits = new SyncLimits(host.mostSyncs);
    this.epoch = host.currentEpoch;
    this.tellsOfMoves = host.tellsOfMoves;
    this.standstill = new Standstill(host.tickTime, host.runtime.now());
    this.ticker = host.runtime.every(host.tickTime / 2, () => host.guard(() => this.halfTick()));
  }

  /** Takes over a connection at the port for observers, and bytes that came on it already. */
  accept(wire: Wire, first?: Buffer): void {
    const { host } = this;
    if (this.ended) {
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

  /** Only what is committed is told of. */
  get lastProposed(): number {
    return this.host.lastZxid;
  }

  uncommitted(): Iterable<never> {
    return [];
  }

  // ---- synchronization ----

  promise(handler: LearnerHandler): void {
    handler.tellEpoch();
  }

  /** An observer that followed a faster server is not set back: that would undo what its clients have seen. */
  confirm(handler: LearnerHandler): void {
    if (epochOf(handler.peerZxid) === this.epoch && handler.peerZxid > this.host.lastZxid) this.ahead.add(handler);
    else handler.synchronize();
  }

  follow(handler: LearnerHandler): void {
    handler.upToDate();
  }

  acked(): string {
    return 'which observers do not do';
  }

  left(handler: LearnerHandler, reason: string): void {
    this.ahead.delete(handler);
    for (const [session, owner] of this.owners) if (owner === handler) this.owners.delete(session);
    if (!this.learners.delete(handler) || this.ended) return;
    if (handler.id !== undefined) this.host.info(`observer ${handler.id} is gone: ${reason}`);
    else this.host.warn(`a connection from ${handler.address} at the port for observers ended: ${reason}`);
  }

  // ---- broadcast ----

  /** A transaction is committed and applied here; `designated` leads from now on if it is a reconfiguration. */
  committed(zxid: number, entry: Buffer, designated?: number): void {
    for (const learner of [...this.learners]) {
      learner.expect(entry.length);
      if (designated === undefined) learner.commit(zxid, entry);
      else learner.commitAndActivate(zxid, entry, designated);
      if (learner.isBehind(this.host.sizeLimit))
        learner.disconnect(`it is more than ${this.host.sizeLimit} bytes behind`);
    }
    for (const learner of this.ahead) {
      if (learner.peerZxid > zxid) continue;
      this.ahead.delete(learner);
      learner.synchronize();
    }
  }

  private halfTick(): void {
    const { host } = this;
    const now = host.runtime.now();
    const isEarly = this.standstill.isBefore(now);
    for (const learner of [...this.learners]) {
      const limit = host.tickTime * (learner.following ? host.syncLimit : host.initLimit);
      if (now - learner.heardAt > limit && !isEarly) learner.disconnect(`nothing was heard for ${limit} ms`);
      else learner.ping();
    }
  }

  // ---- sessions and requests ----

  touch(session: bigint, timeout: number): void {
    this.touched.set(session, timeout);
  }

  /** The sessions that observers have told of since the last call. */
  takeTouched(): Iterable<readonly [bigint, number]> {
    const { touched } = this;
    this.touched = new Map();
    return touched;
  }

  revalidate(handler: LearnerHandler, session: bigint, timeout: number, ifFree: boolean): void {
    const owner = this.owners.get(session);
    // The leader cannot tell: for it the session is at home on this server. It is asked all the same, to answer in order.
    const taken = ifFree && ((owner !== undefined && owner !== handler) || this.host.holdsSession(session));
    if (!taken) {
      this.owners.set(session, handler);
      this.host.handedOver(session);
    }
    this.host.revalidate(session, timeout, ifFree, (valid, settled) => {
      if (!valid && this.owners.get(session) === handler) this.owners.delete(session);
      handler.answerRevalidation(session, valid && !taken, settled);
    });
  }

  sync(handler: LearnerHandler, request: ForeignRequest): void {
    this.host.sync(request, () => handler.answerSync());
  }

  /**
   * The leader sees one owner for all sessions behind this server, so it is here that requests of a connection which the client has
   * left are found: executed late, they would undo what it does on the next one. Nobody waits for their answers.
   */
  submit(handler: LearnerHandler, request: ForeignRequest): void {
    const { session } = request;
    if (request.op === OpCode.createSession) this.owners.set(session, handler);
    else if (this.host.knowsSession(session) && this.owners.get(session) !== handler) return;
    this.host.forward(request);
  }

  /** A session is closed, or goes on at this server itself. */
  forget(session: bigint): void {
    this.owners.delete(session);
  }

  // ---- the end ----

  /** Lets every observer go. */
  end(reason: string): void {
    if (this.ended) return;
    this.ended = true;
    this.ticker.cancel();
    for (const learner of [...this.learners]) learner.disconnect(reason);
    this.learners.clear();
  }
}
