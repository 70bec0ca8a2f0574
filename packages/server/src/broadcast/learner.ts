// The learner, follower or observer: takes over the leader's history, durably and in a safe order, then logs what is proposed,
// acknowledges what is on disk and applies what is committed. Rules, with their sources: docs/protocol.md, "Learner".

import { OpCode } from '@nodekeeper/protocol';
import type { Identity } from '../request/identity.js';
import type { Runtime, Timer } from '../runtime.js';
import { TXN_HEADER_SIZE, TxnHeaderAt, timeOf, zxidOf } from '../tree/txn-types.js';
import { type Packet, PacketError, PacketType, PROTOCOL_VERSION } from './packet.js';
import type { LinkEvents, PacketLink } from './packet-link.js';
import { EPOCH, EPOCH_LIMIT, epochOf, follows } from './recent-proposals.js';
import { type BodySink, SnapshotReceiver } from './snapshot-stream.js';
import { Standstill } from './standstill.js';
import type { BroadcastStats } from './stats.js';

export interface LearnerHost {
  readonly id: number;
  readonly runtime: Pick<Runtime, 'after' | 'every' | 'now'>;
  readonly observer: boolean;
  readonly tickTime: number;
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly stats: BroadcastStats;
  /** Milliseconds since 1970. */
  readonly wallTime: number;
  readonly acceptedEpoch: number;
  readonly currentEpoch: number;
  /** Durable when it returns. */
  setAcceptedEpoch(epoch: number): void;
  setCurrentEpoch(epoch: number): void;
  /** Of the last transaction that the disk holds. */
  readonly lastZxid: number;
  readonly configVersion: number;
  /** Set where the next try would end alike. */
  endsAlike: boolean;
  /** The largest entry that it believes when it reads its log, in bytes. */
  readonly maxEntry: number;
  /** What is here cannot become the leader's history by what is missing: a snapshot has to come. */
  readonly needsAll: boolean;
  /** Sets {@link needsAll}, and has the same leader followed again. */
  askForAll(): void;
  /** How many transactions told another digest of the tree than it has then. */
  readonly digestMismatches: number;
  /** Of those applied, how many had a digest that was compared. */
  readonly digestComparisons: number;

  /** Empties tree and sessions to be filled by what the leader sends. */
  beginSnapshot(): BodySink;
  /** The snapshot is received, the tree stands at this zxid. */
  snapshotReceived(zxid: number): void;
  /**
   * Makes the received tree the only thing on disk: what was there before must not come back. `done` is called when it is
   * durable.
   */
  saveSnapshot(done: () => void): void;
  /** Cuts the log behind a zxid and rebuilds the tree from disk. `done(false)` where that cannot be done safely. */
  truncate(zxid: number, done: (cut: boolean) => void): void;
  /** Hands an entry to the log; {@link Learner.onDurable} follows. */
  append(entry: Buffer, zxid: number): void;
  /** Calls back when everything appended is durable. */
  flushLog(done: () => void): void;
  /** Applies a committed entry that no client here waits for. */
  apply(entry: Buffer, zxid: number): void;

  /** A configuration came with NEWLEADER; it counts from {@link established} on, if it is committed by then. */
  newLeaderConfig(text: string): void;
  /** The configuration in a reconfiguration's entry is proposed. Durable when it returns. */
  proposeConfig(entry: Buffer): void;
  /** The configuration in the entry is committed. Returns whether this server has to leave its leader for `designated`. */
  activateConfig(entry: Buffer, designated: number): boolean;
  /** The leader is followed: clients may be served. False if it is to be left: this server or the leader has another role now. */
  established(epoch: number): boolean;
  /** Applies a committed entry and answers who waits for it. */
  committed(entry: Buffer, zxid: number): void;
  /** @param settled what this server sent of the session before it asked is committed by now, or never will be */
  validated(session: bigint, valid: boolean, settled: boolean): void;
  synced(): void;
  /** The sessions used since the last call, with their timeouts. */
  takeTouched(): readonly (readonly [bigint, number])[];
  /** Following has ended. */
  ended(reason: string): void;
  /** What can only be wrong data ends the process. */
  guard(action: () => void): void;
  info(message: string): void;
  warn(message: string): void;
}

interface Proposal {
  readonly zxid: number;
  readonly entry: Buffer;
  /** Whether it is the first of an epoch: of the one before it, zxids do not tell what is missing. */
  readonly beginsEpoch: boolean;
}

type State = 'leaderInfo' | 'first' | 'snapshot' | 'synchronizing' | 'acknowledged' | 'serving' | 'ended';

