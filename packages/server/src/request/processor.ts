// The life of a request between connection and log: reads are answered at once unless writes of the same connection are on
// their way, writes become transactions, and what the log reports as durable is applied and answered in zxid order.

import { DecodeError, ErrorCode, JuteReader, OpCode } from '@nodekeeper/protocol';
import type { Session, SessionTable } from '../session/session-table.js';
import type { DataTree, MultiListener } from '../tree/data-tree.js';
import type { NodeId } from '../tree/node-store.js';
import type { Client } from './client.js';
import { PendingWrite, WaitingRead } from './fifo.js';
import type { Preparer } from './prepare.js';
import type { Reads } from './reads.js';
import { ReplyBuffer } from './reply-buffer.js';

/** Where transactions go; the log calls {@link RequestProcessor.commit} when they are durable. */
export interface Proposals {
  /** Takes over an entry; returns where it stands in the gathering batch, as start and, behind it, end. */
  append(entry: Buffer, zxid: number): number;
}

export interface ProcessorHooks {
  /** A session was closed: by its client, or because it expired. */
  onSessionGone(session: Session<Client>, client: Client | undefined): void;
  /** A request was answered. Milliseconds. */
  onAnswered(isWrite: boolean, latency: number): void;
  /** A write was decided: for the audit log. */
  onWrite(write: PendingWrite, error: number): void;
}

export class RequestProcessor implements MultiListener {
  private readonly tree: DataTree;
  private readonly sessions: SessionTable<Client>;
  private readonly preparer: Preparer;
  private readonly reads: Reads;
  private readonly proposals: Proposals;
  private readonly hooks: ProcessorHooks;
  private readonly extendedTypes: boolean;
  private readonly reader: JuteReader;
  private readonly multiReply = new ReplyBuffer(4096);
  private readonly waitingReply = new ReplyBuffer(1024);
  private firstCommit: PendingWrite | null = null;
  private lastCommit: PendingWrite | null = null;
  private replyTypes: readonly number[] | null = null;
  private replyPart = 0;

  /** The zxid given out last. */
  lastZxid = 0;
  /** Writes on their way and reads behind them, over all connections. */
  outstanding = 0;
  /** The time of this turn: monotonic milliseconds for sessions and latencies, wall clock for transactions. */
  now = 0;
  wallTime = 0;

  constructor(
    tree: DataTree,
    sessions: SessionTable<Client>,
    preparer: Preparer,
    reads: Reads,
    proposals: Proposals,
    hooks: ProcessorHooks,
    options: { readonly extendedTypesEnabled: boolean; readonly maxLength: number },
  ) {
    this.tree = tree;
    this.sessions = sessions;
    this.preparer = preparer;
    this.reads = reads;
    this.proposals = proposals;
    this.hooks = hooks;
    this.extendedTypes = options.extendedTypesEnabled;
    this.reader = new JuteReader(Buffer.alloc(0), 0, 0, options.maxLength);
    this.lastZxid = tree.lastProcessedZxid;
  }

  /** Takes in a request of an established session; its body is `buf[start, end)`. The opcode is a known one. */
  submit(client: Client, xid: number, op: number, buf: Buffer, start: number, end: number): void {
    const session = client.session;
    if (session === undefined) throw new Error('request without a session');
    if (isWrite(op) && !(op === OpCode.reconfig && !this.decodesReconfig(buf, start, end))) {
      if (session.owner !== client) {
        client.close('session moved');
        return;
      }
      this.submitWrite(client, session, xid, op, buf, start, end);
    } else if (client.fifo.length > 0) {
      client.fifo.push(new WaitingRead(xid, op, Buffer.from(buf.subarray(start, end)), client.identities, this.now));
      this.outstanding++;
    } else {
      client.lastZxid = this.tree.lastProcessedZxid;
      this.reads.answer(client, client.identities, xid, op, buf, start, end);
      this.onAnswered(client, false, 0);
    }
  }

  private submitWrite(
    client: Client,
    session: Session<Client>,
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
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
    if (op === OpCode.multi && error === ErrorCode.Ok) write.multiTypes = preparer.multiTypes;
    client.fifo.push(write);
    this.outstanding++;
    this.propose(write);
  }

