// Runs one sequence against one server, step by step, and writes down everything that comes back.

import { ErrorCode, JuteWriter, OpCode } from '@nodekeeper/protocol';
import { CONNECTIONS, type Step } from './generate.js';
import { describe, Masks } from './mask.js';
import { RawSession } from './session.js';

const BARRIER_XID = -2;

/** What each step brought, in comparable text. With `depth` above 1 so many requests at a time are sent in one write. */
export async function runSequence(port: number, steps: readonly Step[], depth = 1): Promise<string[]> {
  const run = new SequenceRun(port, depth);
  try {
    return await run.all(steps);
  } finally {
    await run.end();
  }
}

type Request = Extract<Step, { kind: 'request' }>;

class SequenceRun {
  private readonly port: number;
  private readonly masks = new Masks();
  private readonly conns: RawSession[] = [];
  private opened = 0;
  private readonly passwords = new Map<bigint, Buffer>();

  private readonly depth: number;

  constructor(port: number, depth: number) {
    this.port = port;
    this.depth = depth;
  }

  async all(steps: readonly Step[]): Promise<string[]> {
    const out: string[] = [];
    for (let at = 0; at < steps.length; ) {
      const group = this.groupAt(steps, at);
      at += Math.max(1, group.length);
      if (group.length < 2) {
        out.push(await this.one(steps[at - 1] as Step));
        continue;
      }
      out.push(await this.together(group));
      for (let i = 1; i < group.length; i++) out.push('with the one before');
    }
    return out;
  }

  /** The requests from a place on that can be sent together; all go over the first one's connection. */
  private groupAt(steps: readonly Step[], from: number): Request[] {
    const group: Request[] = [];
    while (group.length < this.depth) {
      const step = steps[from + group.length];
      if (step?.kind !== 'request' || !keepsOrder(step.op)) break;
      group.push(step);
    }
    return group;
  }

  private async together(group: readonly Request[]): Promise<string> {
    const index = group[0]?.conn ?? 0;
    const conn = this.conns[index];
    if (conn === undefined || conn.closed) return 'not connected';
    const ops = new Map<number, number>();
    const frames: Buffer[] = [];
    for (const { xid, op, body } of group) {
      ops.set(xid, op);
      frames.push(
        Buffer.concat([
          new JuteWriter()
            .int(8 + body.length)
            .int(xid)
            .int(op)
            .bytes(),
          body,
        ]),
      );
    }
    conn.sendRaw(Buffer.concat(frames));
    const seen: string[] = [];
    for (let left = group.length; left > 0; ) {
      const frame = await conn.next();
      if (frame === undefined) {
        seen.push('closed');
        break;
      }
      const xid = frame.readInt32BE(0);
      seen.push(describe(ops.get(xid) ?? 0, frame, this.masks));
      if (xid !== -1) left--;
    }
    return [...seen, ...(await this.eventsElsewhere())].join('\n    ');
  }

  private async eventsElsewhere(): Promise<string[]> {
    const events: string[] = [];
    for (let i = 0; i < CONNECTIONS; i++) {
      for (const event of await this.barrier(i)) events.push(`conn${i}: ${event}`);
    }
    return events;
  }

  /** Closes every session that was opened: one that expired later would move the zxid in the middle of another run. */
  async end(): Promise<void> {
    for (const conn of this.conns) conn.destroy();
    for (const [id, password] of this.passwords) {
      const conn = new RawSession();
      const response = await conn.open(this.port, 4000, id, password, true);
      if (response !== undefined && response.readInt32BE(4) > 0) {
        conn.send(new JuteWriter().int(1).int(OpCode.closeSession).bytes());
        while ((await conn.next()) !== undefined);
      }
      conn.destroy();
    }
  }

  private async one(step: Step): Promise<string> {
    const own = step.kind === 'request' ? await this.request(step) : await this.connect(step);
    return [own, ...(await this.eventsElsewhere())].join('\n    ');
  }

  private async connect(step: Exclude<Step, { kind: 'request' }>): Promise<string> {
    const old = this.conns[step.conn];
    const conn = new RawSession();
    this.conns[step.conn] = conn;
    let response: Buffer | undefined;
    if (step.kind === 'open') {
      old?.destroy();
      response = await conn.open(this.port, step.timeout, 0n, Buffer.alloc(16), step.readOnlyByte);
    } else {
      const password = step.password === 'right' ? (old?.password ?? Buffer.alloc(16)) : Buffer.alloc(16, 7);
      response = await conn.open(this.port, 20000, old?.id ?? 1n, password, true);
      if (conn.id === 0n && old !== undefined) {
        conn.id = old.id;
        conn.password = old.password;
      }
    }
    if (this.opened++ === 0) await this.learnBase(conn);
    if (conn.id !== 0n && !this.masks.sessions.has(conn.id))
      this.masks.sessions.set(conn.id, `session${this.masks.sessions.size}`);
    if (response === undefined) return 'closed';
    if (response.readInt32BE(4) <= 0) while ((await conn.next()) !== undefined);
    else this.passwords.set(conn.id, conn.password);
    return `version=${response.readInt32BE(0)} timeout=${response.readInt32BE(4)} session=${this.masks.owner(response.readBigInt64BE(8))} length=${response.length}`;
  }

  private async learnBase(conn: RawSession): Promise<void> {
    conn.send(new JuteWriter().int(-2).int(OpCode.ping).bytes());
    const frame = await conn.next();
    this.masks.baseZxid = frame === undefined ? 0 : Number(frame.readBigInt64BE(4));
  }

  private async request(step: Extract<Step, { kind: 'request' }>): Promise<string> {
    const conn = this.conns[step.conn];
    if (conn === undefined || conn.closed) return 'not connected';
    const header = new JuteWriter().int(step.xid).int(step.op).bytes();
    conn.send(Buffer.concat([header, step.body]));
    const seen: string[] = [];
    for (;;) {
      const frame = await conn.next();
      if (frame === undefined) {
        seen.push('closed');
        break;
      }
      seen.push(describe(step.op, frame, this.masks));
      const xid = frame.readInt32BE(0);
      if (xid !== step.xid && !(step.op === OpCode.ping && xid === -2)) continue;
      if (!endsConnection(step.op, frame)) break;
    }
    return seen.join(' | ');
  }

  /** Everything that was sent on the connection before the answer to a ping. */
  private async barrier(index: number): Promise<string[]> {
    const conn = this.conns[index];
    if (conn === undefined || conn.closed) return [];
    conn.send(new JuteWriter().int(BARRIER_XID).int(OpCode.ping).bytes());
    const events: string[] = [];
    for (;;) {
      const frame = await conn.next();
      if (frame === undefined) return [...events, 'closed'];
      if (frame.readInt32BE(0) === BARRIER_XID) return events;
      events.push(describe(0, frame, this.masks));
    }
  }
}

/** Whether requests behind this one are answered behind it, and the connection goes on. */
function keepsOrder(op: number): boolean {
  return (
    op > 0 &&
    op !== 10 &&
    op !== OpCode.auth &&
    op !== OpCode.sasl &&
    op !== OpCode.checkWatches &&
    op <= 107 &&
    !(op > 22 && op < 100)
  );
}

/** Whether the server closes the connection after this reply: then the test waits for it. */
function endsConnection(op: number, frame: Buffer): boolean {
  const zxid = frame.readBigInt64BE(4);
  const error = frame.readInt32BE(12);
  return (
    op === OpCode.closeSession || (error === ErrorCode.Unimplemented && zxid === -1n) || error === ErrorCode.AuthFailed
  );
}
