// Runs one sequence against one server and keeps everything that comes back, made comparable. After each step all connections
// are pinged: whatever notifications the step caused have arrived when the answers are there.

import { ErrorCode, JuteWriter, OpCode } from '@nodekeeper/protocol';
import type { Kind } from '../servers/index.js';
import { as39 } from './known-differences.js';
import { type Masked, Masks } from './mask.js';
import { RawSession } from './session.js';
import { CONNECTIONS, type ConnectStep, type RawStep, type RequestStep, type Step } from './step.js';

const BARRIER_XID = -2;
const NOTIFICATION_XID = -1;
const PROBE_XID = 0x7ffffff0;
/** Accepted everywhere, also where clients must authenticate. */
const SOMEBODY = Buffer.from('somebody:x');

export interface Target {
  readonly kind: Kind;
  readonly port: number;
  /** Whether it answers as 3.9 does, and whether what it is compared with does: 3.8 is otherwise (known-differences.ts). */
  readonly follows39?: boolean;
  readonly reference39?: boolean;
  /** Where a connection that has not authenticated is closed at its first request, a ping too. */
  readonly mustAuthenticate: boolean;
}

export interface Item {
  readonly conn: number;
  /** What it answers; none for notifications and the like. */
  readonly request: RequestStep | undefined;
  readonly masked: Masked;
}

export interface RunOptions {
  /** Compare zxids from before the sequence too: only if both servers have had the same requests all their life. */
  readonly comparesOld: boolean;
  /** Changes a frame on its way in: to see that the comparison notices. */
  readonly tamper?: (frame: Buffer) => Buffer;
}

/** What each step brought; a step that is sent together with the next brings nothing by itself. */
export async function runSequence(target: Target, steps: readonly Step[], options: RunOptions): Promise<Item[][]> {
  const run = new SequenceRun(target, options);
  try {
    return await run.all(steps);
  } finally {
    await run.end();
  }
}

class SequenceRun {
  private readonly target: Target;
  private readonly tamper: (frame: Buffer) => Buffer;
  private readonly masks: Masks;
  private readonly conns = Array.from({ length: CONNECTIONS }, () => new RawSession());
  private readonly authenticated: boolean[] = new Array(CONNECTIONS).fill(false);
  /** Connections whose close is part of the result already. */
  private readonly told = new Set<RawSession>();
  private readonly passwords = new Map<bigint, Buffer>();

  constructor(target: Target, options: RunOptions) {
    this.target = target;
    this.tamper = options.tamper ?? ((frame) => frame);
    this.masks = new Masks(options.comparesOld, target.follows39 === true && target.reference39 !== true);
  }

  async all(steps: readonly Step[]): Promise<Item[][]> {
    await this.learnBase();
    const out: Item[][] = [];
    let group: RequestStep[] = [];
    for (const [i, step] of steps.entries()) {
      const next = steps[i + 1];
      if (step.kind === 'request') {
        group.push(step);
        if (step.hold && next?.kind === 'request' && next.conn === step.conn) {
          out.push([]);
          continue;
        }
        out.push(await this.step(step.conn, group));
        group = [];
      } else out.push(await this.step(step.conn, step));
    }
    return out;
  }

  /** Closes every session that was opened: one that expired later would move the zxid in the middle of another run. */
  async end(): Promise<void> {
    for (const conn of this.conns) conn.destroy();
    for (const [id, password] of this.passwords) {
      const conn = new RawSession();
      const response = await conn.open(this.target.port, 4000, id, password, true).catch(() => undefined);
      if (response !== undefined && response.readInt32BE(4) > 0) {
        const auth = new JuteWriter().int(1).int(OpCode.auth).int(0).string('digest').buffer(SOMEBODY);
        conn.send(auth.bytes(), new JuteWriter().int(2).int(OpCode.closeSession).bytes());
        while ((await conn.next().catch(() => undefined)) !== undefined);
      }
      conn.destroy();
    }
  }

  /** A session of the run's own shows the zxid from which everything is counted. */
  private async learnBase(): Promise<void> {
    const conn = new RawSession();
    await conn.open(this.target.port, 30000, 0n, Buffer.alloc(16), true);
    this.passwords.set(conn.id, conn.password);
    const auth = new JuteWriter().int(1).int(OpCode.auth).int(0).string('digest').buffer(SOMEBODY);
    conn.send(auth.bytes(), new JuteWriter().int(BARRIER_XID).int(OpCode.ping).bytes());
    await conn.next();
    const frame = await conn.next();
    if (frame === undefined) throw new Error('the server does not answer a ping');
    this.masks.baseZxid = frame.readBigInt64BE(4);
    conn.destroy();
  }