  /** Starts a session for a connection; {@link Client.sessionCreated} is called once it is durable. */
  createSession(client: Client, id: bigint, timeout: number): void {
    const zxid = ++this.lastZxid;
    const session = this.sessions.track(id, timeout, this.now);
    session.owner = client;
    client.session = session;
    this.preparer.prepareCreateSession(session, timeout, zxid, this.wallTime);
    this.propose(new PendingWrite(client, 0, OpCode.createSession, zxid, ErrorCode.Ok, this.now));
  }

  /** Closes a session that nobody asked to close: it expired. */
  closeSession(session: Session<Client>): void {
    if (session.closing) return;
    this.sessions.startClosing(session);
    const zxid = ++this.lastZxid;
    this.preparer.prepareCloseSession(session.id, session, 0, zxid, this.wallTime);
    const write = new PendingWrite(null, 0, OpCode.closeSession, zxid, ErrorCode.Ok, this.now);
    write.session = session;
    this.propose(write);
  }

  /** Deletes a container or TTL node if that is still due. */
  deleteContainer(path: string): void {
    const zxid = ++this.lastZxid;
    const error = this.preparer.prepareDeleteContainer(path, zxid, this.wallTime);
    const write = new PendingWrite(null, 0, OpCode.deleteContainer, zxid, error, this.now);
    write.path = path;
    this.propose(write);
  }

  /** Closes the sessions whose time is over. */
  expireSessions(): number {
    const expired = this.sessions.expired(this.now);
    for (const session of expired) this.closeSession(session);
    return expired.length;
  }

  /** Forgets the waiting requests of a closed connection; its writes still take effect. */
  abandon(client: Client): void {
    this.outstanding -= client.fifo.length;
    client.fifo.clear();
  }

  private propose(write: PendingWrite): void {
    const entry = this.preparer.entry;
    write.start = this.proposals.append(entry.buf.subarray(0, entry.pos), write.zxid);
    write.end = write.start + entry.pos;
    if (this.lastCommit === null) this.firstCommit = write;
    else this.lastCommit.nextCommit = write;
    this.lastCommit = write;
  }

  /** Applies and answers all writes up to a zxid; their entries stand in `batch`. */
  commit(batch: Buffer, upTo: number): void {
    for (let write = this.firstCommit; write !== null && write.zxid <= upTo; write = this.firstCommit) {
      this.firstCommit = write.nextCommit;
      if (this.firstCommit === null) this.lastCommit = null;
      write.nextCommit = null;
      this.commitOne(write, batch);
    }
  }

  private commitOne(write: PendingWrite, batch: Buffer): void {
    const { tree } = this;
    const { client } = write;
    if (tree.lastProcessedZxid !== write.zxid - 1) {
      throw new Error(`zxid ${write.zxid} is to be applied after ${tree.lastProcessedZxid}`);
    }
    if (write.multiTypes !== null) {
      this.replyTypes = write.multiTypes;
      this.replyPart = 0;
      this.multiReply.pos = 0;
    }
    const error = tree.apply(batch, write.start, write.end, write.multiTypes === null ? undefined : this);
    if (error !== write.error)
      throw new Error(`zxid ${write.zxid} was prepared with ${write.error}, applied with ${error}`);
    this.preparer.applied(write.zxid);
    this.hooks.onWrite(write, error);
    if (write.op === OpCode.closeSession) {
      this.finishClose(write);
      return;
    }
    if (client === null) return;
    if (write.op === OpCode.createSession) {
      const session = client.session;
      if (session !== undefined) session.committed = true;
      if (!client.closed) client.sessionCreated();
      return;
    }
    if (client.closed) return;
    if (client.fifo.head !== write || client.blocked) {
      // Replies before it, or the rest of one, wait until the client takes them; what this one shows is what is now.
      const out = this.waitingReply;
      out.pos = 0;
      this.reply(out, write, error, tree.touched);
      write.reply = Buffer.from(out.buf.subarray(0, out.pos));
      return;
    }
    client.fifo.shift();
    this.outstanding--;
    client.lastZxid = write.zxid;
    this.reply(client.output(), write, error, tree.touched);
    this.answerReady(client);
    this.onAnswered(client, true, this.now - write.arrived);
  }