/** Bytes of a session in the answer to a ping. */
const TOUCHED_SIZE = 12;

export class Learner {
  private readonly host: LearnerHost;
  private readonly link: PacketLink;
  private state: State = 'leaderInfo';
  private epoch = 0;
  /** Whether the leader has begun to send its history. */
  synchronized = false;
  /** Whether the leader's history tells of each session that moves. */
  tellsOfMoves = false;
  private bySnapshot = false;
  /**
   * Nothing has shown yet that what is here is what the leader has. Zxids do not: of an epoch's end some may be missing, and where
   * members were started with older copies of their data, two leaders may have had one epoch. Digests do.
   */
  private doubts = false;
  /** The received snapshot holds everything up to here. */
  private held = -1;
  private wantsAll = false;
  private served = false;
  private readonly pending: Proposal[] = [];
  /** Of the last proposal that was received, or the history before it. */
  private lastReceived = 0;
  /** Zxids that were logged as proposals and not acknowledged yet. */
  private toAck: number[] = [];
  /** Sessions that were used, with their timeouts, of which the leader is still to hear. */
  private readonly untold = new Map<bigint, number>();
  private heardAt: number;
  private readonly standstill: Standstill;
  private readonly watchdog: Timer;

  constructor(host: LearnerHost, open: (events: LinkEvents) => PacketLink) {
    this.host = host;
    this.heardAt = host.runtime.now();
    this.standstill = new Standstill(host.tickTime, this.heardAt);
    this.link = open({
      onPacket: (packet) => this.onPacket(packet),
      onRefused: () => {
        host.endsAlike = true; // the leader would send it again
      },
      onClosed: (reason) => this.end(`the connection to the leader ended: ${reason}`),
    });
    this.watchdog = host.runtime.every(host.tickTime / 2, () => host.guard(() => this.checkSilence()));
    this.introduce();
  }

  get serving(): boolean {
    return this.state === 'serving';
  }

  // ---- discovery ----

  // FOLLOWERINFO: acceptedEpoch<<32; long sid, int protocolVersion, long configVersion
  private introduce(): void {
    const { host } = this;
    const info = Buffer.allocUnsafe(20);
    info.writeBigInt64BE(BigInt(host.id), 0);
    info.writeInt32BE(PROTOCOL_VERSION, 8);
    info.writeBigInt64BE(BigInt(host.configVersion), 12);
    this.link.send(host.observer ? PacketType.observerInfo : PacketType.followerInfo, host.acceptedEpoch * EPOCH, info);
  }

  private onPacket(packet: Packet): void {
    this.heardAt = this.host.runtime.now();
    switch (this.state) {
      case 'leaderInfo':
        this.onLeaderInfo(packet);
        break;
      case 'first':
        this.onFirst(packet);
        break;
      case 'synchronizing':
      case 'acknowledged':
        this.onSync(packet);
        break;
      case 'serving':
        this.onSteady(packet);
        break;
    }
  }

  // LEADERINFO: epoch<<32; int protocolVersion[, byte: tells of moves]
  private onLeaderInfo({ type, zxid, data: info }: Packet): void {
    const { host } = this;
    if (type !== PacketType.leaderInfo) {
      this.link.close(`the leader began with packet ${type}`);
      return;
    }
    this.tellsOfMoves = info?.[4] === 1;
    this.epoch = epochOf(zxid);
    if (this.epoch >= EPOCH_LIMIT) {
      this.link.close(`the leader's epoch ${this.epoch} cannot be`);
      return;
    }
    let current = host.currentEpoch;
    if (this.epoch < host.acceptedEpoch) {
      host.endsAlike = true;
      this.link.close(
        `the leader's epoch ${this.epoch} is older than ${host.acceptedEpoch}, which this server has accepted`,
      );
      return;
    }
    if (this.epoch === host.acceptedEpoch)
      current = -1; // counted before
    else host.setAcceptedEpoch(this.epoch);
    const data = Buffer.allocUnsafe(4);
    data.writeInt32BE(current);
    // A server that was counted in this epoch already may ask for everything: it is not counted again.
    this.wantsAll = current === -1 && host.needsAll;
    this.link.send(PacketType.ackEpoch, this.wantsAll ? 0 : host.lastZxid, data);
    this.state = 'first';
  }

  // ---- synchronization ----

