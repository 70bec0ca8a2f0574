// The master's side of one learner: handshake, synchronization, then proposals and commits out, acks and requests in.

import { JuteReader, OpCode } from '@nodekeeper/protocol';
import type { SessionOwner } from '../request/client.js';
import { Flow } from './flow.js';
import type { LearnerMaster, LogCursor } from './learner-master.js';
import { type Packet, PacketType, PROTOCOL_VERSION } from './packet.js';
import type { LinkEvents, PacketLink } from './packet-link.js';
import { counterOf, EPOCH, EPOCH_LIMIT, epochOf, follows } from './recent-proposals.js';
import type { SyncKind } from './sync-limits.js';
import { planSync } from './sync-plan.js';

/** An election takes one epoch: who claims to be so many ahead is no member, and would use up those that there are. */
const MOST_EPOCHS_AHEAD = 100_000;

type State =
  | 'introducing'
  | 'promised'
  | 'told'
  | 'summarized'
  | 'synchronizing'
  | 'newLeader'
  | 'following'
  | 'closed';

/** Connections that have not said whose they are: more than learners that come at the same moment. */
const MOST_SILENT = 1000;

/** A learner says at once who it is: of very many that say nothing, the one that came first goes. To be called before one is added. */
export function letSilentGo(learners: Iterable<LearnerHandler>): void {
  const silent = [...learners].filter(({ id }) => id === undefined);
  if (silent.length >= MOST_SILENT) silent[0]?.disconnect('it did not say whose it is, and very many others came');
}

const NOBODY = 0n;
/** Transactions that are passed over in one turn: those of 100 KB take some milliseconds. */
const SEARCHED_AT_ONCE = 16;

export class LearnerHandler implements SessionOwner {
  private readonly master: LearnerMaster;
  private readonly link: PacketLink;
  private state: State = 'introducing';
  /** Its server id, once it has told it. */
  id: number | undefined;
  participates = false;
  /** The configuration that it has. */
  private configVersion = 0;
  acceptedEpoch = 0;
  peerEpoch = -1;
  peerZxid = -1;
  /** Everything up to here is on its disk. */
  acked = -1;
  heardAt: number;
  /** The last that was proposed to it since it follows, and the one of which the acknowledgement is watched for. */
  private lastProposal = -1;
  private watched = -1;
  private watchedSince = 0;
  /** When it acknowledged the leader's history. */
  followsSince = 0;
  readonly connectedAt: number;
  packetsReceived = 0;
  requests = 0;
  /** Gets proposals and commits; `lastQueued` is the last transaction that it was sent. */
  private registered = false;
  private lastQueued = 0;
  /** Answers that wait for a transaction to be committed, oldest first. */
  private readonly waiting: { readonly zxid: number; readonly answer: () => void }[] = [];
  /** It was told that it may serve. */
  private serves = false;
  private pingsSent = 0;
  private pingsAnswered = 0;
  private flow: Flow | undefined;
  /** How it is being brought up to date. */
  private syncing: SyncKind | undefined;
  /** Bytes of its synchronization that it may not have taken yet. */
  private backlog = 0;
  /** Of the largest transaction that it may not have taken yet. */
  private largest = 0;
  /** It came with transactions of this epoch that were never proposed in it: another leader had the same one. */
  isForeign = false;

  constructor(master: LearnerMaster, open: (events: LinkEvents) => PacketLink) {
    this.master = master;
    this.heardAt = master.host.runtime.now();
    this.connectedAt = this.heardAt;
    this.link = open({
      onPacket: (packet) => this.onPacket(packet),
      onDrain: () => {
        this.heardAt = master.host.runtime.now(); // it takes what it is sent: a snapshot may take longer than any limit
        this.flow?.pump();
      },
      onClosed: (reason) => {
        this.state = 'closed';
        this.flow?.stop();
        this.endSync();
        master.left(this, reason);
      },
    });
    this.link.trace = master.host.newTrace?.();
  }

  /** Takes bytes that were read from the connection before. */
  feed(chunk: Buffer): void {
    this.link.feed(chunk);
  }

  get address(): string {
    return this.link.remoteAddress;
  }

  get remote(): string {
    return this.link.remote;
  }

  get synced(): boolean {
    return this.registered;
  }

  get unsent(): number {
    return this.link.unsent;
  }

  /** A transaction of so many bytes comes next for it. */
  expect(bytes: number): void {
    this.largest = this.untaken === 0 ? bytes : Math.max(this.largest, bytes);
  }

