// What the writes that are on their way to the log will have done to the nodes they concern: `prepare` judges a request
// against the tree plus these. A record is changed by no other write than the one that made it, so that a failed multi can take
// its own back. Records are used again, and found through a table of their own: thousands of young objects that live until their
// write is durable are just what a generational collector is slow at (a Map's outgrown tables kept them alive for longer still).
// A session that ends takes hundreds of thousands of nodes with it that nobody has a change of: that it ends is all that is noted.
// Source: PrepRequestProcessor.outstandingChanges of Apache ZooKeeper.

import type { Acl } from '@nodekeeper/protocol';
import { crcFinish } from '../tree/crc32.js';
import type { DataTree } from '../tree/data-tree.js';
import { crcStat, F, NodeFlag, type NodeId } from '../tree/node-store.js';
import { OwnerKind, ownerId } from '../tree/owner.js';

const STAT_WORDS = 17;
/** Of a record that never held a node's: that a node is gone needs none. */
const NO_STAT = new Int32Array(0);

/** The state of one node after some write. `stat` holds a node record's first 17 words. */
export class NodeChange {
  path = '';
  hash = 0;
  /** Of the write that makes this change; 0 for a copy of the tree. */
  zxid = 0;
  exists = true;
  stat = NO_STAT;
  acl: readonly Acl[] | undefined;
  aclId = 0; // of the tree's table; 0 where `acl` is newer
  crcState = 0;
  digest = 0;
  inDigest = true;
  ephemeral = false;
  /** The next in the same bucket of the table; only the latest change of a path is in one. */
  chained: NodeChange | null = null;
  /** What was the latest change of the path before; of use to the write that is judged alone. */
  displaced: NodeChange | null = null;
  /** Whether it is a copy of the tree that nothing but the write under judgement knows. */
  lent = false;

  get cversion(): number {
    return this.stat[F.cversion] as number;
  }

  get mzxid(): number {
    return (this.stat[F.mzxid] as number) * 4294967296 + ((this.stat[F.mzxid + 1] as number) >>> 0);
  }

  get version(): number {
    return this.stat[F.version] as number;
  }

  get aversion(): number {
    return this.stat[F.aversion] as number;
  }

  get childCount(): number {
    return this.stat[F.numChildren] as number;
  }

  get dataLength(): number {
    return this.stat[F.dataLength] as number;
  }

  refreshDigest(): void {
    this.digest = this.inDigest ? crcFinish(crcStat(this.crcState, this.stat, 0)) : 0;
  }
}

const FIRST_BUCKETS = 1024;
const POOL_LIMIT = 8192;

export class PendingChanges {
  private readonly tree: DataTree;
  /** The latest change of each path, by hash. */
  private buckets: (NodeChange | null)[] = new Array<NodeChange | null>(FIRST_BUCKETS).fill(null);
  private paths = 0;
  private readonly inOrder: NodeChange[] = [];
  private head = 0;
  private readonly pool: NodeChange[] = [];
  private readonly lent: NodeChange[] = [];
  /** Those that make an ephemeral, oldest first: few, beside those that delete one when very many sessions end. */
  private readonly made: NodeChange[] = [];
  private madeHead = 0;
  /** Sessions of which a pending write is the end, by its zxid, oldest first: what the tree has of theirs will not be there. */
  private readonly ending = new Map<bigint, number>();

  constructor(tree: DataTree) {
    this.tree = tree;
  }

  get size(): number {
    return this.inOrder.length - this.head + this.ending.size;
  }

  /** The next write is judged: what the last one was told of the tree, and did not change, it needs no more. */
  begin(): void {
    const { lent } = this;
    for (let i = 0; i < lent.length; i++) {
      const change = lent[i] as NodeChange;
      if (change.lent) this.release(change);
    }
    lent.length = 0;
  }

  /** The node as the next write will find it, or undefined if it will not be there. Valid until {@link begin}. */
  find(path: string): NodeChange | undefined {
    const { store } = this.tree;
    const hash = store.encode(path);
    const pending = this.latest(path, hash);
    if (pending !== null) return pending.exists ? pending : undefined;
    const id = store.findEncoded(hash);
    return id === 0 || this.goesWithSession(id) ? undefined : this.fromTree(path, hash, id);
  }

