// Where replies are written: one growing buffer that leaves in one write. Straight-line stores, no allocation per field.

import { encodedLength, encodeString } from '@nodekeeper/protocol';
import { F, NodeFlag, type NodeId, type NodeStore } from '../tree/node-store.js';
import { type ExtendedTypes, OwnerKind, ownerKind } from '../tree/owner.js';

/** Length prefix and ReplyHeader: int length; int xid, long zxid, int err. */
export const REPLY_HEAD = 20;

export class ReplyBuffer {
  buf: Buffer;
  private view: DataView;
  pos = 0;

  constructor(size: number) {
    this.buf = Buffer.allocUnsafeSlow(size);
    this.view = new DataView(this.buf.buffer, this.buf.byteOffset, size);
  }

  get capacity(): number {
    return this.buf.length;
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const need = this.pos + bytes;
    if (need <= this.buf.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(need, this.buf.length * 2));
    grown.set(this.buf.subarray(0, this.pos));
    this.buf = grown;
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length);
  }

  /** Begins a reply; returns its position for {@link end}. */
  begin(xid: number, zxid: number, error: number): number {
    this.reserve(REPLY_HEAD);
    const start = this.pos;
    const { view } = this;
    const hi = Math.floor(zxid / 4294967296);
    view.setInt32(start + 4, xid);
    view.setInt32(start + 8, hi);
    view.setInt32(start + 12, zxid - hi * 4294967296);
    view.setInt32(start + 16, error);
    this.pos = start + REPLY_HEAD;
    return start;
  }

  /** Fills in the length of the reply that began at `start`. */
  end(start: number): void {
    this.view.setInt32(start, this.pos - start - 4);
  }

  /** A reply of a header alone. */
  header(xid: number, zxid: number, error: number): void {
    this.end(this.begin(xid, zxid, error));
  }

  byte(v: number): void {
    this.reserve(1);
    this.buf[this.pos++] = v;
  }

  int(v: number): void {
    this.reserve(4);
    this.view.setInt32(this.pos, v);
    this.pos += 4;
  }

  intAt(at: number, v: number): void {
    this.view.setInt32(at, v);
  }

  string(s: string): void {
    const n = encodedLength(s);
    this.int(n);
    this.reserve(n);
    this.pos = encodeString(this.buf, this.pos, s);
  }

  /** Bytes without a length. */
  raw(bytes: Uint8Array, start: number, end: number): void {
    const n = end - start;
    this.reserve(n);
    const { buf } = this;
    let to = this.pos;
    // A call of `set` costs more than a short copy by hand.
    if (n > 160) buf.set(bytes.subarray(start, end), to);
    else for (let i = start; i < end; i++) buf[to++] = bytes[i] as number;
    this.pos += n;
  }

  /** MultiHeader: int type, boolean done, int err */
  multiHeader(type: number, done: boolean, error: number): void {
    this.int(type);
    this.byte(done ? 1 : 0);
    this.int(error);
  }

  /** The node's data as a buffer with its length. */
  data(store: NodeStore, id: NodeId): void {
    if (store.get(id, F.flags) & NodeFlag.nullData) {
      this.int(-1);
      return;
    }
    const length = store.get(id, F.dataLength);
    this.int(length);
    if (length === 0) return;
    const handle = store.get(id, F.data);
    const at = store.arena.offset(handle);
    this.raw(store.arena.bytes(handle), at, at + length);
  }

  /** The node's Stat as clients see it: deletions of children counted in cversion, no owner for containers and TTL nodes. */
  stat(store: NodeStore, id: NodeId, extendedTypes: ExtendedTypes): void {
    this.reserve(68);
    const page = store.page(id);
    const at = store.base(id);
    const { view } = this;
    let to = this.pos;
    for (let i = 0; i < 17; i++, to += 4) view.setInt32(to, page[at + i] as number);
    const start = this.pos;
    view.setInt32(start + F.cversion * 4, (page[at + F.cversion] as number) * 2 - (page[at + F.numChildren] as number));
    const hi = page[at + F.owner] as number;
    if (hi !== 0) {
      const kind = ownerKind(hi, page[at + F.owner + 1] as number, extendedTypes);
      if (kind === OwnerKind.container || kind === OwnerKind.ttl) {
        view.setInt32(start + F.owner * 4, 0);
        view.setInt32(start + F.owner * 4 + 4, 0);
      }
    }
    this.pos = to;
  }
}
