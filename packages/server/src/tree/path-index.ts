// The hash table from path to node: open addressing over (hash, id) pairs outside the JavaScript heap, in 256 segments
// that grow one at a time, so that no single insertion pays for the size of the tree.

const SEGMENTS = 256;
const FIRST_CAPACITY = 8;

/** A secret word for each byte: who does not know them cannot choose names that collide. */
export type HashKey = Int32Array;

/** The key of a seed, which is a whole number of up to 53 bits. */
export function hashKey(seed: number): HashKey {
  const key = new Int32Array(256);
  const high = Math.floor(seed / 4294967296);
  let word = seed | 0;
  for (let i = 0; i < 256; i++) {
    word = (word + 0x9e3779b9) | 0;
    key[i] = hashEnd(hashEnd(hashEnd(word) ^ high) + word);
  }
  return key;
}

/** The keyed hash of the path's bytes. */
export function hashPath(buf: Uint8Array, start: number, end: number, key: HashKey): number {
  let hash = hashStart(end - start, key);
  for (let i = start; i < end; i++) hash = hashByte(hash, buf[i] as number, key);
  return hashEnd(hash);
}

/** The hash of a path whose bytes come one by one: how it begins, for their number. */
export function hashStart(length: number, key: HashKey): number {
  return (key[length & 255] as number) ^ length;
}

/**
 * The hash with one byte more. Its high bits come back as low ones: otherwise names that collide could be computed from the low
 * bits of the key alone, which a client can find out by time.
 */
export function hashByte(hash: number, byte: number, key: HashKey): number {
  return Math.imul(((hash << 13) | (hash >>> 19)) ^ (key[byte] as number), 0x9e3779b1);
}

/** The hash when all bytes have come: what {@link hashPath} tells of them at once. */
export function hashEnd(hash: number): number {
  let h = hash ^ (hash >>> 15);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  return h | 0;
}

export class PathIndex {
  private readonly tables: Int32Array[] = [];
  private readonly counts = new Int32Array(SEGMENTS);

  constructor() {
    for (let i = 0; i < SEGMENTS; i++) this.tables.push(new Int32Array(FIRST_CAPACITY * 2));
  }

  /** The segment to probe for a hash. */
  table(hash: number): Int32Array {
    return this.tables[hash >>> 24] as Int32Array;
  }

  /** The position of the first pair to probe; go on with `(slot + 2) & (table.length - 1)` until the id is 0. */
  static slot(table: Int32Array, hash: number): number {
    return (hash << 1) & (table.length - 1);
  }

  add(hash: number, id: number): void {
    const segment = hash >>> 24;
    let table = this.tables[segment] as Int32Array;
    const count = ((this.counts[segment] as number) + 1) | 0;
    if (count * 8 > table.length * 3) table = this.grow(segment); // beyond three quarters full
    this.counts[segment] = count;
    insert(table, hash, id);
  }

  remove(hash: number, id: number): void {
    const segment = hash >>> 24;
    const table = this.tables[segment] as Int32Array;
    const mask = table.length - 1;
    let slot = PathIndex.slot(table, hash);
    while (table[slot + 1] !== id) {
      if (table[slot + 1] === 0) throw new Error(`path index: node ${id} is not in its segment`);
      slot = (slot + 2) & mask;
    }
    this.counts[segment] = (this.counts[segment] as number) - 1;
    // Close the gap: move later pairs of the run forward unless that would put them before their first slot.
    let gap = slot;
    for (let next = (gap + 2) & mask; table[next + 1] !== 0; next = (next + 2) & mask) {
      const home = PathIndex.slot(table, table[next] as number);
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        table[gap] = table[next] as number;
        table[gap + 1] = table[next + 1] as number;
        gap = next;
      }
    }
    table[gap + 1] = 0;
  }

  private grow(segment: number): Int32Array {
    const old = this.tables[segment] as Int32Array;
    const table = new Int32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] !== 0) insert(table, old[i] as number, old[i + 1] as number);
    }
    this.tables[segment] = table;
    return table;
  }
}

function insert(table: Int32Array, hash: number, id: number): void {
  const mask = table.length - 1;
  let slot = PathIndex.slot(table, hash);
  while (table[slot + 1] !== 0) slot = (slot + 2) & mask;
  table[slot] = hash;
  table[slot + 1] = id;
}
