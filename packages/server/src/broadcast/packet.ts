// What travels between leader and learners. QuorumPacket, without outer framing:
//   int type, long zxid, buffer data (-1 for null), vector<Id> authinfo (-1 for null; Id = ustring scheme, ustring id)
// The SNAP packet is followed by a snapshot's body and the text BenWasHere, see snapshot-stream.ts.

import { type Identity, MOST_IDENTITIES } from '../request/identity.js';
import type { ReplyBuffer } from '../request/reply-buffer.js';

export const PacketType = {
  request: 1,
  proposal: 2,
  ack: 3,
  commit: 4,
  ping: 5,
  revalidate: 6,
  sync: 7,
  inform: 8,
  commitAndActivate: 9,
  newLeader: 10,
  followerInfo: 11,
  upToDate: 12,
  diff: 13,
  trunc: 14,
  snap: 15,
  observerInfo: 16,
  leaderInfo: 17,
  ackEpoch: 18,
  informAndActivate: 19,
} as const;

export const PROTOCOL_VERSION = 0x10000;

/** What the other side sent cannot be right: the connection ends, not the server. */
export class PacketError extends Error {
  override readonly name = 'PacketError';
}

/** A packet as received; `data` is a part of the received bytes, valid while the packet is handled. */
export interface Packet {
  readonly type: number;
  readonly zxid: number;
  readonly data: Buffer | null;
  readonly identities: readonly Identity[];
  /** Bytes of a request's body that are not in `data`, as they are more than is taken. */
  readonly leftOut: number;
}

const HEAD = 16; // type, zxid, length of data
const REQUEST_HEAD = 16; // session, cxid, opcode
const NO_IDENTITIES: readonly Identity[] = [];
const NOTHING = Buffer.alloc(0);

/** Appends a packet without authinfo; `data[start, end)` or, with null, none. */
export function writePacket(
  out: ReplyBuffer,
  type: number,
  zxid: number,
  data: Buffer | null,
  start = 0,
  end = data?.length ?? 0,
): void {
  writeHead(out, type, zxid);
  if (data === null) {
    out.int(-1);
  } else {
    out.int(end - start);
    out.raw(data, start, end - start);
  }
  out.int(-1);
}

/**
 * Appends a request: long session, int cxid, int opcode, body; then the identities, null for a session that begins.
 */
export function writeRequest(
  out: ReplyBuffer,
  session: bigint,
  cxid: number,
  op: number,
  body: Buffer,
  identities: readonly Identity[] | null,
): void {
  writeHead(out, PacketType.request, -1);
  out.int(REQUEST_HEAD + body.length);
  out.int(Number(BigInt.asIntN(32, session >> 32n)));
  out.int(Number(BigInt.asIntN(32, session)));
  out.int(cxid);
  out.int(op);
  out.raw(body, 0, body.length);
  if (identities === null) {
    out.int(-1);
    return;
  }
  out.int(identities.length);
  for (const { scheme, id } of identities) {
    out.string(scheme);
    out.string(id);
  }
}

function writeHead(out: ReplyBuffer, type: number, zxid: number): void {
  const hi = Math.floor(zxid / 4294967296);
  out.int(type);
  out.int(hi);
  out.int((zxid - hi * 4294967296) | 0);
}

/** Finds packets in the bytes of a connection. What follows a packet can be taken over raw, and packets can be held back. */
export class PacketReader {
  private buf: Buffer = NOTHING;
  private pos = 0;
  private end = 0;
  /** Whether {@link buf} is a copy, and has room to grow in. */
  private owned = false;
  private readonly maxData: number;
  private readonly onPacket: (packet: Packet) => void;
  private raw: ((buf: Buffer, start: number, end: number) => number) | null = null;
  private heldBack = false;
  private busy = false;
  /** The head of a request whose body is passed over: how much of that is still to come, and how much it was. */
  private head: Buffer = NOTHING;
  private toPassOver = 0;
  private leftOut = 0;

  /**
   * @param maxData the largest data that is believed, in bytes; of a larger request only the head is handed out
   * @param onPacket may call {@link takeRaw} and {@link hold}
   */
  constructor(maxData: number, onPacket: (packet: Packet) => void) {
    this.maxData = maxData;
    this.onPacket = onPacket;
  }

  /**
   * Takes in received bytes, which are lent until it returns, and hands out the packets that are whole.
   * @throws PacketError for what is no packet
   */
  feed(chunk: Buffer): void {
    if (this.pos === this.end) {
      this.buf = chunk;
      this.pos = 0;
      this.end = chunk.length;
      this.owned = false;
    } else {
      this.makeRoom(chunk.length);
      this.end += chunk.copy(this.buf, this.end);
    }
    this.run();
    if (this.pos === this.end) this.buf = NOTHING;
    else if (!this.owned) this.makeRoom(0);
  }

