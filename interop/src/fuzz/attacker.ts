// One connection that sends damaged frames in batches, looks at every answer, and comes back when it is thrown out.

import { connect, type Socket } from 'node:net';
import { ErrorCode, JuteWriter, OpCode, opName } from '@nodekeeper/protocol';
import type { Random } from '../differential/random.js';
import { type Frame, PLAYGROUND } from './frames.js';
import { mutate } from './mutate.js';
import { mayTouchLedger, type Tally } from './tally.js';

export interface Attack {
  readonly port: number;
  readonly random: Random;
  readonly frames: readonly Frame[];
  readonly tally: Tally;
  /** Frames that may not be sent. */
  readonly forbidden: (payload: Buffer) => boolean;
  /** Whether there has been enough. */
  readonly over: () => boolean;
  readonly problem: (text: string) => void;
  /** Told of every batch, for the report of a failure. */
  readonly sending: (bytes: Buffer) => void;
}

const BATCH = 64;
const STUCK_MS = 15_000;
const HANDSHAKE_MS = 1_000;
/** Answered to every frame or not, this is: it ends a batch. */
const SENTINEL_XID = 0x5e000000;
/** Far from the numbers that damage leaves in a header (mutate.ts), or answers could not be told apart. */
const FIRST_XID = 0x23456000;
const CODES = new Set<number>(Object.values(ErrorCode));
/** Answered at once, before requests that came earlier. */
const OVERTAKES = new Set<number>([OpCode.auth, OpCode.sasl]);

export class Attacker {
  private readonly attack: Attack;
  private socket: Socket | undefined;
  private received: Buffer = Buffer.alloc(0);
  private shaken = false;
  private timer: NodeJS.Timeout | undefined;
  /** Operation and relation to the ledger of each frame of the batch. */
  private batch: { readonly op: number; readonly ledger: boolean; answered: boolean }[] = [];
  private xid = FIRST_XID;
  private lastIndex = -1;
  /** The last answer, for the report of a failure. */
  private previous: Buffer = Buffer.alloc(0);
  private lies = false;
  private ended = false;

  constructor(attack: Attack) {
    this.attack = attack;
  }