  /**
   * Whether it has not taken more than `limit` bytes of what came after its synchronization. The largest transaction does not count,
   * which may be more than that by itself.
   */
  isBehind(limit: number): boolean {
    return this.untaken > limit + this.largest;
  }

  private get untaken(): number {
    const { queued } = this.link;
    this.backlog = Math.min(this.backlog, queued);
    return queued - this.backlog;
  }

  get packetsSent(): number {
    return this.link.packetsSent;
  }

  get lastZxid(): number {
    return this.link.lastZxid;
  }

  /** Answers that it is given once a transaction is committed. */
  get pendingSyncs(): number {
    return this.waiting.length;
  }

  resetCounts(): void {
    this.packetsReceived = 0;
    this.requests = 0;
    this.link.resetCounts();
  }

  get introduced(): boolean {
    return this.state === 'promised';
  }

  get summarized(): boolean {
    return this.state === 'summarized';
  }

  get closed(): boolean {
    return this.state === 'closed';
  }

  /** Whether it has acknowledged the leader's history. */
  get following(): boolean {
    return this.state === 'following';
  }

  /** A session that it owns is closed or goes on elsewhere: the learner hears of that by itself. */
  close(): void {}

  disconnect(reason: string): void {
    if (this.state !== 'closed') this.link.close(reason);
  }

  private onPacket(packet: Packet): void {
    this.heardAt = this.master.host.runtime.now();
    this.packetsReceived++;
    switch (this.state) {
      case 'introducing':
        this.introduce(packet);
        break;
      case 'told':
        this.summarize(packet);
        break;
      case 'newLeader':
        this.onNewLeaderAck(packet);
        break;
      case 'following':
        this.onSteady(packet);
        break;
      default:
        if (packet.type !== PacketType.ping) this.link.close(`packet ${packet.type} out of place`);
    }
  }

  // LearnerInfo: long sid[, int protocolVersion[, long configVersion]]
  private introduce({ type, zxid, data }: Packet): void {
    if (type !== PacketType.followerInfo && type !== PacketType.observerInfo) {
      this.link.close(`it did not introduce itself but sent packet ${type}`);
      return;
    }
    if (type === PacketType.followerInfo && this.master.observersOnly) {
      this.link.close('it wants to follow: a follower serves observers only');
      return;
    }
    if (data === null || data.length < 8) {
      this.link.close('an introduction without id');
      return;
    }
    const r = new JuteReader(data);
    const id = r.long53();
    const version = data.length >= 12 ? r.int() : 0;
    if (version < PROTOCOL_VERSION) {
      this.link.close(`server ${id} speaks version ${version}: 3.4 or newer is needed`);
      return;
    }
    this.configVersion = data.length >= 20 ? r.long53() : 0;
    if (this.configVersion > this.master.host.configVersion) {
      this.link.close(`server ${id} has a newer configuration than this one`);
      return;
    }
    if (id === this.master.host.id) {
      this.link.close(`server ${id} says it is this one: two servers have the same id, see their myid files`);
      return;
    }
    this.id = id;
    this.participates = type === PacketType.followerInfo;
    this.acceptedEpoch = epochOf(zxid);
    const most = Math.min(EPOCH_LIMIT - 2, this.master.host.acceptedEpoch + MOST_EPOCHS_AHEAD);
    if (this.acceptedEpoch > most) {
      this.link.close(`server ${id} has accepted epoch ${this.acceptedEpoch}, which cannot be`);
      return;
    }
    this.state = 'promised';
    this.master.promise(this);
  }

  // LEADERINFO: epoch<<32; int protocolVersion[, byte: tells of moves; Apache's learners do not read it]
  tellEpoch(): void {
    const data = Buffer.allocUnsafe(5);
    data.writeInt32BE(PROTOCOL_VERSION);
    data[4] = this.master.tellsOfMoves ? 1 : 0;
    this.link.send(PacketType.leaderInfo, this.master.epoch * EPOCH, data);
    this.state = 'told';
  }

  // ACKEPOCH: its last zxid; data: int currentEpoch, -1 if it had accepted the epoch before
  private summarize({ type, zxid, data }: Packet): void {
    if (type !== PacketType.ackEpoch || data === null || data.length < 4) {
      this.link.close(`it did not acknowledge the epoch but sent packet ${type}`);
      return;
    }
    this.peerEpoch = data.readInt32BE(0);
    this.peerZxid = zxid;
    this.state = 'summarized';
    this.master.confirm(this);
  }

  // ---- synchronization ----

