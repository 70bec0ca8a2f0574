// Where znodes live: fixed-size records in pages of 32-bit words, found by path through the index, with paths, data and child
// lists in the arena. Nothing here is a JavaScript object per node, so the garbage collector never sees the tree
// (docs/decisions/0002). Knows records and links; the rules of ZooKeeper stand in data-tree.ts.

import { Arena, type Handle, uncounted } from './arena.js';
import { CRC_START, crcBytes, crcCopy, crcFinish, crcWord, crcWords } from './crc32.js';
import { type HashKey, hashByte, hashEnd, hashKey, hashPath, hashStart, PathIndex } from './path-index.js';

/** Names a node's record; 0 is no node. An id is used again after its node is gone. */
export type NodeId = number;

export const ROOT: NodeId = 1;

/** Words of a record. The first 17 are the Stat as it goes over the wire (64-bit values high word first), cversion as stored. */
export const F = {
  czxid: 0,
  mzxid: 2,
  ctime: 4,
  mtime: 6,
  version: 8,
  cversion: 9,
  aversion: 10,
  owner: 11,
  dataLength: 13,
  numChildren: 14,
  pzxid: 15,
  aclId: 17,
  path: 18,
  pathLength: 19,
  data: 20,
  parent: 21,
  position: 22, // in the parent's child list
  children: 23, // of nodes that have some: the Below words, then their ids
  childCapacity: 24,
  hash: 25,
  crcState: 26, // after path and data
  digest: 27,
  flags: 28,
  childNameBytes: 29, // sum of the lengths of the children's names
  generation: 30, // counts the nodes that had this record
  nameHash: 31, // once the node was listed: see child-order.ts
} as const;

export const NodeFlag = {
  nullData: 1,
  /** Outside the digest: everything below /zookeeper/. */
  noDigest: 2,
} as const;
/** Above the flags: how often the table that Apache's server would keep the children's names in has doubled. */
const DOUBLED_SHIFT = 8;

const WORDS_SHIFT = 5;
const PAGE_SHIFT = 12;
const PAGE_NODES = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_NODES - 1;
const PAGE_BYTES = PAGE_NODES << (WORDS_SHIFT + 2);
const FIRST_CHILD_CAPACITY = 5; // with the words before it 32 bytes
/** What stands in front of a child list: what is below the node, not counting the node itself. */
const Below = { nodes: 0, bytes: 1 } as const;
const LIST_HEAD = 3;

/** More than that of removed nodes nobody keeps readable. */
const LIMBO_LIMIT = 64 * 1024 * 1024;

/** What somebody who walks a copy of a child list needs. */
export interface Hold {
  /** How many nodes had been kept before it began. */
  readonly from: number;
  readonly giveUp: () => void;
}

export class NodeStore {
  private readonly pages: Int32Array[] = [];
  private readonly index = new PathIndex();
  readonly arena = new Arena();
  private readonly hashKey: HashKey;
  private freeHead: NodeId = 0; // linked through the word `parent`, inverted so that it is no node's id
  private limit = 1; // first id never given out
  private encoded = new EncodedPath();
  private encodedBefore = new EncodedPath();
  /** Removed while someone still walks a copy of a child list, oldest first; freed when nobody does who began before. */
  private limbo: NodeId[] = [];
  /** How many were freed of all that were ever in {@link limbo}. */
  private freed = 0;
  /** Oldest first. */
  private readonly holds = new Set<Hold>();

  /** Nodes in the tree. */
  count = 0;
  /** Bytes of data and paths, as Apache's approximateDataSize counts them. */
  dataBytes = 0;
  pathBytes = 0;
  /** Bytes that removed nodes still occupy because of {@link hold}. */
  limboBytes = 0;

  constructor(seed: number) {
    this.hashKey = hashKey(seed);
  }

  /** The page that holds a record; its words begin at {@link base}. */
  page(id: NodeId): Int32Array {
    return this.pages[id >>> PAGE_SHIFT] as Int32Array;
  }

  base(id: NodeId): number {
    return (id & PAGE_MASK) << WORDS_SHIFT;
  }

  get(id: NodeId, field: number): number {
    return this.page(id)[this.base(id) + field] as number;
  }

  set(id: NodeId, field: number, value: number): void {
    this.page(id)[this.base(id) + field] = value;
  }

  /** A 64-bit field that fits into 53 bits. */
  getLong(id: NodeId, field: number): number {
    const page = this.page(id);
    const at = this.base(id) + field;
    return (page[at] as number) * 4294967296 + ((page[at + 1] as number) >>> 0);
  }

