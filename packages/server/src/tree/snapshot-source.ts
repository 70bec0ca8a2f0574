// Gives the tree to the snapshot writer, a slice at a time, while transactions go on. Walks from the root, copying each node's
// child list when it comes to the node: what is created later is left to the log, what was deleted meanwhile is skipped.

import type { Acl, JuteWriter } from '@nodekeeper/protocol';
import { OPEN_ACL_ID } from './acl-table.js';
import type { DataTree } from './data-tree.js';
import { F, type NodeId, ROOT } from './node-store.js';

/** The children a node had when the walk came to it, and how far they are written. */
interface Level {
  readonly parent: NodeId;
  readonly parentGeneration: number;
  readonly ids: Int32Array;
  /** A record is used again: whose generation is another now is gone, whatever is there instead. */
  readonly generations: Int32Array;
  next: number;
}

interface FormerAcl {
  /** Of the node that it was changed on: the record may be another node's by now. */
  readonly generation: number;
  readonly id: number;
}

export class SnapshotSource {
  private readonly tree: DataTree;
  readonly zxid: number;
  private readonly sessionList: readonly (readonly [bigint, number])[];
  private readonly aclList: readonly (readonly [number, readonly Acl[]])[];
  private readonly aclIds: ReadonlySet<number>;
  /** ACLs that nodes had before their first change since the snapshot began: the written table may not hold the new ones. */
  private readonly formerAcl = new Map<NodeId, FormerAcl>();
  private readonly levels: Level[] = [];
  private started = false;
  private givenUp = false;

  /** @param sessions the sessions with their timeouts in milliseconds, as they are now */
  constructor(tree: DataTree, sessions: readonly (readonly [bigint, number])[]) {
    this.tree = tree;
    this.zxid = tree.lastProcessedZxid;
    this.sessionList = sessions;
    this.aclList = tree.acls.entries();
    this.aclIds = new Set(this.aclList.map(([id]) => id));
    tree.aclListeners.add(this.keepAcl);
  }

  private readonly keepAcl = (node: NodeId, old: number): void => {
    const generation = this.tree.store.get(node, F.generation);
    if (this.formerAcl.get(node)?.generation !== generation) this.formerAcl.set(node, { generation, id: old });
  };

  sessions(): Iterable<readonly [bigint, number]> {
    return this.sessionList;
  }

  acls(): Iterable<readonly [number, readonly Acl[]]> {
    return this.aclList;
  }

  digest(): { zxid: number; hi: number; lo: number } | undefined {
    const { tree } = this;
    if (!tree.digestCounts) return undefined;
    return { zxid: tree.lastProcessedZxid, hi: tree.digest.hi, lo: tree.digest.lo };
  }

  /** Makes {@link writeNodes} throw from now on. */
  giveUp(): void {
    this.givenUp = true;
  }

  /** Appends nodes in file form until about `bytes` are written; false when all are out. */
  writeNodes(w: JuteWriter, bytes: number): boolean {
    if (this.givenUp) throw new Error('the snapshot was given up');
    const limit = w.pos + bytes;
    if (!this.started) {
      this.started = true;
      this.writeNode(w, ROOT);
    }
    while (w.pos < limit) {
      const level = this.levels[this.levels.length - 1];
      if (level === undefined) {
        this.end();
        return false;
      }
      const { store } = this.tree;
      if (level.next === level.ids.length || store.get(level.parent, F.generation) !== level.parentGeneration) {
        this.levels.pop();
        continue;
      }
      const at = level.next++;
      const id = level.ids[at] as number;
      if (store.get(id, F.generation) === level.generations[at]) this.writeNode(w, id);
    }
    return true;
  }

  /** Stops following the tree. Called by itself at the end of the walk; needed when a snapshot is given up. */
  end(): void {
    this.tree.aclListeners.delete(this.keepAcl);
  }

  private writeNode(w: JuteWriter, id: NodeId): void {
    const { store } = this.tree;
    let aclId = this.tree.aclOf(id);
    if (aclId !== OPEN_ACL_ID && !this.aclIds.has(aclId)) {
      const former = this.formerAcl.get(id);
      // It was made since the snapshot began: the log makes it again, and what is below it.
      if (former === undefined || former.generation !== store.get(id, F.generation)) return;
      if (former.id !== OPEN_ACL_ID && !this.aclIds.has(former.id)) return;
      aclId = former.id;
    }
    this.tree.writeNode(w, id, aclId);
    if (store.get(id, F.numChildren) === 0) return;
    const ids = store.children(id);
    const generations = ids.map((child) => store.get(child, F.generation));
    this.levels.push({ parent: id, parentGeneration: store.get(id, F.generation), ids, generations, next: 0 });
  }
}