  /** Whether a node of the tree, of which there is no change, is an ephemeral of a session that will have ended. */
  private goesWithSession(id: NodeId): boolean {
    const { tree } = this;
    if (this.ending.size === 0 || tree.kind(id) !== OwnerKind.ephemeral) return false;
    return this.ending.has(ownerId(tree.store.get(id, F.owner), tree.store.get(id, F.owner + 1)));
  }

  private fromTree(path: string, hash: number, id: NodeId): NodeChange {
    const { store } = this.tree;
    const page = store.page(id);
    const at = store.base(id);
    const change = this.takeWhole(path, hash);
    const { stat } = change;
    for (let i = 0; i < STAT_WORDS; i++) stat[i] = page[at + i] as number;
    change.aclId = page[at + F.aclId] as number;
    change.acl = this.tree.acls.get(change.aclId);
    change.crcState = page[at + F.crcState] as number;
    change.digest = (page[at + F.digest] as number) >>> 0;
    change.inDigest = ((page[at + F.flags] as number) & NodeFlag.noDigest) === 0;
    change.lent = true;
    this.lent.push(change);
    return change;
  }

  /**
   * What a write may change of a node that {@link find} gave it. Only the first change of a write makes a new record: its own
   * can be taken back by taking all back.
   */
  change(node: NodeChange, zxid: number): NodeChange {
    if (node.zxid === zxid) return node;
    const change = node.zxid === 0 ? node : this.copy(node);
    change.zxid = zxid;
    this.add(change);
    return change;
  }

  private copy(node: NodeChange): NodeChange {
    const copy = this.takeWhole(node.path, node.hash);
    for (let i = 0; i < STAT_WORDS; i++) copy.stat[i] = node.stat[i] as number;
    copy.acl = node.acl;
    copy.aclId = node.aclId;
    copy.crcState = node.crcState;
    copy.digest = node.digest;
    copy.inDigest = node.inDigest;
    return copy;
  }

  /** The record of a node that a write creates, all zero; {@link add} makes it known. */
  created(path: string, zxid: number): NodeChange {
    const change = this.takeWhole(path, this.tree.store.encode(path));
    change.stat.fill(0);
    change.zxid = zxid;
    return change;
  }

  /** The node is not there any more after that write. */
  remove(path: string, zxid: number, ephemeral: boolean): void {
    const change = this.take(path, this.tree.store.encode(path));
    change.zxid = zxid;
    change.exists = false;
    change.ephemeral = ephemeral;
    this.add(change);
  }

  add(change: NodeChange): void {
    change.lent = false;
    this.insert(change);
    this.inOrder.push(change);
    if (change.ephemeral && change.exists) this.made.push(change);
  }

  /**
   * The session ends with that write, and takes with it the ephemerals that it will have. `leaves` is told of those that the tree has
   * and nobody a change of, which are gone from now on; the paths of the others are returned, for the write to {@link remove}. What
   * others do meanwhile costs nothing here: sessions end by thousands when a network parts.
   */
  endSession(session: bigint, idHi: number, idLo: number, zxid: number, leaves: (id: NodeId) => void): Set<string> {
    const { store } = this.tree;
    const changed = new Set<string>();
    const mayHave = (path: string): void => {
      if (this.latestIsOf(path, idHi, idLo)) changed.add(path);
    };
    const ids = this.tree.ephemeralIds(session);
    const ended = this.ending.has(session);
    for (const id of ids ?? []) {
      const hash = store.get(id, F.hash);
      const path = this.mayBeChanged(hash) ? store.path(id) : undefined;
      if (path !== undefined && this.latest(path, hash) !== null) mayHave(path);
      else if (!ended) leaves(id);
    }
    if (ids !== undefined && !ended) this.ending.set(session, zxid);
    for (let i = this.madeHead; i < this.made.length; i++) {
      const change = this.made[i] as NodeChange;
      if (isOwned(change, idHi, idLo)) mayHave(change.path);
    }
    return changed;
  }

  /** Whether the node is the session's by its latest change. */
  private latestIsOf(path: string, idHi: number, idLo: number): boolean {
    const latest = this.latest(path, this.tree.store.encode(path));
    return latest?.exists === true && isOwned(latest, idHi, idLo);
  }

  /** A place to go back to with {@link rollback}. */
  mark(): number {
    return this.inOrder.length;
  }

