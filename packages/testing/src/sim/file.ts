// A simulated file: what programs see, what is on the medium, and the changes that are on the way between.

import type { Random } from './random.js';

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'size'; readonly size: number };

/** A medium writes this many bytes whole or not at all. */
const SECTOR = 512;

/** Bytes with a length, in a buffer that grows. */
class Content {
  private buf = Buffer.alloc(0);
  size = 0;

  apply(change: Change): void {
    if (change.kind === 'size') this.resize(change.size);
    else {
      this.resize(Math.max(this.size, change.position + change.bytes.length));
      change.bytes.copy(this.buf, change.position);
    }
  }

  private resize(size: number): void {
    if (size > this.buf.length) {
      const grown = Buffer.alloc(Math.max(size, this.buf.length * 2));
      this.buf.copy(grown, 0, 0, this.size);
      this.buf = grown;
    } else if (size < this.size) {
      this.buf.fill(0, size, this.size);
    }
    this.size = size;
  }

  bytes(): Buffer {
    return this.buf.subarray(0, this.size);
  }

  become(other: Content): void {
    this.buf = Buffer.from(other.bytes());
    this.size = other.size;
  }
}

export class SimFile {
  private readonly seen = new Content();
  private readonly medium = new Content();
  /** In `seen` and not on the medium, oldest first. */
  private changes: Change[] = [];

  get size(): number {
    return this.seen.size;
  }

  /** What programs see, as a view. */
  bytes(): Buffer {
    return this.seen.bytes();
  }

  write(position: number, bytes: Buffer): void {
    this.change({ kind: 'write', position, bytes: Buffer.from(bytes) });
  }

  resize(size: number): void {
    this.change({ kind: 'size', size });
  }

  private change(change: Change): void {
    this.seen.apply(change);
    this.changes.push(change);
  }

  /** A write that is durable when it is done, with the size that is needed to read it (O_DSYNC). */
  writeDurably(position: number, bytes: Buffer): void {
    const change: Change = { kind: 'write', position, bytes: Buffer.from(bytes) };
    this.seen.apply(change);
    for (const earlier of this.changes) if (earlier.kind === 'size') this.medium.apply(earlier);
    this.changes = this.changes.filter((earlier) => earlier.kind !== 'size' && !overlaps(earlier, change));
    this.medium.apply(change);
  }

  /** What a failed write leaves: the system goes on showing it, and no sync brings it to the medium. */
  show(position: number, bytes: Buffer): void {
    this.seen.apply({ kind: 'write', position, bytes: Buffer.from(bytes) });
  }

  sync(): void {
    for (const change of this.changes) this.medium.apply(change);
    this.changes = [];
  }

  /** The power fails: of what was not synced, any part may have reached the medium. */
  losePower(random: Random): void {
    const keep = random.pick([0, 0.5, 1]);
    for (const change of this.changes) {
      if (!random.chance(keep)) continue;
      if (change.kind === 'write') for (const part of sectors(change, random)) this.medium.apply(part);
      else this.medium.apply(change);
    }
    this.changes = [];
    this.seen.become(this.medium);
  }

  /** Flips a bit on the medium. */
  flip(position: number, bit: number): void {
    const byte = this.medium.bytes();
    if (position >= byte.length) return;
    byte[position] = (byte[position] as number) ^ (1 << bit);
    this.seen.bytes()[position] = byte[position] as number;
  }
}

/** The sectors of a write that reach the medium: all of them, or some. */
function* sectors(change: Change & { kind: 'write' }, random: Random): Generator<Change> {
  if (random.chance(0.5)) {
    yield change;
    return;
  }
  const { position, bytes } = change;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + SECTOR - ((position + at) % SECTOR));
    if (random.chance(0.6)) yield { kind: 'write', position: position + at, bytes: bytes.subarray(at, end) };
    at = end;
  }
}

/** What a part of a write leaves of it when the process ends in its midst. */
export function torn(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, random.chance(0.3) ? bytes.length : random.int(bytes.length + 1));
}

function overlaps(a: Change & { kind: 'write' }, b: Change & { kind: 'write' }): boolean {
  return a.position < b.position + b.bytes.length && b.position < a.position + a.bytes.length;
}
