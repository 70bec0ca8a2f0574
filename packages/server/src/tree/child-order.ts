// The order in which Apache's server lists children. Clients are not to count on it, and some do: it is that of a Java HashSet of
// their names, the buckets of its table in turn, in each the oldest first. The table has 8 buckets, twice as many whenever more
// than three quarters of them would be taken, and never fewer again. Source: DataNode and DataTree of Apache ZooKeeper.

import { F, type NodeId, type NodeStore } from './node-store.js';

/** Longer lists are in no order: ordering them would keep everybody waiting. */
export const MOST_ORDERED = 2000;
const POSITIONS = 2048;

/** For each child its bucket and, in the low bits, its position in the parent's list. */
const keys = new Float64Array(MOST_ORDERED);
const ordered = new Int32Array(MOST_ORDERED);

/**
 * The ids of up to {@link MOST_ORDERED} children in that order: the first ones, as many as there are children. Valid until the
 * next call.
 */
export function childrenInOrder(store: NodeStore, parent: NodeId): Int32Array {
  const count = store.get(parent, F.numChildren);
  if (count > MOST_ORDERED) throw new RangeError(`${count} children are too many to order`);
  const { ints, at } = store.childInts(parent);
  if (count === 1) ordered[0] = ints[at] as number;
  if (count < 2) return ordered;
  const prefix = store.namePrefix(parent);
  const mask = store.childTable(parent) - 1;
  for (let i = 0; i < count; i++) {
    const hash = nameHash(store, ints[at + i] as number, prefix);
    keys[i] = ((hash ^ (hash >>> 16)) & mask) * POSITIONS + i;
  }
  keys.subarray(0, count).sort();
  let before = -1;
  for (let k = 0; k < count; k++) {
    const key = keys[k] as number;
    const bucket = Math.floor(key / POSITIONS);
    const id = ints[at + (key % POSITIONS)] as number;
    let to = k;
    // Positions change when others are removed: who came first is told by the transactions.
    if (bucket === before) {
      const age = store.getLong(id, F.czxid);
      for (; to > 0 && bucketAt(to - 1) === bucket; to--) {
        const other = ordered[to - 1] as number;
        if (store.getLong(other, F.czxid) <= age) break;
        ordered[to] = other;
      }
    }
    ordered[to] = id;
    before = bucket;
  }
  return ordered;
}

function bucketAt(k: number): number {
  return Math.floor((keys[k] as number) / POSITIONS);
}

/** String.hashCode of Java, over the name's UTF-16 units. */
function nameHash(store: NodeStore, child: NodeId, prefix: number): number {
  const handle = store.get(child, F.path);
  const start = store.arena.offset(handle);
  const end = start + store.get(child, F.pathLength);
  const bytes = store.arena.bytes(handle);
  let hash = 0;
  for (let i = start + prefix; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80) return textHash(bytes.toString('utf8', start + prefix, end));
    hash = (Math.imul(31, hash) + byte) | 0;
  }
  return hash;
}

function textHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}
