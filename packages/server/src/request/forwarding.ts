// Writes on a server that follows a leader: they are forwarded, and answered here when the transaction that they became is
// committed. What no leader must ever see (requests that do not decode, or kill Apache's servers) is answered at once.

import { DecodeError, ErrorCode, encodedLength, JuteWriter, OpCode } from '@nodekeeper/protocol';
import { Session, type SessionTable } from '../session/session-table.js';
import type { DataTree } from '../tree/data-tree.js';
import { TXN_HEADER_SIZE, TxnHeaderAt, zxidOf } from '../tree/txn-types.js';
import type { Client, SessionOwner } from './client.js';
import { decodeCreate, decodeDelete, decodeMulti, decodeSetAcl, decodeSetData, killsApache } from './decode.js';
import { eagerAclProblem } from './eager-acl.js';
import { PendingWrite, type WaitingRead } from './fifo.js';
import { type AuthRules, type Identity, MOST_IDENTITIES } from './identity.js';
import { type ProcessorHooks, type ProcessorOptions, RequestProcessor } from './processor.js';
import type { Reads } from './reads.js';

/** The way to the leader. */
export interface LeaderLink {
  /** The id of no session, this server's own: its probes bear it. */
  readonly nobody: bigint;
  /** Sends a request; `identities` null for a session that begins. The body is used during the call only. */
  request(session: bigint, cxid: number, op: number, body: Buffer, identities: readonly Identity[] | null): void;
  /**
   * Asks whether a session is alive, and makes this server its home. {@link ForwardingProcessor.validated} is called.
   * @param ifFree not if it is at home on another server by now
   */
  revalidate(session: bigint, timeout: number, ifFree: boolean): void;
  /** A session goes on at this server itself. */
  takesOver(session: bigint): void;
}

/** Is told whether a session is alive; for `settled` see {@link ForwardingProcessor.validated}. */
export type ValidityTaker = (valid: boolean, settled: boolean) => void;

/** A write that was forwarded for a connection that is gone. */
interface Orphan {
  readonly cxid: number;
}

interface Validation {
  /** The session's youngest orphan when the leader was asked. */
  readonly orphan: Orphan | undefined;
  readonly answer: ValidityTaker;
}

export class ForwardingProcessor extends RequestProcessor {
  private readonly link: LeaderLink;
  private readonly creating = new Map<bigint, PendingWrite>();
  private readonly validating = new Map<bigint, Validation[]>();
  /** Connections that were kept while there was no leader, and are to go on if their sessions did not go on elsewhere. */
  private readonly takingUp = new Map<bigint, Client>();
  private readonly syncs: (() => void)[] = [];
  private multiTypes: number[] | null = null;
  /** By session, oldest first. */
  private readonly orphans = new Map<bigint, Orphan[]>();
  private readonly eagerAcl: AuthRules | undefined;
  private readonly probes: { readonly cxid: number; readonly done: () => void }[] = [];

  constructor(
    tree: DataTree,
    sessions: SessionTable<SessionOwner>,
    reads: Reads,
    link: LeaderLink,
    hooks: ProcessorHooks,
    options: ProcessorOptions,
  ) {
    super(tree, sessions, reads, hooks, options);
    this.link = link;
    this.eagerAcl = options.eagerAcl;
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
    const write = new PendingWrite(client, xid, op, 0, ErrorCode.Ok, this.now);
    write.identities = client.identities;
    if (this.keepsRequests) write.request = Buffer.from(buf.subarray(start, end));
    this.multiTypes = null;
    const identityBytes = bytesOf(client.identities);
    let problem = this.tooMany(client.identities, identityBytes)
      ? ErrorCode.BadArguments
      : this.judge(op, buf, start, end);
    if (problem === ErrorCode.Ok && this.eagerAcl !== undefined)
      problem = eagerAclProblem(this.tree, this.eagerAcl, op, this.reader.reset(buf, start, end), client.identities);
    if (problem !== ErrorCode.Ok) {
      this.answerHere(client, write, problem);
      return 0;
    }
    write.multiTypes = this.multiTypes;
    if (client.closed) {
      this.orphan(session.id, xid);
    } else {
      this.enqueue(client, write);
    }
    this.link.request(session.id, xid, op, buf.subarray(start, end), client.identities);
    return end - start + identityBytes;
  }

  /**
   * Their commits must not pass for those of writes of the session's next connection: clients count from 1 again there (kazoo).
   */
  override abandon(client: Client): void {
    const { session } = client;
    for (let next = client.fifo.head; session !== undefined && next !== null; next = next.next) {
      if (next.kind === 'write' && !next.answered) this.orphan(session.id, next.xid);
    }
    super.abandon(client);
  }

  private orphan(session: bigint, cxid: number): void {
    const known = this.orphans.get(session);
    if (known === undefined) this.orphans.set(session, [{ cxid }]);
    else known.push({ cxid });
  }

