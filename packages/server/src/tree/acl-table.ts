// Access control lists by number, as nodes and snapshots refer to them. Counted, so that a list nobody uses is forgotten.

import { type Acl, OPEN_ACL_UNSAFE } from '@nodekeeper/protocol';

/** The number of the open list (world:anyone, all permissions), which is in no table. */
export const OPEN_ACL_ID = -1;

interface Entry {
  readonly list: readonly Acl[];
  readonly key: string;
  uses: number;
}

export class AclTable {
  private readonly byId = new Map<number, Entry>();
  private readonly byKey = new Map<string, number>();
  private next = 1;

  /** The number of a list, given one if it is new; counts one more use. */
  acquire(list: readonly Acl[]): number {
    if (isOpen(list)) return OPEN_ACL_ID;
    const key = keyOf(list);
    const known = this.byKey.get(key);
    if (known !== undefined) {
      this.addUse(known);
      return known;
    }
    const id = this.next++;
    this.byId.set(id, { list, key, uses: 1 });
    this.byKey.set(key, id);
    return id;
  }

  addUse(id: number): void {
    const entry = this.byId.get(id);
    if (entry !== undefined) entry.uses++;
  }

  release(id: number): void {
    const entry = this.byId.get(id);
    if (entry === undefined) return;
    if (--entry.uses > 0) return;
    this.byId.delete(id);
    if (this.byKey.get(entry.key) === id) this.byKey.delete(entry.key);
  }

  /** The list of a number; undefined only for one that a snapshot used without listing it. */
  get(id: number): readonly Acl[] | undefined {
    return id === OPEN_ACL_ID ? OPEN_ACL_UNSAFE : this.byId.get(id)?.list;
  }

  /** Takes over an entry of a snapshot, with no use counted yet. */
  load(id: number, list: readonly Acl[]): void {
    const key = keyOf(list);
    this.byId.set(id, { list, key, uses: 0 });
    if (!this.byKey.has(key)) this.byKey.set(key, id);
    if (id >= this.next) this.next = id + 1;
  }

  /** Forgets loaded lists that no node uses. */
  dropUnused(): void {
    for (const [id, entry] of this.byId) {
      if (entry.uses > 0) continue;
      this.byId.delete(id);
      if (this.byKey.get(entry.key) === id) this.byKey.delete(entry.key);
    }
  }

  /** All lists with their numbers, as they are now. */
  entries(): [number, readonly Acl[]][] {
    return Array.from(this.byId, ([id, entry]) => [id, entry.list]);
  }
}

function isOpen(list: readonly Acl[]): boolean {
  const only = list[0];
  return list.length === 1 && only?.perms === 31 && only.scheme === 'world' && only.id === 'anyone';
}

function keyOf(list: readonly Acl[]): string {
  return JSON.stringify(list.map((acl) => [acl.perms, acl.scheme, acl.id]));
}
