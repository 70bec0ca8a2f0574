// Writes where transactions are made: on a standalone server and on the leader. A request is judged, gets its zxid, and is
// proposed; what is committed is applied and answered in zxid order.

import { ErrorCode, OpCode } from '@nodekeeper/protocol';
import type { Session, SessionTable } from '../session/session-table.js';
import type { DataTree, Expired } from '../tree/data-tree.js';
import type { Client, SessionOwner } from './client.js';
import { makesEphemeral } from './decode.js';
import { PendingWrite, type WaitingRead } from './fifo.js';
import type { Identity } from './identity.js';
import type { Preparer } from './prepare.js';
import { type ProcessorHooks, type ProcessorOptions, RequestProcessor } from './processor.js';
import type { Reads } from './reads.js';

/** Where transactions go; {@link OriginatingProcessor.commit} is called when they are committed. */
export interface Proposals {
  /** Takes over the entry `buf[0, length)` of the write, setting where it will be found when it is committed. */
  propose(write: PendingWrite, buf: Buffer, length: number): void;
  /** Whether they tell of each session whose client comes to a connection again: other servers may have an older one. */
  readonly tellsOfMoves: boolean;
}

/** A request that came through another server. */
export interface ForeignRequest {
  readonly owner: SessionOwner;
  readonly session: bigint;
  readonly cxid: number;
  readonly op: number;
  readonly body: Buffer;
  readonly identities: readonly Identity[];
}

/** Expired sessions and ephemerals of theirs that are done with at once: some tens of milliseconds of work. */
const MOST_EXPIRED = 5000;
/** The author of what no session asks for. */
const NOBODY = { idHi: 0, idLo: 0 };
/** The number of a transaction that tells of a move: none that a client's request has. */
const MOVE = -(2 ** 31);

export class OriginatingProcessor extends RequestProcessor {
  private readonly preparer: Preparer;
  private readonly proposals: Proposals;
  private firstCommit: PendingWrite | null = null;
  private lastCommit: PendingWrite | null = null;
  private readonly probes: { readonly zxid: number; readonly done: () => void }[] = [];
  private readonly syncs: { readonly client: Client; readonly request: WaitingRead; readonly zxid: number }[] = [];

  /** The zxid given out last. */
  lastZxid: number;

  constructor(
    tree: DataTree,
    sessions: SessionTable<SessionOwner>,
    preparer: Preparer,
    reads: Reads,
    proposals: Proposals,
    hooks: ProcessorHooks,
    options: ProcessorOptions,
  ) {
    super(tree, sessions, reads, hooks, options);
    this.preparer = preparer;
    this.proposals = proposals;
    this.lastZxid = tree.lastProcessedZxid;
  }

  protected submitWrite(
    client: Client,
    session: Session<SessionOwner>,
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
  ): number {
    const zxid = ++this.lastZxid;
    const { preparer } = this;
    let error: number = ErrorCode.Ok;
    if (op === OpCode.closeSession) {
      this.sessions.startClosing(session);
      preparer.prepareCloseSession(session.id, session, xid, zxid, this.wallTime);
    } else if (session.closing) {
      error = ErrorCode.SessionExpired;
      preparer.prepareError(error, session, xid, zxid, this.wallTime);
    } else {
      const body = this.reader.reset(buf, start, end);
      error = preparer.prepare(op, body, session, client.identities, xid, zxid, this.wallTime);
    }
    const write = new PendingWrite(client, xid, op, zxid, error, this.now);
    write.path = preparer.path;
    write.identities = client.identities;
    if (this.keepsRequests) write.request = Buffer.from(buf.subarray(start, end));
    if (op === OpCode.multi && error === ErrorCode.Ok) write.multiTypes = preparer.multiTypes;
    this.enqueue(client, write);
    this.propose(write);
    return preparer.entry.pos;
  }

  protected createGlobalSession(client: Client, id: bigint, timeout: number): void {
    const session = this.sessions.track(id, timeout, this.now);
    session.owner = client;
    client.session = session;
    this.proposeSession(client, session, timeout);
  }