  setLong(id: NodeId, field: number, value: number): void {
    const page = this.page(id);
    const at = this.base(id) + field;
    const hi = Math.floor(value / 4294967296);
    page[at] = hi;
    page[at + 1] = value - hi * 4294967296;
  }

  /** The node of the path in `buf[start, end)`, or 0. The empty path names the root. */
  find(buf: Buffer, start: number, end: number): NodeId {
    return this.lookup(this.hash(buf, start, end), buf, start, end);
  }

  /** What {@link lookup} and {@link create} want to know of a path, for who needs it more than once. */
  hash(buf: Buffer, start: number, end: number): number {
    return hashPath(buf, start, end, this.hashKey);
  }

  /** Whether the node is there and this is its path: cheaper than to look for it. */
  isAt(id: NodeId, buf: Buffer, start: number, end: number): boolean {
    return this.get(id, F.parent) > 0 && this.hasPath(id, buf, start, end);
  }

  findString(path: string): NodeId {
    return this.findEncoded(this.encode(path));
  }

  /** Encodes a path for {@link findEncoded}, until the next one is; returns its hash. */
  encode(path: string): number {
    if (path === this.encoded.path) return this.encoded.hash;
    // The last two are kept: a node and its parent are asked for by turns.
    const { encodedBefore } = this;
    this.encodedBefore = this.encoded;
    this.encoded = encodedBefore;
    if (path !== encodedBefore.path) encodedBefore.take(path, this.hashKey);
    return encodedBefore.hash;
  }

  /** The node of the path that was encoded last, with its hash. */
  findEncoded(hash: number): NodeId {
    const { bytes, length } = this.encoded;
    return length === 0 ? ROOT : this.lookup(hash, bytes, 0, length);
  }

  /** The state of a digest after the path. */
  crcOfPath(path: string): number {
    if (path === '/') return CRC_START;
    this.encode(path);
    return this.encoded.crcState();
  }

  /** The node of the path in `buf[start, end)`, of which this is the hash, or 0. The empty path names the root. */
  lookup(hash: number, buf: Buffer, start: number, end: number): NodeId {
    if (start === end) return ROOT;
    const table = this.index.table(hash);
    const mask = table.length - 1;
    for (let slot = PathIndex.slot(table, hash); ; slot = (slot + 2) & mask) {
      const id = table[slot + 1] as number;
      if (id === 0) return 0;
      if (table[slot] === hash && this.hasPath(id, buf, start, end)) return id;
    }
  }

  private hasPath(id: NodeId, buf: Buffer, start: number, end: number): boolean {
    const page = this.page(id);
    const base = this.base(id);
    if (page[base + F.pathLength] !== end - start) return false;
    const handle = page[base + F.path] as Handle;
    const bytes = this.arena.bytes(handle);
    // Compared from the end: siblings differ there.
    for (let i = end - 1, k = this.arena.offset(handle) + (end - start) - 1; i >= start; i--, k--) {
      if (buf[i] !== bytes[k]) return false;
    }
    return true;
  }

  path(id: NodeId): string {
    const handle = this.get(id, F.path);
    const at = this.arena.offset(handle);
    return this.arena.bytes(handle).toString('utf8', at, at + this.get(id, F.pathLength));
  }

  /** The length of the part of a child's path before its name. */
  namePrefix(parent: NodeId): number {
    return parent === ROOT ? 1 : this.get(parent, F.pathLength) + 1;
  }

  /** A copy of the node's data, or null where it is null. */
  data(id: NodeId): Buffer | null {
    if (this.get(id, F.flags) & NodeFlag.nullData) return null;
    const length = this.get(id, F.dataLength);
    const handle = this.get(id, F.data);
    const at = this.arena.offset(handle);
    return Buffer.from(this.arena.bytes(handle).subarray(at, at + length));
  }

  /**
   * Adds a node below `parent` (0 only for the root) with all other fields zero and no data; the caller fills them in and
   * calls {@link refreshDigest}. `hash` is that of the path in `buf[start, end)`.
   */
  create(parent: NodeId, buf: Buffer, start: number, end: number, hash: number): NodeId {
    const id = this.allocate();
    const page = this.page(id);
    const base = this.base(id);
    page[base + F.generation] = (page[base + F.generation] as number) + 1;
    const length = end - start;
    const handle = this.arena.alloc(length);
    const afterPath = this.copyIn(handle, buf, start, end, CRC_START);
    // Apache's digest takes the root's path for empty.
    page[base + F.crcState] = id === ROOT ? CRC_START : afterPath;
    page[base + F.path] = handle;
    page[base + F.pathLength] = length;
    page[base + F.hash] = hash;
    page[base + F.parent] = parent;
    page[base + F.flags] = NodeFlag.nullData | (isBelowZookeeper(buf, start, end) ? NodeFlag.noDigest : 0);
    this.index.add(hash, id);
    if (parent !== 0) {
      this.addChild(parent, id, length - this.namePrefix(parent));
      this.addAbove(id, 1, 0);
    }
    this.count++;
    this.pathBytes += length;
    return id;
  }

