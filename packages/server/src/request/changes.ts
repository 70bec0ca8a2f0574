// What the writes that are on their way to the log will have done to the nodes they concern: `prepare` judges a request
// against the tree plus these. A record is changed by no other write than the one that made it, so that a failed multi can take
// its own back.
// Source: PrepRequestProcessor.outstandingChanges of Apache ZooKeeper.

import type { Acl } from '@nodekeeper/protocol';
import { crcFinish } from '../tree/crc32.js';
import type { DataTree } from '../tree/data-tree.js';
import { crcStat, F, NodeFlag, type NodeId } from '../tree/node-store.js';

/** The state of one node after some write. `stat` holds a node record's first 17 words. */
export class NodeChange {
  readonly path: string;
  /** Of the write that makes this change; 0 for a copy of the tree. */
  zxid = 0;
  exists = true;
  stat: number[];
  acl: readonly Acl[] | undefined;
  aclId = 0; // of the tree's table; 0 where `acl` is newer
  crcState = 0;
  digest = 0;
  inDigest = true;
  ephemeral = false;

  constructor(path: string, stat: number[]) {
    this.path = path;
    this.stat = stat;
  }

  /** A node that is not there (any more). */
  static gone(path: string, zxid: number): NodeChange {
    const change = new NodeChange(path, []);
    change.zxid = zxid;
    change.exists = false;
    return change;
  }

  get cversion(): number {
    return this.stat[F.cversion] as number;
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

  /** A copy for a later write to change. */
  copy(zxid: number): NodeChange {
    const copy = new NodeChange(this.path, this.stat.slice());
    copy.zxid = zxid;
    copy.acl = this.acl;
    copy.aclId = this.aclId;
    copy.crcState = this.crcState;
    copy.digest = this.digest;
    copy.inDigest = this.inDigest;
    copy.ephemeral = this.ephemeral;
    return copy;
  }

  refreshDigest(): void {
    this.digest = this.inDigest ? crcFinish(crcStat(this.crcState, this.stat, 0)) : 0;
  }
}

const STAT_WORDS = 17;

export class PendingChanges {
  private readonly tree: DataTree;
  private readonly latest = new Map<string, NodeChange>();
  private readonly inOrder: NodeChange[] = [];
  private head = 0;
  /** Pending changes that make or delete an ephemeral. */
  ephemeralChanges = 0;

  constructor(tree: DataTree) {
    this.tree = tree;
  }

  get size(): number {
    return this.inOrder.length - this.head;
  }

  /** The node as the next write will find it, or undefined if it will not be there. */
  find(path: string): NodeChange | undefined {
    const pending = this.latest.get(path);
    if (pending !== undefined) return pending.exists ? pending : undefined;
    const id = this.tree.store.findString(path);
    return id === 0 ? undefined : this.fromTree(path, id);
  }

  /** The digest of the node as {@link find} would tell it; 0 if it will not be there. */
  digestOf(path: string): number {
    const pending = this.latest.get(path);
    if (pending !== undefined) return pending.exists ? pending.digest : 0;
    const id = this.tree.store.findString(path);
    return id === 0 ? 0 : this.tree.store.digest(id);
  }

  private fromTree(path: string, id: NodeId): NodeChange {
    const { store } = this.tree;
    const page = store.page(id);
    const at = store.base(id);
    const stat: number[] = [];
    for (let i = 0; i < STAT_WORDS; i++) stat.push(page[at + i] as number);
    const change = new NodeChange(path, stat);
    change.aclId = page[at + F.aclId] as number;
    change.acl = this.tree.acls.get(change.aclId);
    change.crcState = page[at + F.crcState] as number;
    change.digest = (page[at + F.digest] as number) >>> 0;
    change.inDigest = ((page[at + F.flags] as number) & NodeFlag.noDigest) === 0;
    return change;
  }

  /**
   * What a write may change of a node that {@link find} gave it. Only the first change of a write makes a new record: its own
   * can be taken back by taking all back.
   */
  change(node: NodeChange, zxid: number): NodeChange {
    if (node.zxid === zxid) return node;
    const change = node.zxid === 0 ? node : node.copy(zxid);
    change.zxid = zxid;
    change.ephemeral = false;
    this.add(change);
    return change;
  }

  add(change: NodeChange): void {
    this.latest.set(change.path, change);
    this.inOrder.push(change);
    if (change.ephemeral) this.ephemeralChanges++;
  }

  /** A place to go back to with {@link rollback}. */
  mark(): number {
    return this.inOrder.length;
  }

  /** Takes back what was added since the mark; what was pending before is pending again. */
  rollback(mark: number): void {
    const taken = this.inOrder.splice(mark);
    for (const change of taken) {
      if (change.ephemeral) this.ephemeralChanges--;
      this.latest.delete(change.path);
    }
    if (taken.length === 0) return;
    const paths = new Set(taken.map((change) => change.path));
    for (let i = this.head; i < this.inOrder.length; i++) {
      const change = this.inOrder[i] as NodeChange;
      if (paths.has(change.path)) this.latest.set(change.path, change);
    }
  }

  /** Forgets the changes that the tree now has. */
  applied(zxid: number): void {
    while (this.head < this.inOrder.length) {
      const change = this.inOrder[this.head] as NodeChange;
      if (change.zxid > zxid) break;
      if (this.latest.get(change.path) === change) this.latest.delete(change.path);
      if (change.ephemeral) this.ephemeralChanges--;
      this.head++;
    }
    if (this.head === this.inOrder.length) {
      this.inOrder.length = 0;
      this.head = 0;
    } else if (this.head > 4096 && this.head * 2 > this.inOrder.length) {
      this.inOrder.splice(0, this.head);
      this.head = 0;
    }
  }

  /** The pending changes, oldest first. */
  *values(): Generator<NodeChange> {
    for (let i = this.head; i < this.inOrder.length; i++) yield this.inOrder[i] as NodeChange;
  }
}
