// The tree and the sessions as they stand on disk: what recovery fills and snapshots are taken from.

import type { Acl } from '@nodekeeper/protocol';
import type { RecoveryTarget } from './storage/recovery.js';
import { DataTree, type DataTreeOptions, type SessionListener } from './tree/data-tree.js';
import { DIGEST_VERSION } from './tree/digest.js';
import { SnapshotSource } from './tree/snapshot-source.js';

/** The byte of a session's id that tells which server has given it out. */
function serverOf(id: bigint): bigint {
  return id >> 56n;
}

export class Database implements RecoveryTarget, SessionListener {
  private readonly options: DataTreeOptions;
  tree: DataTree;
  private snapshotDigest: { readonly zxid: number; readonly hi: number; readonly lo: number } | undefined;
  /** Sessions with their timeouts in milliseconds. */
  readonly sessionTimeouts = new Map<bigint, number>();
  /** The highest id of a session that each server has given out, by the server's byte: of those that are over, too, as far as it was seen. */
  private readonly highestIds = new Map<bigint, bigint>();
  /** Is told of sessions once the server runs. */
  listener: SessionListener | undefined;
  /** Sessions that ended while nobody was told, so that the end may not be committed; undefined where nobody asks. */
  endsInDoubt: Set<bigint> | undefined;
  /** Is told of nodes that go with their session. */
  onEphemeralDeleted: ((session: bigint, path: string) => void) | undefined;
  /** Is told of what is written. */
  onWritten: ((buf: Buffer, start: number, end: number, bytes: number) => void) | undefined;
  /** Is told of watches that fire. */
  onTriggered: ((eventType: number, watchers: number) => void) | undefined;
  /** Is told when recovery has read the snapshot. */
  onSnapshotLoaded: (() => void) | undefined;
  /** Is told of transactions that recovery takes from the log. */
  onReplayed: ((buf: Buffer, start: number, end: number, zxid: number) => void) | undefined;

  constructor(options: DataTreeOptions) {
    this.options = options;
    this.tree = new DataTree(options, this);
  }

  // ---- from transactions ----

  onSessionCreated(id: bigint, timeoutMs: number): void {
    this.session(id, timeoutMs);
    this.listener?.onSessionCreated(id, timeoutMs);
  }

  onSessionClosed(id: bigint): void {
    this.sessionTimeouts.delete(id);
    if (this.listener === undefined) this.endsInDoubt?.add(id);
    else this.listener.onSessionClosed(id);
  }

  // ---- from a snapshot and the log ----

  get digestMismatches(): number {
    return this.tree.digestMismatches;
  }

  get digestComparisons(): number {
    return this.tree.digestComparisons;
  }

  snapshotMismatches = false;

  reset(): void {
    this.snapshotMismatches = false;
    this.snapshotDigest = undefined;
    this.sessionTimeouts.clear();
    this.tree = new DataTree(this.options, this);
  }

  session(id: bigint, timeoutMs: number): void {
    this.sessionTimeouts.set(id, timeoutMs);
    const server = serverOf(id);
    if (id > (this.highestIds.get(server) ?? -(2n ** 63n))) this.highestIds.set(server, id);
  }

  /** The first id from this one on that was no session's, as far as is known. */
  freshSessionId(id: bigint): bigint {
    const highest = this.highestIds.get(serverOf(id));
    let fresh = highest !== undefined && highest >= id && serverOf(highest + 1n) === serverOf(id) ? highest + 1n : id;
    while (this.sessionTimeouts.has(fresh)) fresh++;
    return fresh;
  }

  acl(id: number, list: readonly Acl[]): void {
    this.tree.acls.load(id, list);
  }

  node(
    buf: Buffer,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    stat: number,
  ): void {
    this.tree.loadNode(buf, pathStart, pathEnd, dataStart, dataEnd, aclId, stat);
  }

  digest(zxid: number, version: number, hi: number, lo: number): void {
    // From the start of the snapshot to this zxid the tree is a mixture, and digests cannot match.
    this.tree.digestComparedFrom = zxid;
    if (version === DIGEST_VERSION) this.snapshotDigest = { zxid, hi: hi >>> 0, lo: lo >>> 0 };
  }

  snapshotLoaded(zxid: number): void {
    const told = this.snapshotDigest;
    const { digest, digestEnabled } = this.tree;
    this.snapshotMismatches = digestEnabled && told?.zxid === zxid && (told.hi !== digest.hi || told.lo !== digest.lo);
    this.onSnapshotLoaded?.();
    this.tree.lastProcessedZxid = zxid;
    // Apache's servers write 0 where they do not know it.
    const isTold = told !== undefined && (told.zxid > 0 || zxid === 0);
    if (!isTold) this.tree.digestComparedFrom = Number.POSITIVE_INFINITY;
  }

  apply(buf: Buffer, start: number, end: number, zxid: number): void {
    this.tree.apply(buf, start, end);
    this.onReplayed?.(buf, start, end, zxid);
  }

  /** The content of a snapshot that begins now. */
  snapshot(): SnapshotSource {
    return new SnapshotSource(this.tree, [...this.sessionTimeouts]);
  }
}
