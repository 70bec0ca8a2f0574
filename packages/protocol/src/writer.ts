// Jute encoding: appends to a buffer that grows. All numbers are big-endian; see docs/protocol.md for the encodings.

import { encodeString, MOST_BYTES } from './strings.js';

/** Up to so many bytes are copied one by one, which is faster than making the view that a copy as a whole needs. */
const BY_HAND = 200;

/** Appends records to a growing buffer. */
export class JuteWriter {
  private memory: Buffer;
  private view: DataView;
  pos = 0;

  constructor(initialSize = 256) {
    this.memory = Buffer.allocUnsafe(initialSize);
    this.view = viewOf(this.memory);
  }

  /** What is written into; another one after it has grown or was {@link take}n. */
  get buf(): Buffer {
    return this.memory;
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    const need = this.pos + bytes;
    if (need <= this.memory.length) return;
    const grown = Buffer.allocUnsafe(Math.max(need, this.memory.length * 2));
    this.memory.copy(grown, 0, 0, this.pos);
    this.memory = grown;
    this.view = viewOf(grown);
  }

  byte(v: number): this {
    this.reserve(1);
    this.memory[this.pos++] = v;
    return this;
  }

  bool(v: boolean): this {
    return this.byte(v ? 1 : 0);
  }

  /** @throws RangeError if it is no signed 32-bit integer */
  int(v: number): this {
    if (v !== (v | 0)) throw new RangeError(`${v} is no 32-bit integer`);
    this.reserve(4);
    this.view.setInt32(this.pos, v);
    this.pos += 4;
    return this;
  }

  /** A number within 53 bits as a signed 64-bit integer. */
  long53(v: number): this {
    this.reserve(8);
    const hi = Math.floor(v / 4294967296);
    this.int(hi);
    this.view.setUint32(this.pos, v - hi * 4294967296);
    this.pos += 4;
    return this;
  }

  long(v: bigint): this {
    this.reserve(8);
    this.pos = this.memory.writeBigInt64BE(BigInt.asIntN(64, v), this.pos);
    return this;
  }

  buffer(v: Uint8Array | null): this {
    if (v === null) return this.int(-1);
    this.int(v.length);
    this.reserve(v.length);
    this.memory.set(v, this.pos);
    this.pos += v.length;
    return this;
  }

  /** `from[start, start + length)` as a buffer; null if the length is -1. */
  bufferFrom(from: Buffer, start: number, length: number): this {
    this.int(length);
    if (length <= 0) return this;
    this.reserve(length);
    const { memory } = this;
    if (length > BY_HAND) memory.set(from.subarray(start, start + length), this.pos);
    else for (let i = 0; i < length; i++) memory[this.pos + i] = from[start + i] as number;
    this.pos += length;
    return this;
  }

  string(v: string | null): this {
    if (v === null) return this.int(-1);
    this.reserve(4 + MOST_BYTES * v.length);
    const end = encodeString(this.memory, this.pos + 4, v);
    this.int(end - this.pos - 4);
    this.pos = end;
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
    return this.memory.subarray(0, this.pos);
  }

  /** Hands over what was written so far, and begins with memory of its own for so many bytes. */
  take(size: number): Buffer {
    const taken = this.bytes();
    this.memory = Buffer.allocUnsafe(size);
    this.view = viewOf(this.memory);
    this.pos = 0;
    return taken;
  }

  clear(): this {
    this.pos = 0;
    return this;
  }
}

function viewOf(buf: Buffer): DataView {
  return new DataView(buf.buffer, buf.byteOffset, buf.length);
}
