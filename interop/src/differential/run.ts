// Runs one sequence against one server, step by step, and writes down everything that comes back.

import { ErrorCode, JuteWriter, OpCode } from '@nodekeeper/protocol';
import { CONNECTIONS, type Step } from './generate.js';
import { describe, Masks } from './mask.js';
import { RawSession } from './session.js';

const BARRIER_XID = -2;

/** What each step brought, in comparable text. */
export async function runSequence(port: number, steps: readonly Step[]): Promise<string[]> {
  const run = new SequenceRun(port);
  try {
    return await run.all(steps);
  } finally {
    await run.end();
  }
}

class SequenceRun {
  private readonly port: number;
  private readonly masks = new Masks();
  private readonly conns: RawSession[] = [];
  private opened = 0;
  private readonly passwords = new Map<bigint, Buffer>();

  constructor(port: number) {
    this.port = port;
  }

  async all(steps: readonly Step[]): Promise<string[]> {
    const out: string[] = [];
    for (const step of steps) out.push(await this.one(step));
    return out;
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
    const events: string[] = [];
    for (let i = 0; i < CONNECTIONS; i++) {
      for (const event of await this.barrier(i)) events.push(`conn${i}: ${event}`);
    }
    return [own, ...events].join('\n    ');
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

/** Whether the server closes the connection after this reply: then the test waits for it. */
function endsConnection(op: number, frame: Buffer): boolean {
  const zxid = frame.readBigInt64BE(4);
  const error = frame.readInt32BE(12);
  return (
    op === OpCode.closeSession || (error === ErrorCode.Unimplemented && zxid === -1n) || error === ErrorCode.AuthFailed
  );
}