  synchronize(): void {
    const { host } = this.master;
    this.state = 'synchronizing';
    const bySnapshot = this.id !== undefined && this.master.needSnapshot.delete(this.id);
    this.isForeign = epochOf(this.peerZxid) === this.master.epoch && this.peerZxid > this.master.lastProposed;
    if (this.isForeign) {
      host.warn(
        `server ${this.id} has 0x${this.peerZxid.toString(16)}, which was never proposed in this epoch: another leader had the same one. A member was started with an older copy of its data, or without; what was acknowledged then and is not here is lost`,
      );
    }
    const plan =
      host.forceSnapshotSync || bySnapshot || this.isForeign
        ? ({ kind: 'snap' } as const)
        : planSync(this.peerZxid, host.lastZxid, host.recent, host.logAllowed);
    const told = `server ${this.id} (last zxid 0x${this.peerZxid.toString(16)}) is brought up to date`;
    switch (plan.kind) {
      case 'diff':
        if (!this.beginSync('diff')) return;
        host.info(`${told} by the transactions after it`);
        this.link.send(PacketType.diff, host.recent.max ?? host.lastZxid);
        this.sendRecent(plan.after);
        this.register('diff');
        break;
      case 'trunc':
        if (!this.beginSync('diff')) return;
        host.info(`${told}: it has to forget what follows 0x${plan.after.toString(16)}`);
        this.link.send(PacketType.trunc, plan.after);
        this.sendRecent(plan.after);
        this.register('diff');
        break;
      case 'log':
        this.sendLog(plan.after, told);
        break;
      case 'snap':
        this.sendSnapshot(told);
    }
  }

  /** Participants are never refused: the quorum needs them. */
  private beginSync(kind: SyncKind): boolean {
    if (!this.master.syncLimits.begin(kind, this.participates)) {
      this.link.close(`too many learners are being brought up to date by a ${kind}: it has to come again`);
      return false;
    }
    this.syncing = kind;
    return true;
  }

  private endSync(): void {
    if (this.syncing !== undefined) this.master.syncLimits.end(this.syncing);
    this.syncing = undefined;
  }

  private sendRecent(after: number): void {
    this.lastQueued = after;
    for (const { zxid, entry } of this.master.host.recent.after(after)) this.sendCommitted(zxid, entry);
  }

  private sendCommitted(zxid: number, entry: Buffer): void {
    this.link.send(PacketType.proposal, zxid, entry);
    this.link.send(PacketType.commit, zxid);
    this.lastQueued = zxid;
  }

  /** From here on it gets everything new. NEWLEADER goes before outstanding proposals: 3.8.0 fails otherwise (ZOOKEEPER-4394). */
  private register(by: 'diff' | 'snapshot'): void {
    const { master } = this;
    master.host.stats.onCaughtUp(by);
    this.state = 'newLeader';
    this.registered = true;
    const config = master.host.configText();
    this.link.send(PacketType.newLeader, master.epoch * EPOCH, Buffer.from(config));
    this.backlog = this.link.queued;
    if (!this.participates) return;
    for (const { zxid, entry } of master.uncommitted()) {
      if (zxid > this.lastQueued) this.proposal(zxid, entry);
    }
  }

  private sendLog(after: number, told: string): void {
    const { host } = this.master;
    const cursor = host.logAfter(after);
    if (cursor === undefined) {
      this.sendSnapshot(told);
      return;
    }
    // The cursor begins at or before the learner's last transaction, which shows whether that is one of the leader's. Until it comes
    // there others have their turns: a log can be as long as what is written between two snapshots.
    let known = -1;
    const search = new Flow(
      host.runtime,
      (action) => host.guard(action),
      this.link,
      () => {
        const entry = cursor.next();
        if (entry !== undefined && entry.zxid <= after) {
          known = entry.zxid;
          return true;
        }
        search.onEnd = () => {};
        this.sendLogFrom(cursor, entry, known, after, told);
        return false;
      },
      SEARCHED_AT_ONCE,
    );
    this.flow = search;
    search.onEnd = () => cursor.close();
    search.pump();
  }

  /**
   * @param from the first transaction in the log that the learner does not have
   * @param known the last one before it, -1 if there is none
   */
  private sendLogFrom(
    cursor: LogCursor,
    from: { readonly zxid: number; readonly entry: Buffer } | undefined,
    known: number,
    after: number,
    told: string,
  ): void {
    const { host } = this.master;
    const epochStart = counterOf(after) === 0;
    const sameEpoch = from !== undefined && epochOf(from.zxid) === epochOf(after);
    if (from === undefined || known === -1 || (known !== after && !epochStart && !sameEpoch)) {
      cursor.close();
      this.sendSnapshot(told);
      return;
    }
    if (!this.beginSync('diff')) {
      cursor.close();
      return;
    }
    host.info(`${told} from the log on disk`);
    if (known === after || epochStart) {
      this.link.send(PacketType.diff, host.recent.max ?? host.lastZxid);
      this.lastQueued = after;
    } else {
      this.link.send(PacketType.trunc, known);
      this.lastQueued = known;
    }
    this.followLog(cursor, from, this.lastQueued);
  }