  /** Takes back what was added since the mark; what was pending before is pending again. */
  rollback(mark: number): void {
    // Not released: the write that is judged may still hold them.
    for (const change of this.inOrder.splice(mark).reverse()) {
      this.unlink(change);
      if (change.displaced !== null) this.link(change.displaced);
      if (change.ephemeral && change.exists) this.made.pop();
    }
  }

  /** Forgets the changes that the tree now has. */
  applied(zxid: number): void {
    const { inOrder } = this;
    while (this.head < inOrder.length) {
      const change = inOrder[this.head] as NodeChange;
      if (change.zxid > zxid) break;
      this.head++;
      this.unlink(change);
      if (change.ephemeral && change.exists) this.madeHead++;
      this.release(change);
    }
    if (this.ending.size > 0) this.forgetEnded(zxid);
    this.head = withoutFirst(inOrder, this.head);
    this.madeHead = withoutFirst(this.made, this.madeHead);
  }

  private forgetEnded(upTo: number): void {
    for (const [session, zxid] of this.ending) {
      if (zxid > upTo) return;
      this.ending.delete(session);
    }
  }

  /** The pending changes, oldest first. */
  *values(): Generator<NodeChange> {
    for (let i = this.head; i < this.inOrder.length; i++) yield this.inOrder[i] as NodeChange;
  }

  // ---- records ----

  private take(path: string, hash: number): NodeChange {
    const change = this.pool.pop() ?? new NodeChange();
    change.path = path;
    change.hash = hash;
    return change;
  }

  private takeWhole(path: string, hash: number): NodeChange {
    const change = this.take(path, hash);
    if (change.stat === NO_STAT) change.stat = new Int32Array(STAT_WORDS);
    return change;
  }

  private release(change: NodeChange): void {
    change.path = '';
    change.zxid = 0;
    change.exists = true;
    change.acl = undefined;
    change.aclId = 0;
    change.crcState = 0;
    change.digest = 0;
    change.inDigest = true;
    change.ephemeral = false;
    change.lent = false;
    change.displaced = null;
    if (this.pool.length < POOL_LIMIT) this.pool.push(change);
  }

  // ---- the table ----

  private latest(path: string, hash: number): NodeChange | null {
    let change = this.buckets[hash & (this.buckets.length - 1)] as NodeChange | null;
    while (change !== null && (change.hash !== hash || change.path !== path)) change = change.chained;
    return change;
  }

  /** Whether there may be a change of a path with this hash. */
  private mayBeChanged(hash: number): boolean {
    let change = this.buckets[hash & (this.buckets.length - 1)] as NodeChange | null;
    while (change !== null && change.hash !== hash) change = change.chained;
    return change !== null;
  }

  /** Puts a change in the place of the one that was the latest of its path. */
  private insert(change: NodeChange): void {
    const before = this.latest(change.path, change.hash);
    if (before === change) return;
    if (before !== null) this.unlink(before);
    change.displaced = before;
    if (this.paths >= this.buckets.length) this.grow();
    this.link(change);
  }

  private link(change: NodeChange): void {
    const at = change.hash & (this.buckets.length - 1);
    change.chained = this.buckets[at] as NodeChange | null;
    this.buckets[at] = change;
    this.paths++;
  }

  /** Takes a change out of the table, if it is the latest of its path. */
  private unlink(change: NodeChange): void {
    const at = change.hash & (this.buckets.length - 1);
    let before: NodeChange | null = null;
    for (let here = this.buckets[at] as NodeChange | null; here !== null; here = here.chained) {
      if (here === change) {
        if (before === null) this.buckets[at] = change.chained;
        else before.chained = change.chained;
        change.chained = null;
        this.paths--;
        return;
      }
      before = here;
    }
  }

  private grow(): void {
    const old = this.buckets;
    this.paths = 0;
    this.buckets = new Array<NodeChange | null>(old.length * 2).fill(null);
    for (const first of old) {
      for (let change = first; change !== null; ) {
        const next: NodeChange | null = change.chained;
        this.link(change);
        change = next;
      }
    }
  }
}

function isOwned(change: NodeChange, idHi: number, idLo: number): boolean {
  return change.stat[F.owner] === idHi && change.stat[F.owner + 1] === idLo;
}

/** Takes the first so many out of a list once they are most of it; returns how many still stand there. */
function withoutFirst(list: NodeChange[], count: number): number {
  if (count === list.length) list.length = 0;
  else if (count > 4096 && count * 2 > list.length) list.splice(0, count);
  else return count;
  return 0;
}