  private onAnswered(client: Client, isWrite: boolean, latency: number): void {
    this.hooks.onAnswered(isWrite, latency);
    client.answered(latency);
  }

  private finishClose(write: PendingWrite): void {
    const { client } = write;
    const session = client?.session ?? write.session;
    const owner = client ?? session?.owner;
    if (client !== null && !client.closed && client.fifo.head === write && !client.blocked) {
      client.fifo.shift();
      this.outstanding--;
      client.output().header(write.xid, write.zxid, ErrorCode.Ok);
      this.onAnswered(client, true, this.now - write.arrived);
    }
    if (session !== undefined) this.hooks.onSessionGone(session, owner ?? undefined);
  }

  /** Answers what is no longer behind a write on its way, as far as the connection takes replies. */
  private answerReady(client: Client): void {
    for (let next = client.fifo.head; next !== null; next = client.fifo.head) {
      if (client.closed || client.blocked) return;
      if (next.kind === 'write') {
        if (next.reply === null) return;
        client.fifo.shift();
        this.outstanding--;
        client.lastZxid = next.zxid;
        client.output().raw(next.reply, 0, next.reply.length);
        this.onAnswered(client, true, this.now - next.arrived);
        continue;
      }
      client.fifo.shift();
      this.outstanding--;
      client.lastZxid = this.tree.lastProcessedZxid;
      this.reads.answer(client, next.identities, next.xid, next.op, next.body, 0, next.body.length);
      this.onAnswered(client, false, this.now - next.arrived);
    }
  }

  /** Goes on with what waits behind a list that was sent in pieces. */
  resume(client: Client): void {
    this.answerReady(client);
  }

  private reply(out: ReplyBuffer, write: PendingWrite, error: number, node: NodeId): void {
    if (error !== ErrorCode.Ok) {
      out.header(write.xid, write.zxid, error);
      return;
    }
    const start = out.begin(write.xid, write.zxid, ErrorCode.Ok);
    switch (write.op) {
      case OpCode.create:
        out.string(write.path ?? '');
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        out.string(write.path ?? '');
        out.stat(this.tree.store, node, this.extendedTypes);
        break;
      case OpCode.setData:
      case OpCode.setACL:
        out.stat(this.tree.store, node, this.extendedTypes);
        break;
      case OpCode.multi:
        out.raw(this.multiReply.buf, 0, this.multiReply.pos);
        out.multiHeader(-1, true, -1);
        break;
    }
    out.end(start);
  }

  /** Writes the result of a part of the multi that is being applied. */
  onSubOp(logged: number, error: number, node: NodeId): void {
    const out = this.multiReply;
    const type = this.replyTypes?.[this.replyPart++] ?? 0;
    if (logged === OpCode.error) {
      out.multiHeader(OpCode.error, false, error);
      out.int(error);
      return;
    }
    switch (type) {
      case OpCode.create:
        out.multiHeader(OpCode.create, false, 0);
        out.string(this.tree.store.path(node));
        break;
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        out.multiHeader(OpCode.create2, false, 0);
        out.string(this.tree.store.path(node));
        out.stat(this.tree.store, node, this.extendedTypes);
        break;
      case OpCode.setData:
        out.multiHeader(OpCode.setData, false, 0);
        out.stat(this.tree.store, node, this.extendedTypes);
        break;
      default:
        out.multiHeader(type, false, 0);
    }
  }

  // ReconfigRequest: ustring joiningServers, ustring leavingServers, ustring newMembers, long curConfigId. One that cannot be
  // decoded takes no zxid.
  private decodesReconfig(buf: Buffer, start: number, end: number): boolean {
    const r = this.reader.reset(buf, start, end);
    try {
      r.string();
      r.string();
      r.string();
      r.long();
      return true;
    } catch (e) {
      if (e instanceof DecodeError) return false;
      throw e;
    }
  }
}

/** Operations that become transactions. */
export function isWrite(op: number): boolean {
  switch (op) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL:
    case OpCode.delete:
    case OpCode.deleteContainer:
    case OpCode.setData:
    case OpCode.setACL:
    case OpCode.multi:
    case OpCode.reconfig:
    case OpCode.closeSession:
      return true;
    default:
      return false;
  }
}