  private onFirst({ type, zxid }: Packet): void {
    const { host } = this;
    if (host.needsAll && !this.wantsAll && type !== PacketType.snap) {
      // It was counted in this epoch with what it has; now it may ask.
      host.askForAll();
      this.link.close('what is here cannot become the history of this leader either: all of it is needed');
      return;
    }
    this.synchronized = true;
    switch (type) {
      case PacketType.diff:
        if (this.wantsAll) {
          // The leader's log reaches back to the beginning.
          host.beginSnapshot();
          host.snapshotReceived(0);
          this.bySnapshot = true;
        } else this.doubts = digestsMatch(host);
        this.lastReceived = host.lastZxid;
        this.state = 'synchronizing';
        break;
      case PacketType.trunc:
        host.info(`the leader has this server forget what follows 0x${zxid.toString(16)}`);
        this.link.hold();
        host.truncate(zxid, (cut) => {
          if (this.state === 'ended') return;
          if (!cut) {
            this.link.close(`the log cannot be cut at 0x${zxid.toString(16)}`);
            return;
          }
          this.doubts = digestsMatch(host);
          this.lastReceived = zxid;
          this.state = 'synchronizing';
          this.link.resume();
        });
        break;
      case PacketType.snap:
        this.receiveSnapshot(zxid);
        break;
      default:
        this.synchronized = false;
        this.link.close(`synchronization began with packet ${type}`);
    }
  }

  private receiveSnapshot(zxid: number): void {
    this.host.info(`the leader sends a snapshot, 0x${zxid.toString(16)}`);
    this.state = 'snapshot';
    this.bySnapshot = true;
    this.held = zxid;
    const receiver = new SnapshotReceiver(this.host.beginSnapshot());
    this.link.reader.takeRaw((buf, start, end) => {
      this.heardAt = this.host.runtime.now();
      const at = this.feed(receiver, buf, start, end);
      if (at >= 0) {
        this.host.snapshotReceived(zxid);
        this.lastReceived = zxid;
        this.state = 'synchronizing';
      }
      return at;
    });
  }

  /** Whatever is wrong with a snapshot: what was received of it does not count, and the disk has what was before. */
  private feed(receiver: SnapshotReceiver, buf: Buffer, start: number, end: number): number {
    try {
      return receiver.feed(buf, start, end);
    } catch (e) {
      throw new PacketError(`the leader's snapshot cannot be read: ${(e as Error).message}`);
    }
  }

  private onSync(packet: Packet): void {
    const { type, zxid, data } = packet;
    const known = zxid <= this.held; // Apache's leaders may send again what their snapshot holds
    switch (type) {
      case PacketType.proposal:
        if (!known) this.receive(zxid, data);
        break;
      case PacketType.commit:
        if (!known) this.commitDuringSync(zxid);
        break;
      case PacketType.inform:
        if (!known && this.receive(zxid, data) !== undefined) this.commitDuringSync(zxid);
        break;
      case PacketType.commitAndActivate:
        if (known) break;
        this.commitDuringSync(zxid, designatedIn(data));
        break;
      case PacketType.informAndActivate:
        if (known || data === null || data.length < 8) break;
        if (this.receive(zxid, data.subarray(8)) !== undefined) this.commitDuringSync(zxid, designatedIn(data));
        break;
      case PacketType.newLeader:
        this.onNewLeader(packet);
        break;
      case PacketType.upToDate:
        this.onUpToDate();
        break;
    }
  }

  private receive(zxid: number, data: Buffer | null): Proposal | undefined {
    if (data === null) {
      this.link.close(`proposal 0x${zxid.toString(16)} is empty`);
      return undefined;
    }
    if (data.length < TXN_HEADER_SIZE || zxidOf(data, 0) !== zxid) {
      this.link.close(`proposal 0x${zxid.toString(16)} does not hold the transaction of that number`);
      return undefined;
    }
    if (data.length > this.host.maxEntry) {
      // What it acknowledges it has to be able to read again.
      this.host.endsAlike = true;
      this.link.close(
        `transaction 0x${zxid.toString(16)} has ${data.length} bytes, more than the ${this.host.maxEntry} that this server would read again from its log: set jute.maxbuffer as high as at the leader`,
      );
      return undefined;
    }
    const type = data.readInt32BE(TxnHeaderAt.type);
    if (zxid === this.lastReceived && type === OpCode.error) return undefined; // 3.9 proposes some errors so; they never commit
    if (!follows(zxid, this.lastReceived)) {
      // A leader with a hole in its log sends the same next time, but not to who asks for everything.
      if (this.wantsAll) this.host.endsAlike = true;
      else if (this.state !== 'serving') this.host.askForAll();
      this.link.close(
        `proposal 0x${zxid.toString(16)} came after 0x${this.lastReceived.toString(16)}: something is missing`,
      );
      return undefined;
    }
    const proposal = { zxid, entry: Buffer.from(data), beginsEpoch: zxid !== this.lastReceived + 1 };
    this.lastReceived = zxid;
    this.pending.push(proposal);
    return proposal;
  }