  private async step(conn: number, what: readonly RequestStep[] | ConnectStep | RawStep): Promise<Item[]> {
    const zxids = new Zxids(this.target.follows39 === true);
    const own =
      'kind' in what
        ? what.kind === 'connect'
          ? await this.connect(what)
          : await this.raw(what)
        : await this.requests(conn, what, zxids);
    const events = await Promise.all(this.conns.map((_, i) => this.barrier(i, zxids)));
    const closes = !('kind' in what) && what.some(({ op }) => op === OpCode.closeSession);
    const items = [own, ...events].flatMap((list) => (closes ? sortEvents(list) : list));
    const wrong = zxids.wrong();
    return wrong === undefined ? items : [...items, this.note(conn, wrong)];
  }

  private note(conn: number, text: string): Item {
    return { conn, request: undefined, masked: { bytes: Buffer.from(text), text } };
  }

  private async connect(step: ConnectStep): Promise<Item[]> {
    const { conn } = step;
    const of = typeof step.session === 'number' ? (this.conns[step.session] as RawSession) : undefined;
    const id = of?.id ?? (step.session === 'unknown' ? 0x7654321n : 0n);
    const right = of?.password ?? Buffer.alloc(16);
    const password = {
      right,
      wrong: Buffer.alloc(16, 7),
      null: null,
      empty: Buffer.alloc(0),
      long: Buffer.concat([right, Buffer.alloc(24)]),
    }[step.password];
    const lastZxidSeen = { zero: 0n, base: this.masks.baseZxid, ahead: 1n << 60n, negative: -5n }[step.seen];
    const old = this.conns[conn] as RawSession;
    // A refused reattachment leaves the old connection open; nobody listens to it any more.
    if (of !== old || step.seen === 'ahead') old.destroy();
    const session = new RawSession();
    session.id = old.id;
    session.password = old.password;
    this.conns[conn] = session;
    this.authenticated[conn] = false;
    const { timeout, protocolVersion, tail } = step;
    const handshake = { timeout, protocolVersion, tail, id, password, lastZxidSeen };
    const response = await session.shake(this.target.port, handshake).catch((e: Error) => e);
    // A reattachment closes the session's connection before, whichever it is.
    if (step.seen !== 'ahead')
      for (const other of this.conns) if (other !== session && other.id === id) await closed(other);
    if (response === undefined) return [this.note(conn, 'closed')];
    if (response instanceof Error) return [this.failed(conn, response)];
    const masked = this.masks.connectResponse(this.tamper(response));
    const items: Item[] = [{ conn, request: undefined, masked }];
    if (response.readInt32BE(4) > 0) this.passwords.set(session.id, session.password);
    else items.push(...(await this.untilClosed(conn)));
    return items;
  }

  private async raw(step: RawStep): Promise<Item[]> {
    let session = this.conns[step.conn] as RawSession;
    if (step.fresh) {
      session.destroy();
      const { id, password } = session;
      session = new RawSession();
      session.id = id;
      session.password = password;
      this.conns[step.conn] = session;
      await session.connect(this.target.port);
    }
    if (session.closed) return [this.note(step.conn, 'not connected')];
    session.sendRaw(step.bytes);
    return this.untilClosed(step.conn);
  }

  private async requests(conn: number, group: readonly RequestStep[], zxids: Zxids): Promise<Item[]> {
    const session = this.conns[conn] as RawSession;
    if (session.closed) return [this.note(conn, 'not connected')];
    session.send(...group.map((step) => this.payload(step)));
    const items: Item[] = [];
    for (let answered = 0; answered < group.length; ) {
      const frame = await session.next().catch((e: Error) => e);
      if (frame === undefined) return [...items, this.note(conn, 'closed')];
      if (frame instanceof Error) return [...items, this.failed(conn, frame)];
      if (frame.readInt32BE(0) === NOTIFICATION_XID) {
        items.push(this.item(conn, undefined, frame, zxids));
        continue;
      }
      const request = group[answered++] as RequestStep;
      const expected = group.length === 1 ? await this.expected(session, request, frame) : frame;
      items.push(this.item(conn, request, expected, zxids));
      const digest = request.op === OpCode.auth && request.body.includes('digest');
      if (digest && frame.readInt32BE(12) === 0) this.authenticated[conn] = true;
      if (closesConnection(request.op, frame)) return [...items, ...(await this.untilClosed(conn, zxids))];
    }
    return items;
  }

  private payload(step: RequestStep): Buffer {
    const header = new JuteWriter().int(step.xid).int(step.op).bytes();
    const payload = Buffer.concat([header, step.body]);
    if (step.zxidAt !== undefined) {
      const at = header.length + step.zxidAt;
      payload.writeBigInt64BE(payload.readBigInt64BE(at) + this.masks.baseZxid, at);
    }
    return payload;
  }