  start(): void {
    const { port, random } = this.attack;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket = socket;
    this.received = Buffer.alloc(0);
    this.shaken = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => this.onData(chunk));
    socket.on('close', () => this.onClose());
    socket.on('connect', () => {
      const hello = new JuteWriter().int(0).long53(0).int(4000).long(0n).buffer(Buffer.alloc(16)).bool(false).bytes();
      if (random.chance(90)) {
        socket.write(framed(hello));
        this.next();
        return;
      }
      const damaged = mutate(random, Buffer.from(hello), this.attack.frames);
      socket.write(random.chance(80) ? framed(damaged) : this.liedLength(damaged));
      this.arm(HANDSHAKE_MS, () => socket.destroy());
    });
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket?.destroy();
  }

  private arm(ms: number, action: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(action, ms);
  }

  private next(): void {
    const { random, tally, over, sending } = this.attack;
    const { socket } = this;
    if (socket === undefined || socket.destroyed) return;
    if (over()) {
      clearTimeout(this.timer);
      return;
    }
    this.batch = [];
    this.lastIndex = -1;
    this.xid += BATCH;
    const parts: Buffer[] = [];
    for (let i = 0; i < BATCH; i++) {
      const payload = this.frame();
      const ledger = mayTouchLedger(payload);
      const op = payload.length >= 8 ? payload.readInt32BE(4) : 0;
      if (payload.length >= 4 && (ledger || random.chance(97))) payload.writeInt32BE(this.xid + i, 0);
      tally.sent(op);
      if (ledger) tally.ledger.sent++;
      this.batch.push({ op, ledger, answered: false });
      parts.push(framed(payload));
    }
    const sentinel = new JuteWriter().int(SENTINEL_XID).int(OpCode.exists).string(PLAYGROUND).bool(false);
    parts.push(framed(sentinel.bytes()));
    this.lies = random.chance(4);
    if (this.lies) parts.push(this.liedLength(random.pick(this.attack.frames).payload));
    const bytes = Buffer.concat(parts);
    sending(bytes);
    socket.write(bytes);
    this.arm(STUCK_MS, () => {
      this.attack.problem(`a batch was not answered within ${STUCK_MS / 1000} s: ${this.unanswered()}`);
      socket.destroy();
    });
  }

  /** A frame; of those that end the connection only some, or there would be nothing else. */
  private frame(): Buffer {
    const { random, frames, forbidden } = this.attack;
    for (;;) {
      const { payload } = random.pick(frames);
      const damaged = random.chance(80);
      const made = damaged ? mutate(random, payload, frames) : Buffer.from(payload);
      if (forbidden(made)) continue;
      if (mayEndConnection(made, damaged) && !random.chance(4)) continue;
      return made;
    }
  }

  private liedLength(payload: Buffer): Buffer {
    const frame = framed(payload);
    const n = payload.length;
    const lie = this.attack.random.pick([-1, 0, 3, n + 1, n + 1000, 0xfffff, 0x100000, 0x7fffffff, -0x80000000]);
    frame.writeInt32BE(lie, 0);
    return frame;
  }

  private onData(chunk: Buffer): void {
    const received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    let at = 0;
    while (received.length >= at + 4) {
      const n = received.readInt32BE(at);
      if (n < 0) {
        this.attack.problem(`an answer of ${n} bytes behind ${this.previous.toString('hex')}`);
        this.socket?.destroy();
        return;
      }
      if (received.length < at + 4 + n) break;
      this.onFrame(received.subarray(at + 4, at + 4 + n));
      at += 4 + n;
    }
    this.received = received.subarray(at);
  }

  private onFrame(frame: Buffer): void {
    const { tally, problem } = this.attack;
    if (!this.shaken) {
      this.shaken = true;
      // The handshake was a damaged one, and is accepted: the batches begin now.
      if (this.batch.length === 0) this.next();
      return;
    }
    if (frame.length < 16) {
      problem(`an answer of ${frame.length} bytes: ${frame.toString('hex')}, behind ${this.previous.toString('hex')}`);
      this.socket?.destroy();
      return;
    }
    this.previous = frame;
    const xid = frame.readInt32BE(0);
    const error = frame.readInt32BE(12);
    if (xid === -1 && error === 0 && frame.length > 16) {
      tally.notifications++;
      return;
    }
    if (xid === SENTINEL_XID) {
      if (this.lies) this.socket?.destroy();
      else this.next();
      return;
    }
    if (!CODES.has(error)) problem(`an unknown error code: ${frame.toString('hex')}`);
    const index = xid - this.xid;
    const request = this.batch[index];
    if (request === undefined) {
      tally.answered(xid === -2 ? OpCode.ping : undefined, error);
      return;
    }
    if (request.answered) problem(`${opName(request.op)} is answered twice`);
    request.answered = true;
    tally.answered(request.op, error);
    if (request.ledger) {
      if (error === 0) tally.ledger.ok++;
      else tally.ledger.refused++;
    }
    if (OVERTAKES.has(request.op) || error === ErrorCode.Unimplemented) return;
    if (index < this.lastIndex) problem(`${opName(request.op)} is answered after a later request`);
    this.lastIndex = index;
  }

  private onClose(): void {
    clearTimeout(this.timer);
    this.attack.tally.closed++;
    this.batch = [];
    if (!this.ended && !this.attack.over()) setImmediate(() => this.start());
  }

  private unanswered(): string {
    return this.batch
      .filter(({ answered }) => !answered)
      .map(({ op }) => opName(op))
      .join(', ');
  }
}

function framed(payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(payload.length + 4);
  frame.writeInt32BE(payload.length, 0);
  payload.copy(frame, 4);
  return frame;
}

const KNOWN = new Set<number>(Object.values(OpCode));
const ENDING = new Set<number>([
  OpCode.closeSession,
  OpCode.check,
  OpCode.createSession,
  OpCode.notification,
  OpCode.error,
]);

function mayEndConnection(payload: Buffer, damaged: boolean): boolean {
  if (payload.length < 8) return true;
  const op = payload.readInt32BE(4);
  return !KNOWN.has(op) || ENDING.has(op) || (damaged && OVERTAKES.has(op));
}