  /** Takes a node without children out of the tree. Its record stays readable as long as a {@link hold} lasts. */
  remove(id: NodeId): void {
    const parent = this.get(id, F.parent);
    const length = this.get(id, F.pathLength);
    if (this.get(id, F.numChildren) !== 0) throw new Error(`node ${this.path(id)} is removed while it has children`);
    this.index.remove(this.get(id, F.hash), id);
    this.addAbove(id, -1, -this.get(id, F.dataLength));
    this.removeChild(parent, id, length - this.namePrefix(parent));
    this.count--;
    this.pathBytes -= length;
    this.dataBytes -= this.get(id, F.dataLength);
    this.set(id, F.generation, this.get(id, F.generation) + 1);
    this.set(id, F.parent, -1);
    this.releaseData(id);
    if (this.holds.size === 0) {
      this.release(id);
      return;
    }
    this.limbo.push(id);
    this.limboBytes += limboSize(length);
    if (this.limboBytes > LIMBO_LIMIT) this.oldestHold?.giveUp();
  }

  /**
   * Keeps the records and paths, not the data, of nodes that are removed from now on readable, until {@link unhold}.
   * @param giveUp has to end the hold: it keeps too much
   */
  hold(giveUp: () => void): Hold {
    const hold = { from: this.freed + this.limbo.length, giveUp };
    this.holds.add(hold);
    return hold;
  }

  unhold(hold: Hold): void {
    this.holds.delete(hold);
    const count = (this.oldestHold?.from ?? this.freed + this.limbo.length) - this.freed;
    if (count === 0) return;
    for (let i = 0; i < count; i++) {
      const id = this.limbo[i] as NodeId;
      this.limboBytes -= limboSize(this.get(id, F.pathLength));
      this.release(id);
    }
    this.limbo = this.limbo.slice(count);
    this.freed += count;
  }

  private get oldestHold(): Hold | undefined {
    const [oldest] = this.holds;
    return oldest;
  }

  /** Replaces the data; `start` -1 stands for null. The digest is not touched. */
  setData(id: NodeId, buf: Buffer, start: number, end: number): void {
    const page = this.page(id);
    const base = this.base(id);
    const oldLength = page[base + F.dataLength] as number;
    const oldHandle = page[base + F.data] as Handle;
    const length = start < 0 ? 0 : end - start;
    let handle = oldHandle;
    if (oldHandle === 0 || length === 0 || Arena.capacity(length) !== Arena.capacity(oldLength)) {
      if (oldHandle !== 0) this.arena.free(oldHandle, oldLength);
      handle = length === 0 ? 0 : this.arena.alloc(length);
      page[base + F.data] = handle;
    }
    page[base + F.dataLength] = length;
    const flags = page[base + F.flags] as number;
    page[base + F.flags] = start < 0 ? flags | NodeFlag.nullData : flags & ~NodeFlag.nullData;
    if (length !== oldLength) {
      this.dataBytes += length - oldLength;
      this.addAbove(id, 0, length - oldLength);
    }
    const afterPath = oldLength === 0 ? (page[base + F.crcState] as number) : this.crcAfterPath(id);
    page[base + F.crcState] = length === 0 ? afterPath : this.copyIn(handle, buf, start, end, afterPath);
  }

  /** The state of the node's digest after its path. */
  private crcAfterPath(id: NodeId): number {
    if (id === ROOT) return CRC_START;
    const handle = this.get(id, F.path);
    const at = this.arena.offset(handle);
    return crcBytes(CRC_START, this.arena.bytes(handle), at, at + this.get(id, F.pathLength));
  }

  /** Computes the node's digest anew from its Stat and keeps it in the record. Returns it, unsigned. */
  refreshDigest(id: NodeId): number {
    const page = this.page(id);
    const base = this.base(id);
    if ((page[base + F.flags] as number) & NodeFlag.noDigest) return 0;
    const digest = crcFinish(crcStat(page[base + F.crcState] as number, page, base));
    page[base + F.digest] = digest;
    return digest;
  }