  /** Sends from the log at the learner's pace until the recent transactions take over. */
  private followLog(cursor: LogCursor, first: { readonly zxid: number; readonly entry: Buffer }, known: number): void {
    const { host } = this.master;
    let next: typeof first | undefined = first;
    let last = known;
    this.flow = new Flow(
      host.runtime,
      (action) => host.guard(action),
      this.link,
      () => {
        const { min } = host.recent;
        next ??= cursor.next();
        if (cursor.damaged) return this.broken();
        // What a follower's log has beyond is not committed.
        if (next !== undefined && next.zxid < (min ?? host.lastZxid + 1)) {
          if (!this.goesOn(next.zxid, last)) return this.broken();
          this.sendCommitted(next.zxid, next.entry);
          last = next.zxid;
          next = undefined;
          return true;
        }
        // The log has come to where memory begins, or it ends; nothing may be missing between them.
        if (min === undefined ? last !== host.lastZxid : last < min && !this.goesOn(min, last)) return this.broken();
        this.sendRecent(this.lastQueued);
        this.register('diff');
        return false;
      },
    );
    this.flow.onEnd = () => cursor.close();
    this.flow.pump();
  }

  /**
   * Whether nothing is missing between two transactions. What ended an epoch may be in a snapshot only: Apache's servers keep their
   * older logs beside one that they receive.
   */
  private goesOn(zxid: number, last: number): boolean {
    if (!follows(zxid, last)) return false;
    return zxid === last + 1 || !this.master.host.holdsBetween(last, zxid);
  }

  /** What was sent so far is right, but it cannot go on: a snapshot is the first that the learner gets when it comes again. */
  private broken(): false {
    if (this.id !== undefined) this.master.needSnapshot.add(this.id);
    this.link.close('transactions that it needs are missing in the log on disk');
    return false;
  }

  private sendSnapshot(told: string): void {
    const { host } = this.master;
    if (!this.beginSync('snapshot')) return;
    host.info(`${told} by a snapshot`);
    const body = host.snapshotBody();
    this.link.send(PacketType.snap, body.zxid);
    this.lastQueued = body.zxid;
    this.link.cork();
    this.register('snapshot');
    this.flow = Flow.ofBody(host.runtime, (action) => host.guard(action), this.link, body);
    this.flow.onEnd = () => {
      body.end();
      this.link.uncork();
    };
    this.flow.pump();
  }

  private onNewLeaderAck(packet: Packet): void {
    if (packet.type === PacketType.ping) return;
    if (packet.type !== PacketType.ack) {
      this.link.close(`it did not acknowledge the leader but sent packet ${packet.type}`);
      return;
    }
    // 3.8 may acknowledge what it was sent in the synchronization before it acknowledges the leader (ZOOKEEPER-4685).
    if (counterOf(packet.zxid) !== 0) {
      const isOfEpoch = epochOf(packet.zxid) === this.master.epoch && packet.zxid <= this.master.lastProposed;
      if (isOfEpoch) this.acked = Math.max(this.acked, packet.zxid);
      return;
    }
    if (epochOf(packet.zxid) !== this.master.epoch) {
      this.link.close(`it acknowledged epoch ${epochOf(packet.zxid)}`);
      return;
    }
    this.endSync();
    this.state = 'following';
    this.followsSince = this.heardAt;
    this.master.follow(this);
  }

  /** It may serve its clients. */
  upToDate(): void {
    this.serves = true;
    this.heardAt = this.master.host.runtime.now();
    this.link.send(PacketType.upToDate, -1);
  }

  // ---- broadcast ----

  proposal(zxid: number, entry: Buffer): void {
    if (!this.registered || !this.participates) return;
    this.link.send(PacketType.proposal, zxid, entry);
    this.lastQueued = zxid;
    if (this.state === 'following') this.lastProposal = zxid;
  }

  commit(zxid: number, entry: Buffer): void {
    if (!this.registered) return;
    if (this.participates) this.link.send(PacketType.commit, zxid);
    else if (zxid > this.lastQueued) this.link.send(PacketType.inform, zxid, entry);
  }