  /** Whether the transaction is a write of a connection that is gone. */
  private isOrphan(session: bigint, cxid: number): boolean {
    const orphan = this.orphans.get(session)?.find((one) => one.cxid === cxid);
    if (orphan === undefined) return false;
    this.forgetOrphans(session, orphan);
    return true;
  }

  /** Those up to and including this one are committed, or never will be. */
  private forgetOrphans(session: bigint, last: Orphan): void {
    const known = this.orphans.get(session);
    if (known === undefined) return;
    known.splice(0, known.indexOf(last) + 1);
    if (known.length === 0) this.orphans.delete(session);
  }

  /** Whether the identities are more than a leader takes: it would end this server's connection. */
  private tooMany(identities: readonly Identity[], bytes: number): boolean {
    if (identities.length < 2) return false;
    return identities.length > MOST_IDENTITIES || bytes > this.reader.maxLength;
  }

  /** Ok for what may go to the leader. Decodes all of it. */
  private judge(op: number, buf: Buffer, start: number, end: number): number {
    const r = this.reader.reset(buf, start, end);
    try {
      switch (op) {
        case OpCode.create:
        case OpCode.create2:
        case OpCode.createContainer:
        case OpCode.createTTL: {
          const request = decodeCreate(op, r);
          if (request.path === null) return ErrorCode.MarshallingError;
          return killsApache(request, buf) ? ErrorCode.BadArguments : ErrorCode.Ok;
        }
        case OpCode.delete:
          return decodeDelete(op, r).path === null ? ErrorCode.MarshallingError : ErrorCode.Ok;
        case OpCode.setData: {
          const request = decodeSetData(r);
          return request.path === null || killsApache(request, buf) ? ErrorCode.BadArguments : ErrorCode.Ok;
        }
        case OpCode.setACL: {
          const request = decodeSetAcl(r);
          return request.path === null ? ErrorCode.BadArguments : ErrorCode.Ok;
        }
        case OpCode.multi: {
          const ops = decodeMulti(r);
          if (ops.some((part) => part.path === null)) return ErrorCode.MarshallingError;
          if (ops.some((part) => killsApache(part, buf))) return ErrorCode.BadArguments;
          this.multiTypes = ops.map((part) => part.type);
          return ErrorCode.Ok;
        }
        case OpCode.deleteContainer:
          return ErrorCode.BadArguments; // the leader's own; a client's was never meant to be
        default:
          return ErrorCode.Ok;
      }
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      return ErrorCode.MarshallingError;
    }
  }

  protected createGlobalSession(client: Client, id: bigint, timeout: number): void {
    const session = new Session<SessionOwner>(id, timeout);
    session.owner = client;
    client.session = session;
    this.creating.set(id, new PendingWrite(client, 0, OpCode.createSession, 0, ErrorCode.Ok, this.now));
    this.requestSession(id, timeout);
  }

  private requestSession(id: bigint, timeout: number): void {
    const body = Buffer.allocUnsafe(4);
    body.writeInt32BE(timeout);
    this.link.request(id, 0, OpCode.createSession, body, null);
  }

  protected makeGlobal(session: Session<SessionOwner>): void {
    session.local = false;
    this.requestSession(session.id, session.timeout);
  }

  /** Ends the local sessions whose time is over; the leader ends the others. */
  expireLocal(): number {
    const expired = this.sessions.expiredLocal(this.now);
    for (const session of expired) this.endLocal(session);
    return expired.length;
  }

  protected revalidateGlobal(client: Client, id: bigint, timeout: number, ifFree: boolean): void {
    if (ifFree) this.takingUp.set(id, client);
    this.askFor(id, timeout, ifFree, (valid) => {
      if (ifFree) this.takingUp.delete(id);
      if (client.closed) return;
      if (valid) {
        const session = this.sessions.track(id, timeout, this.now);
        if (session.owner !== client) session.owner?.close('the session moved to another connection');
        session.owner = client;
        client.session = session;
      }
      client.revalidated(valid);
    });
    this.link.takesOver(id);
  }

  /** Asks the leader whether a session is alive. */
  askFor(id: bigint, timeout: number, ifFree: boolean, answer: ValidityTaker): void {
    const validation = { orphan: this.orphans.get(id)?.at(-1), answer };
    const waiting = this.validating.get(id);
    if (waiting === undefined) this.validating.set(id, [validation]);
    else waiting.push(validation);
    this.link.revalidate(id, timeout, ifFree);
  }

  /** Whether the session is at home here. */
  holds(id: bigint): boolean {
    return this.sessions.get(id)?.owner?.closed === false;
  }

  /** A session goes on at a server behind this one: for the leader its requests come from the same place as before. */
  handOver(id: bigint): void {
    this.sessions.get(id)?.owner?.close('the session goes on at another server');
  }