  /** The digest as last computed, unsigned; 0 for nodes outside the tree's digest. */
  digest(id: NodeId): number {
    return this.get(id, F.digest) >>> 0;
  }

  /** A copy of the ids of the children, in no order. */
  children(id: NodeId): Int32Array {
    const count = this.get(id, F.numChildren);
    if (count === 0) return EMPTY;
    const handle = this.get(id, F.children);
    const at = this.arena.intOffset(handle) + LIST_HEAD;
    return this.arena.ints(handle).slice(at, at + count);
  }

  /** The ids of the children in no order: so many of the ints, from there on. Valid until the next change. */
  childInts(id: NodeId): { readonly ints: Int32Array; readonly at: number } {
    const handle = this.get(id, F.children);
    return { ints: this.arena.ints(handle), at: this.arena.intOffset(handle) + LIST_HEAD };
  }

  /** The buckets of the table that Apache's server would keep the children's names in: see child-order.ts. */
  childTable(id: NodeId): number {
    return 8 << (this.get(id, F.flags) >> DOUBLED_SHIFT);
  }

  /** How many nodes are below the node. */
  nodesBelow(id: NodeId): number {
    if (this.get(id, F.numChildren) === 0) return 0;
    const handle = this.get(id, F.children);
    return this.arena.ints(handle)[this.arena.intOffset(handle) + Below.nodes] as number;
  }

  /** How many bytes of data the nodes below the node have. */
  bytesBelow(id: NodeId): number {
    if (this.get(id, F.numChildren) === 0) return 0;
    const handle = this.get(id, F.children);
    const ints = this.arena.ints(handle);
    const at = this.arena.intOffset(handle) + Below.bytes;
    return (ints[at] as number) * 4294967296 + ((ints[at + 1] as number) >>> 0);
  }

  /** Keeps count in all nodes above: a subtree of any size is counted without being walked. */
  private addAbove(id: NodeId, nodes: number, bytes: number): void {
    for (let at = this.get(id, F.parent); at > 0; at = this.get(at, F.parent)) {
      const handle = this.get(at, F.children);
      const ints = this.arena.ints(handle);
      const head = this.arena.intOffset(handle);
      ints[head + Below.nodes] = (ints[head + Below.nodes] as number) + nodes;
      if (bytes !== 0) addLong(ints, head + Below.bytes, bytes);
    }
  }

  private addChild(parent: NodeId, child: NodeId, nameLength: number): void {
    const page = this.page(parent);
    const base = this.base(parent);
    const count = page[base + F.numChildren] as number;
    let handle = page[base + F.children] as Handle;
    const capacity = page[base + F.childCapacity] as number;
    if (count === capacity) {
      const grown = capacity === 0 ? FIRST_CHILD_CAPACITY : capacity * 2;
      const fresh = this.arena.alloc(listBytes(grown));
      const to = this.arena.intOffset(fresh);
      if (capacity > 0) {
        const from = this.arena.intOffset(handle);
        this.arena.ints(fresh).set(this.arena.ints(handle).subarray(from, from + LIST_HEAD + count), to);
        this.arena.free(handle, listBytes(capacity));
      } else {
        this.arena.ints(fresh).fill(0, to, to + LIST_HEAD);
      }
      handle = fresh;
      page[base + F.children] = fresh;
      page[base + F.childCapacity] = grown;
    }
    this.arena.ints(handle)[this.arena.intOffset(handle) + LIST_HEAD + count] = child;
    this.set(child, F.position, count);
    page[base + F.numChildren] = count + 1;
    page[base + F.childNameBytes] = (page[base + F.childNameBytes] as number) + nameLength;
    const flags = page[base + F.flags] as number;
    if (count + 1 > 6 << (flags >> DOUBLED_SHIFT)) page[base + F.flags] = flags + (1 << DOUBLED_SHIFT);
  }

  private removeChild(parent: NodeId, child: NodeId, nameLength: number): void {
    const page = this.page(parent);
    const base = this.base(parent);
    const last = (page[base + F.numChildren] as number) - 1;
    const handle = page[base + F.children] as Handle;
    const ints = this.arena.ints(handle);
    const at = this.arena.intOffset(handle) + LIST_HEAD;
    const position = this.get(child, F.position);
    if (ints[at + position] !== child) throw new Error(`node ${this.path(child)} is not in its parent's child list`);
    const moved = ints[at + last] as number;
    ints[at + position] = moved;
    this.set(moved, F.position, position);
    page[base + F.numChildren] = last;
    page[base + F.childNameBytes] = (page[base + F.childNameBytes] as number) - nameLength;
    if (last === 0) {
      this.arena.free(handle, listBytes(page[base + F.childCapacity] as number));
      page[base + F.children] = 0;
      page[base + F.childCapacity] = 0;
    }
  }