  /** A reconfiguration is committed; `designated` leads from now on. */
  commitAndActivate(zxid: number, entry: Buffer, designated: number): void {
    if (!this.registered) return;
    const head = Buffer.allocUnsafe(8);
    head.writeBigInt64BE(BigInt(designated));
    if (this.participates) this.link.send(PacketType.commitAndActivate, zxid, head);
    else if (zxid > this.lastQueued) this.link.send(PacketType.informAndActivate, zxid, Buffer.concat([head, entry]));
  }

  /** Gives the answers that waited for a transaction. */
  answerWaiting(committed: number): void {
    while (this.waiting[0] !== undefined && this.waiting[0].zxid <= committed) this.waiting.shift()?.answer();
  }

  /** Gives an answer once a transaction is committed; answers have to be given in the order of their zxids. */
  answerAfter(zxid: number, answer: () => void): void {
    this.waiting.push({ zxid, answer });
  }

  /**
   * Whether a proposal was not acknowledged for longer than `limit` milliseconds; one at a time is watched. A follower that lives but
   * does not write its log holds nothing up while others do, but everything that it is sent gathers in its memory.
   */
  owesAck(now: number, limit: number): boolean {
    if (this.watched <= this.acked) {
      this.watched = this.lastProposal;
      this.watchedSince = now;
    }
    return this.watched > this.acked && now - this.watchedSince > limit;
  }

  ping(): void {
    if (!this.registered) return;
    if (this.serves) this.pingsSent++; // before, they are not answered
    this.link.send(PacketType.ping, this.master.lastProposed);
  }

  /** Whether it has answered every ping: then everything that it sent before it got the last one has come. */
  get answered(): boolean {
    return this.pingsSent === this.pingsAnswered;
  }

  private onSteady(packet: Packet): void {
    switch (packet.type) {
      case PacketType.ack: {
        if (counterOf(packet.zxid) === 0 || packet.zxid <= this.acked) return;
        const problem = this.master.acked(this, packet.zxid);
        if (problem !== undefined) this.link.close(`it acknowledged 0x${packet.zxid.toString(16)}, ${problem}`);
        break;
      }
      case PacketType.ping:
        this.pingsAnswered++;
        this.touch(packet.data);
        break;
      case PacketType.revalidate:
        this.revalidate(packet.data);
        break;
      case PacketType.request:
        this.request(packet);
        break;
      default:
        this.master.host.warn(`server ${this.id} sent packet ${packet.type}, which is not known`);
    }
  }

  // per session: long id, int timeout
  private touch(data: Buffer | null): void {
    if (data === null) return;
    for (let at = 0; at + 12 <= data.length; at += 12) {
      this.master.touch(data.readBigInt64BE(at), data.readInt32BE(at + 8));
    }
  }

  // long id, int timeout[, byte: not from another server]
  private revalidate(data: Buffer | null): void {
    if (data === null || data.length < 12) return;
    this.master.host.stats.onRevalidation();
    this.master.revalidate(this, data.readBigInt64BE(0), data.readInt32BE(8), data.length > 12);
  }

  // long id, boolean valid[, byte: settled; Apache's learners do not read it]
  /**
   * Answers whether a session is alive.
   * @param settled everything that the learner sent of it before it asked is committed by now, or never will be
   */
  answerRevalidation(id: bigint, valid: boolean, settled: boolean): void {
    const answer = Buffer.alloc(settled ? 10 : 9, 1);
    answer.writeBigInt64BE(id);
    answer[8] = valid ? 1 : 0;
    this.link.send(PacketType.revalidate, -1, answer);
  }

  /** Answers the oldest sync. */
  answerSync(): void {
    this.link.send(PacketType.sync, 0);
  }

  // long session, int cxid, int opcode, body
  private request({ data, identities, leftOut }: Packet): void {
    if (data === null || data.length < 16) {
      this.link.close('a request without its head');
      return;
    }
    const session = data.readBigInt64BE(0);
    const cxid = data.readInt32BE(8);
    this.requests++;
    const op = data.readInt32BE(12);
    if (leftOut > 0)
      this.master.host.warn(
        `a request of ${leftOut} bytes through server ${this.id} fails, being larger than is taken here: set jute.maxbuffer as high as there`,
      );
    const request = { owner: this, session, cxid, op, body: data.subarray(16), identities };
    if (op === OpCode.sync) this.master.sync(this, request);
    else if (session !== NOBODY) this.master.submit(this, request);
  }
}