  /** Has what is left stand in an own buffer, with room for more behind it. */
  private makeRoom(bytes: number): void {
    if (this.owned && this.end + bytes <= this.buf.length) return;
    const left = this.end - this.pos;
    const room = Buffer.allocUnsafeSlow(Math.max(left + bytes, 2 * left));
    this.buf.copy(room, 0, this.pos, this.end);
    this.buf = room;
    this.pos = 0;
    this.end = left;
    this.owned = true;
  }

  /** Hands all that follows to `take` until that says, by a number ≥ 0, at which position the packets go on. */
  takeRaw(take: (buf: Buffer, start: number, end: number) => number): void {
    this.raw = take;
  }

  /** Keeps packets back until {@link release}. */
  hold(): void {
    this.heldBack = true;
  }

  get held(): boolean {
    return this.heldBack;
  }

  release(): void {
    this.heldBack = false;
    this.run();
  }

  private run(): void {
    if (this.busy) return;
    this.busy = true;
    try {
      while (!this.heldBack && this.pos < this.end) {
        if (this.raw !== null) {
          const at = this.raw(this.buf, this.pos, this.end);
          if (at < 0) {
            this.pos = this.end;
            return;
          }
          this.raw = null;
          this.pos = at;
        } else if (this.toPassOver > 0) {
          this.passOver();
        } else if (!this.next()) {
          return;
        }
      }
    } finally {
      this.busy = false;
    }
  }

  private next(): boolean {
    const { buf, pos, end } = this;
    if (end - pos < HEAD + 4) return false;
    const length = buf.readInt32BE(pos + 12);
    if (length < -1) throw new PacketError(`a packet with ${length} bytes`);
    if (length > this.maxData) {
      if (buf.readInt32BE(pos) === PacketType.request) return this.behead(length);
      throw new PacketError(
        `a packet with ${length} bytes, more than the ${this.maxData} that are taken here: set jute.maxbuffer as high as at the other servers`,
      );
    }
    const dataEnd = pos + HEAD + Math.max(length, 0);
    if (end < dataEnd + 4) return false;
    const count = buf.readInt32BE(dataEnd);
    let after = dataEnd + 4;
    let identities = NO_IDENTITIES;
    if (count > 0) {
      if (count > MOST_IDENTITIES) throw new PacketError(`a packet with ${count} identities`);
      const list: Identity[] = [];
      for (let i = 0; i < count; i++) {
        const scheme = this.text(after);
        const id = scheme === undefined ? undefined : this.text(scheme.end);
        if (scheme === undefined || id === undefined) return false;
        after = id.end;
        if (after - dataEnd > this.maxData) throw new PacketError('a packet with too long identities');
        list.push({ scheme: scheme.text, id: id.text });
      }
      identities = list;
    }
    this.pos = after;
    const { leftOut } = this;
    this.leftOut = 0;
    const hi = buf.readInt32BE(pos + 4);
    this.onPacket({
      type: buf.readInt32BE(pos),
      zxid: hi * 4294967296 + buf.readUInt32BE(pos + 8),
      data: length < 0 ? null : buf.subarray(pos + HEAD, dataEnd),
      identities,
      leftOut,
    });
    return true;
  }

  /** Has a request that is too large read as one without a body: it fails, and others, of other clients, do not. */
  private behead(length: number): boolean {
    const { buf, pos, end } = this;
    if (end - pos < HEAD + REQUEST_HEAD) return false;
    this.head = Buffer.from(buf.subarray(pos, pos + HEAD + REQUEST_HEAD));
    this.head.writeInt32BE(REQUEST_HEAD, 12);
    this.pos += this.head.length;
    this.leftOut = length - REQUEST_HEAD;
    this.toPassOver = this.leftOut;
    return true;
  }

  private passOver(): void {
    const bytes = Math.min(this.toPassOver, this.end - this.pos);
    this.pos += bytes;
    this.toPassOver -= bytes;
    if (this.toPassOver > 0) return;
    this.buf = Buffer.concat([this.head, this.buf.subarray(this.pos, this.end)]);
    this.pos = 0;
    this.end = this.buf.length;
    this.owned = true;
  }

  private text(at: number): { readonly text: string; readonly end: number } | undefined {
    if (this.end < at + 4) return undefined;
    const n = this.buf.readInt32BE(at);
    if (n < 0) return { text: '', end: at + 4 };
    if (n > this.maxData) throw new PacketError(`an identity of ${n} bytes`);
    if (this.end < at + 4 + n) return undefined;
    return { text: this.buf.toString('utf8', at + 4, at + 4 + n), end: at + 4 + n };
  }
}