  /** What 3.9 would have answered where 3.8.0 did. */
  private async expected(session: RawSession, request: RequestStep, frame: Buffer): Promise<Buffer> {
    if (this.target.follows39) return frame;
    return as39(request, frame, async (op, body) => {
      session.send(Buffer.concat([new JuteWriter().int(PROBE_XID).int(op).bytes(), body]));
      return (await session.next())?.readInt32BE(12) ?? 0;
    });
  }

  private item(conn: number, request: RequestStep | undefined, frame: Buffer, zxids: Zxids): Item {
    const came = this.tamper(frame);
    zxids.take(request, came);
    return { conn, request, masked: this.masks.frame(request, came) };
  }

  /** What comes on the connection before the answer to a ping. */
  private async barrier(conn: number, zxids: Zxids): Promise<Item[]> {
    const session = this.conns[conn] as RawSession;
    // A close is told once, whether it was noticed before the ping or after.
    if (session.closed) {
      if (this.told.has(session)) return [];
      this.told.add(session);
      return [this.note(conn, 'closed')];
    }
    if (this.target.mustAuthenticate && !this.authenticated[conn]) return [];
    session.send(new JuteWriter().int(BARRIER_XID).int(OpCode.ping).bytes());
    const items: Item[] = [];
    for (;;) {
      const frame = await session.next().catch((e: Error) => e);
      if (frame === undefined) {
        this.told.add(session);
        return [...items, this.note(conn, 'closed')];
      }
      if (frame instanceof Error) return [...items, this.failed(conn, frame)];
      items.push(this.item(conn, undefined, frame, zxids));
      if (frame.readInt32BE(0) !== BARRIER_XID) continue;
      return closesConnection(OpCode.ping, frame) ? [...items, ...(await this.untilClosed(conn, zxids))] : items;
    }
  }

  private async untilClosed(conn: number, zxids = new Zxids(this.target.follows39 === true)): Promise<Item[]> {
    const session = this.conns[conn] as RawSession;
    const items: Item[] = [];
    for (;;) {
      const frame = await session.next().catch((e: Error) => e);
      if (frame === undefined) {
        this.told.add(session);
        return [...items, this.note(conn, 'closed')];
      }
      if (frame instanceof Error) return [...items, this.failed(conn, frame)];
      items.push(this.item(conn, undefined, frame, zxids));
    }
  }

  /** A connection that doesn't answer is given up, and that is part of the result. */
  private failed(conn: number, error: Error): Item {
    this.conns[conn]?.destroy();
    return this.note(conn, error.message);
  }
}

/** Notifications carry -1 in 3.8.0; from 3.9 the zxid of the transaction, and -1 if setWatches caused them. */
class Zxids {
  private readonly follows39: boolean;
  private readonly replies = new Set<bigint>();
  private readonly events = new Set<bigint>();
  private setsWatches = false;

  constructor(follows39: boolean) {
    this.follows39 = follows39;
  }

  take(request: RequestStep | undefined, frame: Buffer): void {
    const zxid = frame.readBigInt64BE(4);
    if (frame.readInt32BE(0) === NOTIFICATION_XID) this.events.add(zxid);
    else if (request !== undefined) this.replies.add(zxid);
    if (request?.op === OpCode.setWatches || request?.op === OpCode.setWatches2) this.setsWatches = true;
  }

  wrong(): string | undefined {
    for (const zxid of this.events) {
      const right = zxid === -1n ? !this.follows39 || this.setsWatches : this.replies.has(zxid);
      if (!right || (!this.follows39 && zxid !== -1n)) return `a notification has zxid ${zxid}`;
    }
    return undefined;
  }
}

/** Ephemeral nodes of a closed session go in no order. */
function sortEvents(items: readonly Item[]): Item[] {
  const isEvent = ({ masked: { bytes } }: Item): boolean =>
    bytes.length >= 4 && bytes.readInt32BE(0) === NOTIFICATION_XID;
  const events = items.filter(isEvent).sort((a, b) => Buffer.compare(a.masked.bytes, b.masked.bytes));
  return [...events, ...items.filter((item) => !isEvent(item))];
}

/** Whether the server closes the connection after this reply. */
function closesConnection(op: number, frame: Buffer): boolean {
  const error = frame.readInt32BE(12);
  return (
    op === OpCode.closeSession ||
    (error === ErrorCode.Unimplemented && frame.readBigInt64BE(4) === -1n) ||
    error === ErrorCode.AuthFailed ||
    error === ErrorCode.SessionClosedRequireSaslAuth
  );
}

/** Waits until the server has closed the connection; what still came is dropped. */
async function closed(session: RawSession): Promise<void> {
  while ((await session.next().catch(() => undefined)) !== undefined);
}