  private proposeSession(client: Client | null, session: Session<SessionOwner>, timeout: number): void {
    const zxid = ++this.lastZxid;
    this.preparer.prepareCreateSession(session, timeout, zxid, this.wallTime);
    const write = new PendingWrite(client, 0, OpCode.createSession, zxid, ErrorCode.Ok, this.now);
    this.propose(write);
  }

  protected makeGlobal(session: Session<SessionOwner>): void {
    session.local = false;
    this.proposeSession(null, session, session.timeout);
  }

  protected revalidateGlobal(client: Client, id: bigint, timeout: number, ifFree: boolean): void {
    const session = this.sessions.get(id);
    if (session?.closing === true) {
      // It is over when its end is committed, which without a quorum may never be: until then nobody is told so.
      client.close('the session is being closed');
      return;
    }
    const taken = ifFree && session?.owner !== undefined && session.owner !== client && !session.owner.closed;
    if (session === undefined || taken) {
      client.revalidated(false);
      return;
    }
    session.timeout = timeout;
    this.sessions.touch(session, this.now);
    session.owner = client;
    client.session = session;
    if (ifFree || !this.proposals.tellsOfMoves) {
      client.revalidated(true);
      return;
    }
    this.tellOfMove(session, () => {
      if (!client.closed) client.revalidated(true);
    });
  }

  /**
   * Has the history tell that a session's client has come, before it is answered: servers that keep an older connection of it let that
   * go, also where they hear of it from a later leader only. What the client had sent there would otherwise be done after what it has
   * done, or seen, since. It is an error that nobody waits for, as Apache's servers know no such transaction.
   */
  tellOfMove(session: Session<SessionOwner>, done: () => void = () => {}): void {
    this.proposeNothing(session, MOVE, done);
  }

  /** Syncs of this server's own clients that wait for a commit. */
  get pendingSyncs(): number {
    return this.syncs.length;
  }

  protected sync(client: Client, request: WaitingRead | null): boolean {
    if (this.lastCommit === null) return true;
    if (request !== null) this.syncs.push({ client, request, zxid: this.lastCommit.zxid });
    return false;
  }

  /** Takes in a write that came to another server. */
  submitForeign(request: ForeignRequest): void {
    const { session: id, cxid, op } = request;
    if (op === OpCode.createSession) {
      const timeout = request.body.length < 4 ? 0 : request.body.readInt32BE(0);
      const session = this.sessions.track(id, timeout, this.now);
      session.owner = request.owner;
      this.proposeSession(null, session, timeout);
      return;
    }
    const zxid = ++this.lastZxid;
    const { preparer } = this;
    const session = this.sessions.get(id);
    const author = session ?? { idHi: Number(BigInt.asIntN(32, id >> 32n)), idLo: Number(BigInt.asIntN(32, id)) };
    let error: number;
    if (session === undefined && this.isLocalWrite(request)) {
      error = ErrorCode.Ok; // another server's own
    } else if (session === undefined || session.closing) {
      error = ErrorCode.SessionExpired;
    } else if (session.owner !== undefined && session.owner !== request.owner) {
      error = ErrorCode.SessionMoved;
    } else {
      session.owner = request.owner;
      error = ErrorCode.Ok;
    }
    if (error !== ErrorCode.Ok) {
      preparer.prepareError(error, author, cxid, zxid, this.wallTime);
    } else if (op === OpCode.closeSession && session !== undefined) {
      this.sessions.startClosing(session);
      preparer.prepareCloseSession(id, session, cxid, zxid, this.wallTime);
    } else {
      const body = this.reader.reset(request.body, 0, request.body.length);
      error = preparer.prepare(op, body, author, request.identities, cxid, zxid, this.wallTime);
    }
    const write = new PendingWrite(null, cxid, op, zxid, error, this.now);
    write.path = preparer.path;
    write.session = session;
    write.identities = request.identities;
    this.propose(write);
  }