  /** Fills a block; returns the digest's state with these bytes added. */
  private copyIn(handle: Handle, buf: Buffer, start: number, end: number, state: number): number {
    return crcCopy(state, buf, start, end, this.arena.view(handle), this.arena.offset(handle));
  }

  /** A record that is zero but for its generation. */
  private allocate(): NodeId {
    const id = this.freeHead;
    if (id !== 0) {
      this.freeHead = ~this.get(id, F.parent);
      const page = this.page(id);
      const base = this.base(id);
      for (let word = 0; word < F.generation; word++) page[base + word] = 0;
      page[base + F.nameHash] = 0;
      return id;
    }
    const { length } = this.pages;
    if (this.limit >>> PAGE_SHIFT === length) this.pages.push(new Int32Array(uncounted(PAGE_BYTES, length)));
    return this.limit++;
  }

  private release(id: NodeId): void {
    this.arena.free(this.get(id, F.path), this.get(id, F.pathLength));
    this.set(id, F.parent, ~this.freeHead);
    this.freeHead = id;
  }

  private releaseData(id: NodeId): void {
    const data = this.get(id, F.data);
    if (data !== 0) this.arena.free(data, this.get(id, F.dataLength));
    this.set(id, F.data, 0);
  }
}

/** Bytes of a removed node. */
const limboSize = (pathLength: number): number => pathLength + (4 << WORDS_SHIFT);

const EMPTY = new Int32Array(0);

/** A path as the index knows it. */
class EncodedPath {
  path: string | undefined;
  bytes = Buffer.allocUnsafe(1024);
  length = 0;
  hash = 0;
  private crc: number | undefined;

  crcState(): number {
    this.crc ??= crcBytes(CRC_START, this.bytes, 0, this.length);
    return this.crc;
  }

  take(path: string, key: HashKey): void {
    this.path = path;
    this.crc = undefined;
    const { length } = path;
    if (length * 3 > this.bytes.length) this.bytes = Buffer.allocUnsafe(length * 4);
    const { bytes } = this;
    let hash = hashStart(length, key);
    for (let i = 0; i < length; i++) {
      const unit = path.charCodeAt(i);
      if (unit >= 0x80) {
        this.length = bytes.write(path, 'utf8');
        this.hash = hashPath(bytes, 0, this.length, key);
        return;
      }
      bytes[i] = unit;
      hash = hashByte(hash, unit, key);
    }
    this.length = length;
    this.hash = hashEnd(hash);
  }
}

/** Adds to a 64-bit number that fits into 53 bits, its high word at `at`. */
export function addLong(words: Int32Array, at: number, delta: number): void {
  const low = ((words[at + 1] as number) >>> 0) + delta;
  words[at + 1] = low;
  words[at] = (words[at] as number) + Math.floor(low / 4294967296);
}

/** The size of a child list's block. */
function listBytes(capacity: number): number {
  return (LIST_HEAD + capacity) * 4;
}

/** Adds the 60 bytes of a Stat that a node's digest covers. `words` holds a record's first 17 words at `base`. */
export function crcStat(state: number, words: ArrayLike<number>, base: number): number {
  let c = crcWords(state, words[base + F.czxid] as number, words[base + F.czxid + 1] as number);
  c = crcWords(c, words[base + F.mzxid] as number, words[base + F.mzxid + 1] as number);
  c = crcWords(c, words[base + F.pzxid] as number, words[base + F.pzxid + 1] as number);
  c = crcWords(c, words[base + F.ctime] as number, words[base + F.ctime + 1] as number);
  c = crcWords(c, words[base + F.mtime] as number, words[base + F.mtime + 1] as number);
  c = crcWords(c, words[base + F.version] as number, words[base + F.cversion] as number);
  c = crcWords(c, words[base + F.aversion] as number, words[base + F.owner] as number);
  return crcWord(c, words[base + F.owner + 1] as number);
}

const ZOOKEEPER = Buffer.from('/zookeeper/');

/** Whether the path lies below /zookeeper, where nodes have no digest. */
export function isBelowZookeeper(buf: Buffer, start: number, end: number): boolean {
  if (end - start <= ZOOKEEPER.length) return false;
  for (let i = 0; i < ZOOKEEPER.length; i++) if (buf[start + i] !== ZOOKEEPER[i]) return false;
  return true;
}
