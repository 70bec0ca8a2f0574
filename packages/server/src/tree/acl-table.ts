// Access control lists by number, as nodes and snapshots refer to them. Counted, so that a list nobody uses is forgotten.

import { type Acl, OPEN_ACL_UNSAFE } from '@nodekeeper/protocol';

/** The number of the open list (world:anyone, all permissions), which is in no table. */
export const OPEN_ACL_ID = -1;

/** What a node gets that a snapshot has with a number it does not list; behind a snapshot that is whole, the log gives it its own. */
const NOBODY: readonly Acl[] = [{ perms: 0, scheme: 'world', id: 'anyone' }];

interface Entry {
  readonly list: readonly Acl[];
  readonly key: string;
  uses: number;
}

export class AclTable {
  private readonly byId = new Map<number, Entry>();
  private readonly byKey = new Map<string, number>();
  private next = 1;
  /** By the numbers of the snapshot that is being loaded those here, which may be others. */
  private readonly loaded = new Map<number, number>();
  private someUnlisted = false;

  /** The number of a list, given one if it is new; counts one more use. */
  acquire(list: readonly Acl[]): number {
    const id = this.numberOf(list);
    this.addUse(id);
    return id;
  }

  private numberOf(list: readonly Acl[]): number {
    if (isOpen(list)) return OPEN_ACL_ID;
    const key = keyOf(list);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const id = this.next++;
    this.byId.set(id, { list, key, uses: 0 });
    this.byKey.set(key, id);
    return id;
  }

  private addUse(id: number): void {
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

  /** The list of a number; undefined if no node has it. */
  get(id: number): readonly Acl[] | undefined {
    return id === OPEN_ACL_ID ? OPEN_ACL_UNSAFE : this.byId.get(id)?.list;
  }

  /** Takes over an entry of a snapshot, with no use counted yet. */
  load(number: number, list: readonly Acl[]): void {
    this.loaded.set(number, this.numberOf(list));
  }

  /**
   * The number for a node that has one in the snapshot, in place of the one it had, if any; counts the uses. Apache's servers write
   * nodes that came while the snapshot was written with numbers that are not listed in it.
   */
  acquireLoaded(number: number, former: number): number {
    const before = this.byId.get(former);
    if (before !== undefined) before.uses--; // it may be listed, and wanted by a node that comes later
    if (number === OPEN_ACL_ID) return OPEN_ACL_ID;
    const id = this.loaded.get(number);
    if (id === undefined) {
      this.someUnlisted = true;
      return this.acquire(NOBODY);
    }
    this.addUse(id);
    return id;
  }

  /** How many nodes have a list that neither the snapshot nor the log told. To be asked before {@link loadingEnds}. */
  get unlisted(): number {
    const id = this.someUnlisted ? this.byKey.get(keyOf(NOBODY)) : undefined;
    return id === undefined ? 0 : (this.byId.get(id)?.uses ?? 0);
  }

  /** Forgets loaded lists that no node uses. */
  loadingEnds(): void {
    this.loaded.clear();
    this.someUnlisted = false;
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