  /**
   * The leader's answer to {@link LeaderLink.revalidate}.
   * @param settled what was forwarded of the session before the leader was asked is committed by now, or never will be: a server that
   * passes it on drops what comes from a place that the session has left
   */
  validated(id: bigint, valid: boolean, settled: boolean): void {
    const waiting = this.validating.get(id);
    const validation = waiting?.shift();
    if (waiting === undefined || validation === undefined) return;
    if (waiting.length === 0) this.validating.delete(id);
    if (settled && validation.orphan !== undefined) this.forgetOrphans(id, validation.orphan);
    validation.answer(valid, settled);
  }

  protected sync(client: Client, request: WaitingRead | null): boolean {
    if (request === null) return false;
    const session = client.session as Session<SessionOwner>;
    this.forwardSync(session.id, request.xid, request.body, () => {
      request.ready = true;
      if (!client.closed) this.resume(client);
    });
    return false;
  }

  /** Sends a sync; the leader answers them in order. It judges none: identities that it would not take are not sent along. */
  forwardSync(session: bigint, cxid: number, body: Buffer, answer: () => void): void {
    this.syncs.push(answer);
    this.link.request(session, cxid, OpCode.sync, body, []);
  }

  /** The leader's answer to the oldest sync. */
  synced(): void {
    this.syncs.shift()?.();
  }

  // The leader knows no such session, so that the request becomes an error transaction, which comes back with its cxid.
  probe(done: () => void): void {
    const cxid = Math.floor(this.now) | 0;
    this.probes.push({ cxid, done });
    const body = new JuteWriter().string('/').int(-1);
    this.link.request(this.link.nobody, cxid, OpCode.delete, body.bytes(), []);
  }

  /** Applies a committed entry, `buf[start, end)`, and answers the write that it comes from if that waits here. */
  commit(buf: Buffer, start: number, end: number): void {
    const id = buf.readBigInt64BE(start);
    const cxid = buf.readInt32BE(start + TxnHeaderAt.cxid);
    const type = buf.readInt32BE(start + TxnHeaderAt.type);
    if (type === OpCode.createSession) {
      this.commitSession(id, buf, start, end);
      return;
    }
    if (id === this.link.nobody) {
      const probe = this.probes.findIndex((p) => p.cxid === cxid);
      if (probe >= 0) for (const { done } of this.probes.splice(0, probe + 1)) done();
    }
    const session = this.sessions.get(id);
    const orphan = this.orphans.size > 0 && this.isOrphan(id, cxid);
    const write = session === undefined || orphan ? null : this.waitingWrite(session, cxid);
    if (write !== null) write.zxid = zxidOf(buf, start);
    else if (!orphan && tellsOfMove(buf, start, type)) this.wentOnElsewhere(id, session);
    this.applyAndAnswer(write, buf, start, end);
    if (type === OpCode.closeSession && write === null && session !== undefined)
      this.hooks.onSessionGone(session, session.owner);
  }

  /** The leader refuses what a connection that was left here still sends, but the next one will not know of that. */
  private wentOnElsewhere(id: bigint, session: Session<SessionOwner> | undefined): void {
    const left = session?.owner ?? this.takingUp.get(id);
    left?.close('its session went on elsewhere');
  }

  private commitSession(id: bigint, buf: Buffer, start: number, end: number): void {
    const write = this.creating.get(id) ?? null;
    if (write !== null) {
      this.creating.delete(id);
      write.zxid = zxidOf(buf, start);
      const { client } = write;
      const timeout = buf.readInt32BE(start + TXN_HEADER_SIZE);
      if (client !== null && !client.closed) {
        const session = this.sessions.track(id, timeout, this.now);
        session.owner = client;
        client.session = session;
      }
    }
    this.applyAndAnswer(write, buf, start, end);
  }

  /** The oldest write of the session that is not committed, if the transaction with that cxid is its. */
  private waitingWrite(session: Session<SessionOwner>, cxid: number): PendingWrite | null {
    const client = session.owner as Client | undefined;
    if (client === undefined || client.closed) return null;
    for (let next = client.fifo.head; next !== null; next = next.next) {
      if (next.kind === 'write' && !next.answered) return next.xid === cxid ? next : null;
    }
    return null;
  }
}

/** Whether a transaction that was not asked for here shows that its session is at home elsewhere. */
function tellsOfMove(buf: Buffer, start: number, type: number): boolean {
  if (type === OpCode.closeSession) return false; // the leader asks for that itself
  return type !== OpCode.error || buf.readInt32BE(start + TXN_HEADER_SIZE) !== ErrorCode.SessionMoved;
}

/** What identities take in a packet to the leader. */
function bytesOf(identities: readonly Identity[]): number {
  let bytes = 0;
  for (const { scheme, id } of identities) bytes += 8 + encodedLength(scheme) + encodedLength(id);
  return bytes;
}