  /**
   * Whether a session that is not known here may be another server's own. It can be one that has just expired, too: an ephemeral
   * of it would stay for ever.
   */
  private isLocalWrite({ op, body }: ForeignRequest): boolean {
    if (!this.localSessions || op === OpCode.closeSession) return false;
    return !makesEphemeral(op, this.reader.reset(body, 0, body.length));
  }

  /** Closes a session that nobody asked to close: it expired. */
  closeSession(session: Session<SessionOwner>): void {
    if (session.closing) return;
    this.sessions.startClosing(session);
    const zxid = ++this.lastZxid;
    this.preparer.prepareCloseSession(session.id, session, 0, zxid, this.wallTime);
    const write = new PendingWrite(null, 0, OpCode.closeSession, zxid, ErrorCode.Ok, this.now);
    write.session = session;
    this.propose(write);
  }

  /** Deletes a container or TTL node if that is still due. */
  deleteContainer(node: Expired): void {
    const zxid = ++this.lastZxid;
    const error = this.preparer.prepareDeleteContainer(node, zxid, this.wallTime);
    const write = new PendingWrite(null, 0, OpCode.deleteContainer, zxid, error, this.now);
    write.path = node.path;
    this.propose(write);
  }

  probe(done: () => void): void {
    this.proposeNothing(NOBODY, 0, done);
  }

  private proposeNothing(author: typeof NOBODY, cxid: number, done: () => void): void {
    const zxid = ++this.lastZxid;
    const error = ErrorCode.NoNode;
    this.preparer.prepareError(error, author, cxid, zxid, this.wallTime);
    this.propose(new PendingWrite(null, cxid, OpCode.error, zxid, error, this.now));
    this.probes.push({ zxid, done });
  }

  /**
   * Closes the sessions whose time is over; of very many, as when a network parts, the rest with the next calls. Returns how many
   * it closed.
   */
  expireSessions(): number {
    let count = 0;
    let nodes = 0;
    for (const session of this.sessions.expired(this.now)) {
      if (session.local) this.endLocal(session);
      else this.closeSession(session);
      count++;
      nodes += this.tree.ephemeralIds(session.id)?.size ?? 0;
      if (count + nodes >= MOST_EXPIRED) break;
    }
    return count;
  }

  private propose(write: PendingWrite): void {
    const { entry } = this.preparer;
    if (this.lastCommit === null) this.firstCommit = write;
    else this.lastCommit.nextCommit = write;
    this.lastCommit = write;
    this.proposals.propose(write, entry.buf, entry.pos);
  }

  /** Applies and answers all writes up to a zxid; those without a buffer of their own have their entries in `batch`. */
  commit(batch: Buffer, upTo: number): void {
    const { tree } = this;
    for (let write = this.firstCommit; write !== null && write.zxid <= upTo; write = this.firstCommit) {
      this.firstCommit = write.nextCommit;
      if (this.firstCommit === null) this.lastCommit = null;
      write.nextCommit = null;
      if (tree.lastProcessedZxid !== write.zxid - 1) {
        throw new Error(`zxid ${write.zxid} is to be applied after ${tree.lastProcessedZxid}`);
      }
      const error = this.applyAndAnswer(write, write.entry ?? batch, write.start, write.end);
      if (error !== write.error)
        throw new Error(`zxid ${write.zxid} was prepared with ${write.error}, applied with ${error}`);
      this.preparer.applied(write.zxid);
      if (this.syncs.length > 0) this.releaseSyncs(write.zxid);
      if (this.probes[0]?.zxid === write.zxid) this.probes.shift()?.done();
    }
  }

  private releaseSyncs(committed: number): void {
    while (this.syncs[0] !== undefined && this.syncs[0].zxid <= committed) {
      const { client, request } = this.syncs.shift() as (typeof this.syncs)[number];
      request.ready = true;
      if (!client.closed) this.resume(client);
    }
  }
}
