// Jute encoding: appends to a buffer that grows. All numbers are big-endian; see docs/protocol.md for the encodings.

import { encodedLength, encodeString } from './strings.js';

/** Appends records to a growing buffer; `take` hands out what was written. */
export class JuteWriter {
  buf: Buffer;
  pos = 0;

  constructor(initialSize = 256) {
    this.buf = Buffer.allocUnsafe(initialSize);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const need = this.pos + bytes;
    if (need <= this.buf.length) return;
    const grown = Buffer.allocUnsafe(Math.max(need, this.buf.length * 2));
    this.buf.copy(grown, 0, 0, this.pos);
    this.buf = grown;
  }

  byte(v: number): this {
    this.reserve(1);
    this.buf[this.pos++] = v;
    return this;
  }

  bool(v: boolean): this {
    return this.byte(v ? 1 : 0);
  }

  int(v: number): this {
    this.reserve(4);
    this.pos = this.buf.writeInt32BE(v, this.pos);
    return this;
  }

  /** A number within 53 bits as a signed 64-bit integer. */
  long53(v: number): this {
    this.reserve(8);
    const hi = Math.floor(v / 4294967296);
    this.buf.writeInt32BE(hi, this.pos);
    this.buf.writeUInt32BE(v - hi * 4294967296, this.pos + 4);
    this.pos += 8;
    return this;
  }

  long(v: bigint): this {
    this.reserve(8);
    this.pos = this.buf.writeBigInt64BE(BigInt.asIntN(64, v), this.pos);
    return this;
  }

  buffer(v: Uint8Array | null): this {
    if (v === null) return this.int(-1);
    this.int(v.length);
    this.reserve(v.length);
    this.buf.set(v, this.pos);
    this.pos += v.length;
    return this;
  }

  string(v: string | null): this {
    if (v === null) return this.int(-1);
    const n = encodedLength(v);
    this.int(n);
    this.reserve(n);
    this.pos = encodeString(this.buf, this.pos, v);
    return this;
  }

  vector<T>(v: readonly T[] | null, item: (writer: JuteWriter, value: T) => void): this {
    if (v === null) return this.int(-1);
    this.int(v.length);
    for (const value of v) item(this, value);
    return this;
  }

  /** What was written so far, as a view; the writer must not be used again before `clear`. */
  bytes(): Buffer {
    return this.buf.subarray(0, this.pos);
  }

  clear(): this {
    this.pos = 0;
    return this;
  }
}