  private commitDuringSync(zxid: number, designated?: number): void {
    const { host } = this;
    const head = this.pending[0];
    if (head === undefined || head.zxid !== zxid) {
      this.link.close(`commit of 0x${zxid.toString(16)} during synchronization, which was not proposed`);
      return;
    }
    this.pending.shift();
    // Up to NEWLEADER a snapshot takes it along.
    if (!this.bySnapshot) host.append(head.entry, zxid);
    const { digestMismatches, digestComparisons } = host;
    host.apply(head.entry, zxid);
    // Apache's leaders can leave out what came to them while they learned, as their memory of recent transactions does not have it.
    this.doubts ||= head.beginsEpoch;
    if (this.doubts && !this.goesOn(zxid, digestMismatches, digestComparisons)) return;
    if (designated !== undefined && host.activateConfig(head.entry, designated)) this.leave(designated);
  }

  /**
   * Whether a transaction that was applied goes on from the tree that was here before, as far as its digest tells; errors have none.
   * `mismatches` and `comparisons` are how many there were before.
   */
  private goesOn(zxid: number, mismatches: number, comparisons: number): boolean {
    const { host } = this;
    if (host.digestMismatches > mismatches) {
      host.askForAll();
      this.link.close(
        `by its digest 0x${zxid.toString(16)} follows on another tree: transactions before it are missing, or were others`,
      );
      return false;
    }
    if (host.digestComparisons > comparisons) this.doubts = false;
    return true;
  }

  /** Everything received is made durable, then the epoch is written, then the leader is told: in this order nothing is lost. */
  private onNewLeader({ zxid, data }: Packet): void {
    const { host } = this;
    if (this.state !== 'synchronizing') return;
    if (data !== null && data.length > 1) host.newLeaderConfig(data.toString('utf8'));
    this.link.hold();
    const finish = (): void => {
      if (this.state === 'ended') return;
      host.setCurrentEpoch(this.epoch);
      this.bySnapshot = false;
      this.state = 'acknowledged';
      this.link.send(PacketType.ack, zxid);
      this.link.resume();
    };
    if (this.bySnapshot) host.saveSnapshot(finish);
    else host.flushLog(finish);
  }

  private onUpToDate(): void {
    if (this.state !== 'acknowledged') {
      this.link.close('the leader serves before this server has followed');
      return;
    }
    this.state = 'serving';
    this.link.send(PacketType.ack, this.epoch * EPOCH);
    if (!this.host.established(this.epoch)) {
      this.link.close('this server has another role, or its leader has, by reconfiguration');
      return;
    }
    this.served = true;
    for (const proposal of this.pending) this.logProposal(proposal);
  }

  // ---- broadcast ----

  private onSteady(packet: Packet): void {
    const { host } = this;
    const { type, zxid, data } = packet;
    switch (type) {
      case PacketType.proposal: {
        const proposal = this.receive(zxid, data);
        if (proposal === undefined) break;
        host.stats.onProposalReceived(timeOf(proposal.entry, 0), host.wallTime);
        this.logProposal(proposal);
        break;
      }
      case PacketType.commit:
        this.commit(zxid);
        break;
      case PacketType.commitAndActivate:
        this.commit(zxid, designatedIn(data));
        break;
      case PacketType.informAndActivate: {
        const proposal = data === null || data.length < 8 ? undefined : this.receive(zxid, data.subarray(8));
        if (proposal === undefined) return;
        host.append(proposal.entry, zxid);
        this.commit(zxid, designatedIn(data));
        break;
      }
      case PacketType.inform: {
        const proposal = this.receive(zxid, data);
        if (proposal === undefined) return;
        host.append(proposal.entry, zxid);
        this.commit(zxid);
        break;
      }
      case PacketType.ping:
        this.answerPing(zxid);
        break;
      case PacketType.revalidate:
        if (data !== null && data.length >= 9) host.validated(data.readBigInt64BE(0), data[8] !== 0, data.length > 9);
        break;
      case PacketType.sync:
        host.synced();
        break;
      default:
        host.warn(`the leader sent packet ${type}, which does not belong here`);
    }
  }

