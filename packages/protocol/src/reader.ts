// Jute decoding: a cursor over received bytes. All numbers are big-endian; see docs/protocol.md for the encodings.

import { decodeUtf8 } from './strings.js';

/** Thrown when the bytes do not hold what they should; a server answers MARSHALLINGERROR, a client drops the connection. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** The largest length of a buffer or string that is believed: jute.maxbuffer plus zookeeper.jute.maxbuffer.extrasize. */
export const DEFAULT_MAX_LENGTH = 2 * 0xfffff;

/** The most that jute.maxbuffer may be: no field of a request, a log or a snapshot is larger. */
export const LARGEST_MAX_LENGTH = 0x3fffffff;

/** A cursor over `buf[pos, end)`. Every read checks the bound and throws {@link DecodeError} beyond it. */
export class JuteReader {
  buf: Buffer;
  pos: number;
  end: number;
  readonly maxLength: number;

  constructor(buf: Buffer, pos = 0, end = buf.length, maxLength = DEFAULT_MAX_LENGTH) {
    this.buf = buf;
    this.pos = pos;
    this.end = end;
    this.maxLength = maxLength;
  }

  /** Points the cursor at other bytes, so that one reader serves a whole connection. */
  reset(buf: Buffer, pos: number, end: number): this {
    this.buf = buf;
    this.pos = pos;
    this.end = end;
    return this;
  }

  get remaining(): number {
    return this.end - this.pos;
  }

  private take(bytes: number): number {
    const at = this.pos;
    if (at + bytes > this.end) throw new DecodeError(`${bytes} bytes wanted, ${this.end - at} left`);
    this.pos = at + bytes;
    return at;
  }

  byte(): number {
    return this.buf[this.take(1)] as number;
  }

  /** Any non-zero byte is true. */
  bool(): boolean {
    return this.buf[this.take(1)] !== 0;
  }

  int(): number {
    const at = this.take(4);
    const { buf } = this;
    return (
      ((buf[at] as number) << 24) |
      ((buf[at + 1] as number) << 16) |
      ((buf[at + 2] as number) << 8) |
      (buf[at + 3] as number)
    );
  }

  /** A signed 64-bit number that the caller knows to fit into 53 bits (zxids, times). */
  long53(): number {
    const at = this.take(8);
    return this.buf.readInt32BE(at) * 4294967296 + this.buf.readUInt32BE(at + 4);
  }

  /** A signed 64-bit integer. Zero, the owner of most nodes, is had without making a bigint. */
  long(): bigint {
    const at = this.take(8);
    if (this.buf.readInt32BE(at) === 0 && this.buf.readInt32BE(at + 4) === 0) return 0n;
    return this.buf.readBigInt64BE(at);
  }

  private length(): number {
    const n = this.int();
    if (n < -1 || n > this.maxLength) throw new DecodeError(`unreasonable length ${n}`);
    return n;
  }

  /** A buffer as a view of the received bytes (not a copy), or null for length -1. */
  buffer(): Buffer | null {
    const n = this.length();
    if (n === -1) return null;
    const at = this.take(n);
    return this.buf.subarray(at, at + n);
  }

  /** Passes over a buffer, which then ends at {@link pos}; returns its length, -1 for null. */
  skipBuffer(): number {
    const n = this.length();
    if (n > 0) this.take(n);
    return n;
  }

  /** A string, or null for length -1. Invalid UTF-8 decodes to U+FFFD as in Java. */
  string(): string | null {
    const n = this.length();
    if (n === -1) return null;
    const at = this.take(n);
    return decodeUtf8(this.buf, at, at + n);
  }

  /** A vector; null for count -1, empty for any other negative count, as Apache's decoder has it. */
  vector<T>(item: (reader: JuteReader) => T): T[] | null {
    const n = this.int();
    if (n === -1) return null;
    const out: T[] = [];
    for (let i = 0; i < n; i++) out.push(item(this));
    return out;
  }
}
