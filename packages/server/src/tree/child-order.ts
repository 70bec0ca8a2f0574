// The order in which Apache's server lists children. Clients are not to count on it, and some do: it is that of a Java HashSet of
// their names, the buckets of its table in turn, in each the oldest first. The table has 8 buckets, twice as many whenever more
// than three quarters of them would be taken, and never fewer again. Source: DataNode and DataTree of Apache ZooKeeper.

import { F, type NodeId, type NodeStore } from './node-store.js';

/** Longer lists are in no order: ordering them would keep everybody waiting. */
export const MOST_ORDERED = 2000;
/**
 * In fuller buckets the oldest are not looked for: names that do not collide by chance would keep everybody waiting, and of buckets
 * with more than eight Java makes trees, in which others may come first.
 */
const MOST_IN_BUCKET = 16;
const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

const buckets = new Int32Array(MOST_ORDERED);
/** Where the next child with a digit goes. */
const places = new Int32Array(DIGITS + 1);
let ordered = new Int32Array(MOST_ORDERED);
/** Positions on their way from digit to digit; at the end the buckets of those in order. */
let spare = new Int32Array(MOST_ORDERED);

/**
 * The ids of up to {@link MOST_ORDERED} children in that order: the first ones, as many as there are children. Valid until the
 * next call.
 */
export function childrenInOrder(store: NodeStore, parent: NodeId): Int32Array {
  const count = store.get(parent, F.numChildren);
  if (count > MOST_ORDERED) throw new RangeError(`${count} children are too many to order`);
  const { ints, at } = store.childInts(parent);
  const prefix = store.namePrefix(parent);
  const size = store.childTable(parent);
  for (let i = 0; i < count; i++) {
    const hash = nameHash(store, ints[at + i] as number, prefix);
    buckets[i] = (hash ^ (hash >>> 16)) & (size - 1);
    ordered[i] = i;
  }
  // Digit by digit, the lowest first: most tables have one.
  for (let shift = 0; shift < 32 && size >>> shift > 1; shift += DIGIT_BITS)
    orderByDigit(count, shift, Math.min(size >>> shift, DIGITS));
  let before = 0;
  for (let k = 0; k < count; k++) {
    const position = ordered[k] as number;
    const bucket = buckets[position] as number;
    const id = ints[at + position] as number;
    before = k > 0 && spare[k - 1] === bucket ? before + 1 : 0;
    spare[k] = bucket;
    ordered[k] = id;
    // Positions change when others are removed: who came first is told by the transactions.
    if (before === 0 || before >= MOST_IN_BUCKET) continue;
    const age = store.getLong(id, F.czxid);
    let to = k;
    for (; to > 0 && spare[to - 1] === bucket; to--) {
      const other = ordered[to - 1] as number;
      if (store.getLong(other, F.czxid) <= age) break;
      ordered[to] = other;
    }
    ordered[to] = id;
  }
  return ordered;
}

/** Orders positions by a digit of their buckets, of which there are so many; equal ones stay as they are. */
function orderByDigit(count: number, shift: number, digits: number): void {
  const from = ordered;
  const to = spare;
  places.fill(0, 0, digits + 1);
  for (let i = 0; i < count; i++) {
    const next = (((buckets[i] as number) >>> shift) & (digits - 1)) + 1;
    places[next] = (places[next] as number) + 1;
  }
  for (let d = 1; d < digits; d++) places[d] = (places[d] as number) + (places[d - 1] as number);
  for (let k = 0; k < count; k++) {
    const position = from[k] as number;
    const digit = ((buckets[position] as number) >>> shift) & (digits - 1);
    const place = places[digit] as number;
    places[digit] = place + 1;
    to[place] = position;
  }
  ordered = to;
  spare = from;
}

/** String.hashCode of Java, over the name's UTF-16 units. It is kept with the node. */
function nameHash(store: NodeStore, child: NodeId, prefix: number): number {
  const known = store.get(child, F.nameHash);
  if (known !== 0) return known;
  const handle = store.get(child, F.path);
  const start = store.arena.offset(handle) + prefix;
  const end = start - prefix + store.get(child, F.pathLength);
  const bytes = store.arena.bytes(handle);
  let hash = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80) {
      hash = textHash(bytes.toString('utf8', start, end));
      break;
    }
    hash = (Math.imul(31, hash) + byte) | 0;
  }
  store.set(child, F.nameHash, hash);
  return hash;
}

function textHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}