  private logProposal({ zxid, entry }: Proposal): void {
    if (entry.readInt32BE(TxnHeaderAt.type) === OpCode.reconfig) this.host.proposeConfig(entry);
    this.toAck.push(zxid);
    this.host.append(entry, zxid);
  }

  private commit(zxid: number, designated?: number): void {
    const head = this.pending[0];
    if (head === undefined) {
      this.host.warn(`the leader commits 0x${zxid.toString(16)}, but nothing is proposed`);
      return;
    }
    if (head.zxid !== zxid)
      throw new PacketError(`the leader commits 0x${zxid.toString(16)}, next is 0x${head.zxid.toString(16)}`);
    const { host } = this;
    host.stats.onCommitReceived(timeOf(head.entry, 0), host.wallTime);
    const leave = designated !== undefined && host.activateConfig(head.entry, designated);
    this.pending.shift();
    const { digestMismatches, digestComparisons } = host;
    host.committed(head.entry, zxid);
    if (this.doubts && !this.goesOn(zxid, digestMismatches, digestComparisons)) return;
    if (leave) this.leave(designated);
  }

  private leave(designated: number): void {
    this.link.close(`server ${designated} leads from now on, or this server has another role, by reconfiguration`);
  }

  /** The log holds everything up to a zxid. */
  onDurable(zxid: number): void {
    if (this.state !== 'serving') return;
    let n = 0;
    while (n < this.toAck.length && (this.toAck[n] as number) <= zxid) {
      this.link.send(PacketType.ack, this.toAck[n] as number);
      n++;
    }
    if (n > 0) this.toAck = this.toAck.slice(n);
  }

  // per session: long id, int timeout
  private answerPing(zxid: number): void {
    const touched = this.nextTouched();
    const data = Buffer.allocUnsafe(TOUCHED_SIZE * touched.length);
    touched.forEach(([id, timeout], i) => {
      data.writeBigInt64BE(id, TOUCHED_SIZE * i);
      data.writeInt32BE(timeout, TOUCHED_SIZE * i + 8);
    });
    this.link.send(PacketType.ping, zxid, data);
  }

  /** As many as a leader takes in a packet, Apache's too; the others come with the next ping. */
  private nextTouched(): readonly (readonly [bigint, number])[] {
    const { host, untold } = this;
    const most = Math.floor(host.maxEntry / TOUCHED_SIZE);
    const touched = host.takeTouched();
    if (untold.size === 0 && touched.length <= most) return touched;
    for (const [id, timeout] of touched) untold.set(id, timeout);
    const told: (readonly [bigint, number])[] = [];
    for (const session of untold) {
      if (told.length === most) break;
      told.push(session);
      untold.delete(session[0]);
    }
    return told;
  }

  // ---- requests ----

  request(session: bigint, cxid: number, op: number, body: Buffer, identities: readonly Identity[] | null): void {
    this.link.sendRequest(session, cxid, op, body, identities);
  }

  // long id, int timeout[, byte: not from another server; Apache's leaders do not read it]
  revalidate(session: bigint, timeout: number, ifFree: boolean): void {
    const data = Buffer.alloc(ifFree ? 13 : 12, 1);
    data.writeBigInt64BE(session);
    data.writeInt32BE(timeout, 8);
    this.link.send(PacketType.revalidate, -1, data);
  }

  // ---- the end ----

  private checkSilence(): void {
    const { host } = this;
    const now = host.runtime.now();
    if (this.standstill.isBefore(now)) return;
    if (this.link.reader.held) return; // it is this server that is busy
    const limit =
      host.tickTime * (this.state === 'serving' || this.state === 'acknowledged' ? host.syncLimit : host.initLimit);
    if (now - this.heardAt > limit) this.link.close(`nothing was heard for ${limit} ms`);
  }

  /** Stops following. */
  close(reason: string): void {
    this.link.close(reason);
  }

  private end(reason: string): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.watchdog.cancel();
    this.host.ended(reason);
  }

  /** Proposals that were handed to the log and are not committed. */
  get loggedUncommitted(): readonly Proposal[] {
    return this.served ? this.pending : [];
  }
}

/** Whether none has told otherwise: Apache's servers digest other paths where Java's charset is ASCII. */
function digestsMatch(host: LearnerHost): boolean {
  return host.digestMismatches === 0;
}

/** The server that leads after a reconfiguration: long. */
function designatedIn(data: Buffer | null): number {
  return data === null || data.length < 8 ? -1 : Number(data.readBigInt64BE(0));
}
