// The replicated state: applies committed transactions to the nodes and tells the watches. The same code runs for a live
// write, for replay from the log and for a learner. Rules: docs/protocol.md, "Replay"; Apache's DataTree.processTxn.

import {
  type Acl,
  ErrorCode,
  JuteReader,
  type JuteWriter,
  LARGEST_MAX_LENGTH,
  OpCode,
  parentPath,
  readAclList,
} from '@nodekeeper/protocol';
import { AclTable, OPEN_ACL_ID } from './acl-table.js';
import { DIGEST_VERSION, TreeDigest } from './digest.js';
import { F, isBelowZookeeper, NodeFlag, type NodeId, NodeStore, ROOT } from './node-store.js';
import { skipOpenAcl } from './open-acl.js';
import { type ExtendedTypes, isTtlOwner, OwnerKind, ownerId, ownerKind, ttlOf, ttlOwnerHi } from './owner.js';
import { countedPath, formatStats, limitedPath, parseQuota, QuotaPaths, statsPath } from './quota.js';
import { TXN_DIGEST_SIZE, TXN_HEADER_SIZE, TxnHeaderAt } from './txn-types.js';
import { Watches } from './watches.js';

const DIGEST_LOG_INTERVAL = 128;
const DIGEST_LOG_LENGTH = 1024;
const EMPTY = Buffer.alloc(0);

/** Is told of each part of a multi right after it was applied, while the node is as that part left it. */
export interface MultiListener {
  onSubOp(type: number, error: number, node: NodeId): void;
}

/** Keeps the session table in step with the transactions that create and close sessions. */
export interface SessionListener {
  onSessionCreated(id: bigint, timeoutMs: number): void;
  onSessionClosed(id: bigint): void;
  /** A node went with its session; for the audit log. */
  onEphemeralDeleted?: ((session: bigint, path: string) => void) | undefined;
  /** The node at the path in `buf[start, end)` was made, changed or deleted; it has so many bytes of new data. For metrics. */
  onWritten?: ((buf: Buffer, start: number, end: number, bytes: number) => void) | undefined;
  /** So many watchers of a node, or of its children, hear of a change. For metrics. */
  onTriggered?: ((eventType: number, watchers: number) => void) | undefined;
}

export interface DataTreeOptions {
  /** Seeds the hash of paths, with up to 53 bits; random in production. */
  readonly seed: number;
  readonly extendedTypesEnabled: ExtendedTypes;
  readonly digestEnabled: boolean;
}

/** A node that is to be deleted, unless it was written meanwhile or is another one by then. */
export interface Expired {
  readonly path: string;
  readonly mzxid: number;
}

export class DataTree {
  readonly store: NodeStore;
  readonly acls = new AclTable();
  readonly watches = new Watches((type, watchers) => this.sessions.onTriggered?.(type, watchers));
  readonly quotas = new QuotaPaths();
  readonly digest = new TreeDigest();
  readonly containers = new Set<NodeId>();
  readonly ttls = new Set<NodeId>();
  private readonly ephemerals = new Map<bigint, Set<NodeId>>();
  private readonly extendedTypes: ExtendedTypes;
  /** The node that {@link findParent} found last, or 0; it may be gone. */
  private lastParent: NodeId = 0;
  readonly digestEnabled: boolean;
  private readonly sessions: SessionListener;

  /** The zxid of the last transaction applied in full. */
  lastProcessedZxid = 0;
  /** Ephemeral nodes in the tree. */
  ephemeralCount = 0;
  /** {@link configVersion} before the last reconfiguration that was applied; undefined if none was. */
  configVersionBefore: number | undefined;
  /** Digests of transactions that did not match the tree after them. */
  digestMismatches = 0;
  /** Transactions of which the digest was compared. */
  digestComparisons = 0;
  /**
   * The zxid from which on digests of transactions are compared: a fuzzy snapshot's digest zxid. Infinite where a snapshot does not
   * tell how far what it holds goes beyond its zxid: then the first digest that matches is that of a tree that is right again.
   */
  digestComparedFrom = 0;
  /** Digests of transactions that came before {@link digestComparedFrom} and did not match. */
  digestsPassedOver = 0;
  /** Every 128th zxid with the tree's digest after it, for the `hash` command. */
  readonly digestLog: { zxid: number; digest: bigint }[] = [];
  /** Told the former ACL of a node whose ACL a transaction replaces: the snapshots that are being written. */
  readonly aclListeners = new Set<(node: NodeId, oldAclId: number) => void>();

  /** Believes any length: what is committed was judged, and has to be applied. */
  private readonly reader = new JuteReader(EMPTY, 0, 0, LARGEST_MAX_LENGTH);
  private zxid = 0;
  private zHi = 0;
  private zLo = 0;
  private tHi = 0;
  private tLo = 0;

  constructor(options: DataTreeOptions, sessions: SessionListener) {
    this.store = new NodeStore(options.seed);
    this.extendedTypes = options.extendedTypesEnabled;
    this.digestEnabled = options.digestEnabled;
    this.sessions = sessions;
    this.createBuiltIn();
  }

  private createBuiltIn(): void {
    const { store } = this;
    for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']) {
      const bytes = Buffer.from(path);
      const parent = path === '/' ? 0 : store.findString(parentPath(path));
      const id = store.create(parent, bytes, 0, bytes.length, store.hash(bytes, 0, bytes.length));
      store.setData(id, EMPTY, 0, 0);
      if (path === '/zookeeper/config') {
        store.set(id, F.aversion, -1);
        store.set(id, F.aclId, this.acls.acquire([{ perms: 1, scheme: 'world', id: 'anyone' }]));
      } else {
        store.set(id, F.aclId, OPEN_ACL_ID);
      }
      this.digest.add(store.refreshDigest(id));
    }
  }

  kind(id: NodeId): number {
    return ownerKind(this.store.get(id, F.owner), this.store.get(id, F.owner + 1), this.extendedTypes);
  }

  aclOf(id: NodeId): number {
    return this.store.get(id, F.aclId);
  }

  /** A session's ephemerals, in no order. */
  ephemeralIds(session: bigint): ReadonlySet<NodeId> | undefined {
    return this.ephemerals.get(session);
  }

  /** Sessions that own ephemerals. */
  ephemeralOwners(): Iterable<bigint> {
    return this.ephemerals.keys();
  }

  /**
   * Whether nodes that count as a session's ephemerals are none, but were made with a time to live while extended types were on:
   * no session has such an id, and no ephemeral has children.
   */
  ownsTtlNodes(session: bigint): boolean {
    if (isTtlOwner(session)) return true;
    for (const id of this.ephemerals.get(session) ?? []) if (this.store.get(id, F.numChildren) > 0) return true;
    return false;
  }

  /**
   * Applies one entry of the log: header, transaction and, if there, digest. Returns the error it carries (0 for a change),
   * and leaves the node it concerned in {@link touched}. Throws where the entry cannot be understood.
   */
  apply(buf: Buffer, start: number, end: number, listener?: MultiListener): number {
    const zHi = buf.readInt32BE(start + TxnHeaderAt.zxid);
    const zLo = buf.readInt32BE(start + TxnHeaderAt.zxid + 4);
    this.zHi = zHi;
    this.zLo = zLo;
    this.zxid = zHi * 4294967296 + (zLo >>> 0);
    this.tHi = buf.readInt32BE(start + TxnHeaderAt.time);
    this.tLo = buf.readInt32BE(start + TxnHeaderAt.time + 4);
    const type = buf.readInt32BE(start + TxnHeaderAt.type);
    const clientHi = buf.readInt32BE(start);
    const clientLo = buf.readInt32BE(start + 4);
    this.touched = 0;
    const reader = this.reader.reset(buf, start + TXN_HEADER_SIZE, end);
    let error: number = ErrorCode.Ok;
    switch (type) {
      case OpCode.error:
        error = reader.int();
        break;
      case OpCode.createSession:
        this.sessions.onSessionCreated(ownerId(clientHi, clientLo), reader.int());
        break;
      case OpCode.closeSession:
        this.applyCloseSession(reader, ownerId(clientHi, clientLo));
        break;
      case OpCode.multi:
        error = this.applyMulti(reader, clientHi, clientLo, listener);
        break;
      default:
        this.applyOne(type, reader, clientHi, clientLo);
    }
    this.lastProcessedZxid = this.zxid;
    if (type !== OpCode.error && this.digestEnabled) this.compareDigest(reader);
    // What is no history's digest would be taken for damage by who compares servers.
    if (this.zxid % DIGEST_LOG_INTERVAL === 0 && this.digestEnabled && this.digestCounts) this.logDigest();
    return error;
  }

  /** The node that the last transaction created or changed; 0 if none. */
  touched: NodeId = 0;

  /** How often children of the root came, at least: never fewer in what follows of a history. */
  get rootChanges(): number {
    return this.store.get(ROOT, F.cversion);
  }

  /** Whatever a snapshot may have held of later transactions is the history from now on: digests must match. */
  compareDigestsFromNow(): void {
    this.digestComparedFrom = Math.min(this.digestComparedFrom, this.lastProcessedZxid);
  }

  /** Whether the digest is that of the transactions up to {@link lastProcessedZxid}, as far as is known. */
  get digestCounts(): boolean {
    return this.lastProcessedZxid >= this.digestComparedFrom;
  }

  private compareDigest(reader: JuteReader): void {
    if (reader.remaining < TXN_DIGEST_SIZE) return;
    if (reader.int() !== DIGEST_VERSION) return;
    const hi = reader.int() >>> 0;
    const lo = reader.int() >>> 0;
    const matches = hi === this.digest.hi && lo === this.digest.lo;
    if (matches && this.digestComparedFrom === Number.POSITIVE_INFINITY) this.digestComparedFrom = this.zxid;
    if (this.zxid < this.digestComparedFrom) {
      if (!matches) this.digestsPassedOver++;
      return;
    }
    this.digestComparisons++;
    if (!matches) this.digestMismatches++;
  }

  private logDigest(): void {
    this.digestLog.push({ zxid: this.zxid, digest: this.digest.toBigInt() });
    if (this.digestLog.length > DIGEST_LOG_LENGTH) this.digestLog.shift();
  }

  private applyOne(type: number, reader: JuteReader, clientHi: number, clientLo: number): void {
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        this.touched = this.applyCreate(type, reader, clientHi, clientLo);
        break;
      case OpCode.delete:
      case OpCode.deleteContainer: {
        const at = bytesAt(reader);
        this.applyDelete(reader.buf, at, reader.pos);
        break;
      }
      case OpCode.reconfig:
        this.configVersionBefore = this.configVersion;
        this.touched = this.applySetData(reader);
        break;
      case OpCode.setData:
        this.touched = this.applySetData(reader);
        break;
      case OpCode.setACL:
        this.touched = this.applySetAcl(reader);
        break;
      case OpCode.check:
        reader.string();
        reader.int();
        break;
      default:
        throw new Error(`transaction of unknown type ${type} at zxid 0x${this.zxid.toString(16)}`);
    }
  }

  // CreateTxn: ustring path, buffer data, vector<ACL> acl, boolean ephemeral, int parentCVersion
  // CreateContainerTxn: path, data, acl, int parentCVersion. CreateTTLTxn: path, data, acl, int parentCVersion, long ttl
  private applyCreate(type: number, reader: JuteReader, clientHi: number, clientLo: number): NodeId {
    const { store } = this;
    const buf = reader.buf;
    const pathStart = bytesAt(reader);
    const pathEnd = reader.pos;
    const dataStart = bytesAt(reader);
    const dataEnd = reader.pos;
    const openAcl = skipOpenAcl(reader);
    const list = openAcl ? null : readAclList(reader);
    let ownerHi = 0;
    let ownerLo = 0;
    let parentCVersion = -1;
    if (type === OpCode.createContainer) {
      parentCVersion = reader.int();
      ownerHi = 0x80000000 | 0;
    } else if (type === OpCode.createTTL) {
      parentCVersion = reader.int();
      const ttl = reader.long53();
      ownerHi = ttlOwnerHi(ttl);
      ownerLo = ttl | 0;
    } else {
      if (reader.bool()) {
        ownerHi = clientHi;
        ownerLo = clientLo;
      }
      if (reader.remaining >= 4) parentCVersion = reader.int(); // very old logs end before it
    }

    const parent = this.findParent(buf, pathStart, pathEnd);
    if (parent === 0) return 0;
    const hash = store.hash(buf, pathStart, pathEnd);
    const existing = store.lookup(hash, buf, pathStart, pathEnd);
    const aclId = openAcl || list === null ? OPEN_ACL_ID : this.acls.acquire(list);
    if (existing !== 0) {
      // Only in replay over a fuzzy snapshot.
      this.acls.release(store.get(existing, F.aclId));
      store.set(existing, F.aclId, aclId);
      if (parentCVersion > store.get(parent, F.cversion)) {
        this.changeParent(parent, parentCVersion);
      }
      return existing;
    }
    const id = store.create(parent, buf, pathStart, pathEnd, hash);
    store.setData(id, buf, dataStart, dataEnd);
    const page = store.page(id);
    const at = store.base(id);
    page[at + F.czxid] = this.zHi;
    page[at + F.czxid + 1] = this.zLo;
    page[at + F.mzxid] = this.zHi;
    page[at + F.mzxid + 1] = this.zLo;
    page[at + F.pzxid] = this.zHi;
    page[at + F.pzxid + 1] = this.zLo;
    page[at + F.ctime] = this.tHi;
    page[at + F.ctime + 1] = this.tLo;
    page[at + F.mtime] = this.tHi;
    page[at + F.mtime + 1] = this.tLo;
    page[at + F.owner] = ownerHi;
    page[at + F.owner + 1] = ownerLo;
    page[at + F.aclId] = aclId;
    if (this.digestEnabled) this.digest.add(store.refreshDigest(id));
    const cversion = store.get(parent, F.cversion);
    const next = parentCVersion === -1 ? (cversion + 1) | 0 : parentCVersion;
    if (next > cversion) this.changeParent(parent, next);
    this.registerOwner(id, ownerHi, ownerLo);
    const below = isBelowZookeeper(buf, pathStart, pathEnd);
    if (below || this.quotas.size > 0 || this.watches.count > 0) {
      const path = store.path(id);
      if (below) this.quotaNodeCreated(path);
      this.count(path, 1, store.get(id, F.dataLength));
      this.watches.nodeCreated(path, parentPath(path), this.zxid, aclId, store.get(parent, F.aclId));
    }
    this.sessions.onWritten?.(buf, pathStart, pathEnd, store.get(id, F.dataLength));
    return id;
  }

  /** Raises the parent's creation counter and pzxid. */
  private changeParent(parent: NodeId, cversion: number): void {
    this.store.set(parent, F.cversion, cversion);
    this.touchParent(parent);
  }

  private touchParent(parent: NodeId): void {
    const { store } = this;
    const page = store.page(parent);
    const at = store.base(parent) + F.pzxid;
    page[at] = this.zHi;
    page[at + 1] = this.zLo;
    this.updateDigest(parent);
  }

  /** Replaces the node's share of the tree's digest after its record changed. */
  private updateDigest(id: NodeId): void {
    if (!this.digestEnabled) return;
    this.digest.subtract(this.store.digest(id));
    this.digest.add(this.store.refreshDigest(id));
  }

  private applyDelete(buf: Buffer, start: number, end: number): void {
    const { store } = this;
    const parent = this.findParent(buf, start, end);
    if (parent === 0) return;
    if (this.zxid > store.getLong(parent, F.pzxid)) this.touchParent(parent);
    const id = store.find(buf, start, end);
    if (id === 0) return;
    this.unregisterOwner(id);
    this.deleteNode(id, parent, buf, start, end);
  }

  /** Deletes a node of no owner whose path stands in `buf[start, end)`; its parent is touched already. */
  private deleteNode(id: NodeId, parent: NodeId, buf: Buffer, start: number, end: number): void {
    const { store } = this;
    if (store.get(id, F.numChildren) !== 0) this.deleteChildrenLeftByReplay(id);
    const aclId = store.get(id, F.aclId);
    const dataLength = store.get(id, F.dataLength);
    const observed = this.quotas.size > 0 || this.watches.count > 0;
    const path = observed ? store.path(id) : '';
    if (this.digestEnabled) this.digest.subtract(store.digest(id));
    this.sessions.onWritten?.(buf, start, end, 0);
    store.remove(id);
    if (observed) {
      const limited = limitedPath(path);
      if (limited !== undefined) this.quotas.delete(limited);
      this.count(path, -1, -dataLength);
      this.watches.nodeDeleted(path, parentPath(path), this.zxid, aclId, store.get(parent, F.aclId));
    }
    // Last: who may hear of the deletion is judged by this list, which nobody else may use.
    this.acls.release(aclId);
  }

  /**
   * A fuzzy snapshot can hold children of a node that a later transaction of the log deletes: they were created after the
   * node had been deleted and created again.  Apache's tree leaves them as orphans out of reach; here they go with it, and the
   * log creates them again.
   */
  private deleteChildrenLeftByReplay(id: NodeId): void {
    const { store } = this;
    const below = [...store.children(id)];
    for (let i = 0; i < below.length; i++) for (const child of store.children(below[i] as NodeId)) below.push(child);
    // The last are the deepest.
    for (const node of below.reverse()) {
      this.unregisterOwner(node);
      this.digest.subtract(store.digest(node));
      this.acls.release(store.get(node, F.aclId));
      store.remove(node);
    }
  }

  // SetDataTxn: ustring path, buffer data, int version
  private applySetData(reader: JuteReader): NodeId {
    const { store } = this;
    const pathStart = bytesAt(reader);
    const pathEnd = reader.pos;
    const dataStart = bytesAt(reader);
    const dataEnd = reader.pos;
    const version = reader.int();
    const id = store.find(reader.buf, pathStart, pathEnd);
    if (id === 0) return 0;
    const before = store.get(id, F.dataLength);
    store.setData(id, reader.buf, dataStart, dataEnd);
    const page = store.page(id);
    const at = store.base(id);
    page[at + F.mzxid] = this.zHi;
    page[at + F.mzxid + 1] = this.zLo;
    page[at + F.mtime] = this.tHi;
    page[at + F.mtime + 1] = this.tLo;
    page[at + F.version] = version;
    this.updateDigest(id);
    if (this.quotas.size > 0 || this.watches.count > 0) {
      const path = store.path(id);
      this.count(path, 0, store.get(id, F.dataLength) - before);
      this.watches.dataChanged(path, this.zxid, page[at + F.aclId] as number);
    }
    this.sessions.onWritten?.(reader.buf, pathStart, pathEnd, store.get(id, F.dataLength));
    return id;
  }

  /** The zxid of the reconfiguration that made what `/zookeeper/config` holds; 0 if none did. */
  get configVersion(): number {
    const id = this.store.findString('/zookeeper/config');
    return id === 0 ? 0 : this.store.getLong(id, F.mzxid);
  }

  /**
   * Puts the ensemble's configuration into `/zookeeper/config`: no transaction does, each server has it from its files.
   * @param version the zxid of the reconfiguration that made it
   */
  setConfig(text: string, version: number, wallTime: number): void {
    const { store } = this;
    const id = store.findString('/zookeeper/config');
    if (id === 0) throw new Error('/zookeeper/config is missing');
    const bytes = Buffer.from(text);
    store.setData(id, bytes, 0, bytes.length);
    store.setLong(id, F.mzxid, version);
    store.setLong(id, F.mtime, wallTime);
    store.set(id, F.version, -1);
    this.updateDigest(id);
  }

  // SetACLTxn: ustring path, vector<ACL> acl, int version
  private applySetAcl(reader: JuteReader): NodeId {
    const { store } = this;
    const pathStart = bytesAt(reader);
    const id = store.find(reader.buf, pathStart, reader.pos);
    const list = readAclList(reader) ?? [];
    const version = reader.int();
    if (id === 0) return 0;
    const old = store.get(id, F.aclId);
    for (const listener of this.aclListeners) listener(id, old);
    store.set(id, F.aclId, this.acls.acquire(list));
    this.acls.release(old);
    store.set(id, F.aversion, version);
    this.updateDigest(id);
    return id;
  }

  // CloseSessionTxn: vector<ustring> paths2Delete; missing in logs before 3.6
  private applyCloseSession(reader: JuteReader, session: bigint): void {
    // Twelve bytes that begin with the digest's version are the digest: two paths would not fit into the other eight.
    const missing = reader.remaining === TXN_DIGEST_SIZE && reader.buf.readInt32BE(reader.pos) === DIGEST_VERSION;
    if (reader.remaining >= 4 && !missing) {
      const count = reader.int();
      for (let i = 0; i < count; i++) {
        const at = bytesAt(reader);
        this.deleteEphemeral(session, reader.buf, at, reader.pos);
      }
    }
    this.deleteUnlisted(session);
    this.sessions.onSessionClosed(session);
  }

  /** What the tree knows of the session, and no list has told of. */
  private deleteUnlisted(session: bigint): void {
    const { store, sessions } = this;
    const ids = this.ephemerals.get(session);
    if (ids === undefined) return;
    this.ephemerals.delete(session);
    this.ephemeralCount -= ids.size;
    for (const id of ids) {
      const parent = store.get(id, F.parent);
      if (parent <= 0) continue; // it went with what stood above it
      if (this.zxid > store.getLong(parent, F.pzxid)) this.touchParent(parent);
      const path = sessions.onEphemeralDeleted === undefined ? undefined : store.path(id);
      const handle = store.get(id, F.path);
      const at = store.arena.offset(handle);
      this.deleteNode(id, parent, store.arena.bytes(handle), at, at + store.get(id, F.pathLength));
      if (path !== undefined) sessions.onEphemeralDeleted?.(session, path);
    }
  }

  private deleteEphemeral(session: bigint, buf: Buffer, start: number, end: number): void {
    const tell = this.sessions.onEphemeralDeleted;
    const isThere = tell !== undefined && this.store.find(buf, start, end) !== 0;
    this.applyDelete(buf, start, end);
    if (isThere) tell(session, buf.toString('utf8', start, end));
  }

  // MultiTxn: vector<Txn>, Txn: int type, buffer body. If any part is an error, nothing of it is applied.
  private applyMulti(reader: JuteReader, clientHi: number, clientLo: number, listener?: MultiListener): number {
    const count = reader.int();
    const first = reader.pos;
    let failed: number = ErrorCode.Ok;
    for (let i = 0; i < count; i++) {
      const type = reader.int();
      const at = bytesAt(reader);
      if (type === OpCode.error && failed === ErrorCode.Ok) {
        const error = reader.buf.readInt32BE(at);
        if (error !== ErrorCode.Ok) failed = error;
      }
    }
    const end = reader.pos;
    const digestEnd = reader.end;
    reader.pos = first;
    let seenFailure = false;
    for (let i = 0; i < count; i++) {
      const type = reader.int();
      const at = bytesAt(reader);
      const next = reader.pos;
      this.touched = 0;
      if (failed !== ErrorCode.Ok) {
        // Before the failing part 0, its own code there, what the log says behind it.
        let error: number = seenFailure ? ErrorCode.RuntimeInconsistency : ErrorCode.Ok;
        if (type === OpCode.error) {
          error = reader.buf.readInt32BE(at);
          seenFailure = true;
        }
        listener?.onSubOp(OpCode.error, error, 0);
      } else {
        reader.reset(reader.buf, at, next);
        this.applyOne(type, reader, clientHi, clientLo);
        listener?.onSubOp(type, ErrorCode.Ok, this.touched);
      }
      reader.reset(reader.buf, next, digestEnd);
    }
    reader.pos = end;
    return ErrorCode.Ok;
  }

  /** The node above the path in `buf[start, end)`, or 0. */
  findParent(buf: Buffer, start: number, end: number): NodeId {
    let slash = end - 1;
    while (slash > start && buf[slash] !== 0x2f) slash--;
    if (slash <= start) return ROOT;
    // Siblings come one after the other in snapshots, and often in logs.
    if (!this.store.isAt(this.lastParent, buf, start, slash)) this.lastParent = this.store.find(buf, start, slash);
    return this.lastParent;
  }

  private registerOwner(id: NodeId, hi: number, lo: number): void {
    switch (ownerKind(hi, lo, this.extendedTypes)) {
      case OwnerKind.ephemeral: {
        const owner = ownerId(hi, lo);
        const ids = this.ephemerals.get(owner);
        if (ids === undefined) this.ephemerals.set(owner, new Set([id]));
        else ids.add(id);
        this.ephemeralCount++;
        break;
      }
      case OwnerKind.container:
        this.containers.add(id);
        break;
      case OwnerKind.ttl:
        this.ttls.add(id);
        break;
    }
  }

  private unregisterOwner(id: NodeId): void {
    const hi = this.store.get(id, F.owner);
    const lo = this.store.get(id, F.owner + 1);
    switch (ownerKind(hi, lo, this.extendedTypes)) {
      case OwnerKind.ephemeral: {
        const owner = ownerId(hi, lo);
        const ids = this.ephemerals.get(owner);
        if (ids?.delete(id)) this.ephemeralCount--;
        if (ids?.size === 0) this.ephemerals.delete(owner);
        break;
      }
      case OwnerKind.container:
        this.containers.delete(id);
        break;
      case OwnerKind.ttl:
        this.ttls.delete(id);
        break;
    }
  }

  /** Containers and TTL nodes that may be deleted now: childless, and emptied or outlived. */
  *expiredContainers(now: number, maxNeverUsedMs: number): Generator<Expired> {
    const { store } = this;
    for (const id of this.containers) {
      if (store.get(id, F.numChildren) !== 0) continue;
      const used = store.get(id, F.cversion) > 0;
      if (used || (maxNeverUsedMs !== 0 && now - store.getLong(id, F.mtime) > maxNeverUsedMs)) yield this.expired(id);
    }
    for (const id of this.ttls) {
      if (store.get(id, F.numChildren) !== 0) continue;
      const ttl = ttlOf(store.get(id, F.owner), store.get(id, F.owner + 1));
      if (now - store.getLong(id, F.mtime) > ttl) yield this.expired(id);
    }
  }

  private expired(id: NodeId): Expired {
    return { path: this.store.path(id), mzxid: this.store.getLong(id, F.mzxid) };
  }

  private quotaNodeCreated(path: string): void {
    const limited = limitedPath(path);
    if (limited !== undefined) this.quotas.add(limited);
    const counted = countedPath(path);
    if (counted !== undefined) this.recount(counted);
  }

  /** Counts the subtree anew and writes the result into its stats node, without a transaction, as every server does. */
  private recount(path: string): void {
    const { store } = this;
    const id = store.findString(path);
    if (id === 0) this.writeStats(path, 0, 0);
    else this.writeStats(path, 1 + store.nodesBelow(id), store.get(id, F.dataLength) + store.bytesBelow(id));
  }

  /** Adds to the counts of the quota that governs the path, if one does. */
  private count(path: string, nodes: number, bytes: number): void {
    const governed = this.quotas.governing(path);
    if (governed === undefined) return;
    const stats = this.store.findString(statsPath(governed));
    if (stats === 0) return;
    const now = parseQuota((this.store.data(stats) ?? EMPTY).toString());
    if (now !== undefined) this.writeStats(governed, now.count + nodes, now.bytes + bytes);
  }

  private writeStats(path: string, count: number, bytes: number): void {
    const id = this.store.findString(statsPath(path));
    if (id === 0) return;
    const text = Buffer.from(formatStats(count, bytes));
    this.store.setData(id, text, 0, text.length);
  }

  /** Takes over a node of a snapshot. The built-in nodes are overwritten. `stat` is the offset of the 60 bytes czxid..pzxid. */
  loadNode(
    buf: Buffer,
    pathStart: number,
    pathEnd: number,
    dataStart: number,
    dataEnd: number,
    aclId: number,
    stat: number,
  ): void {
    const { store } = this;
    const hash = store.hash(buf, pathStart, pathEnd);
    let id = store.lookup(hash, buf, pathStart, pathEnd);
    if (id === 0) {
      const parent = this.findParent(buf, pathStart, pathEnd);
      if (parent === 0) {
        throw new Error(`snapshot holds ${buf.toString('utf8', pathStart, pathEnd)} without its parent`);
      }
      id = store.create(parent, buf, pathStart, pathEnd, hash);
    } else {
      // A node that was made again while the snapshot was written can be in it twice: the log tells how it ends.
      this.digest.subtract(store.digest(id));
      this.unregisterOwner(id);
    }
    store.setData(id, buf, dataStart, dataEnd);
    const page = store.page(id);
    const at = store.base(id);
    for (let i = 0; i < 13; i++) page[at + i] = buf.readInt32BE(stat + i * 4);
    page[at + F.pzxid] = buf.readInt32BE(stat + 52);
    page[at + F.pzxid + 1] = buf.readInt32BE(stat + 56);
    page[at + F.aclId] = this.acls.acquireLoaded(aclId, page[at + F.aclId] as number);
    if (this.digestEnabled) this.digest.add(store.refreshDigest(id));
    this.registerOwner(id, page[at + F.owner] as number, page[at + F.owner + 1] as number);
  }

  /**
   * Called when snapshot and log are read: forgets unused ACLs, finds the quotas and counts them. Returns how many nodes have an
   * access control list that neither told, so that nobody but a super user may use them.
   */
  finishLoading(): number {
    const { unlisted } = this.acls;
    this.acls.loadingEnds();
    this.quotas.clear();
    const top = this.store.findString('/zookeeper/quota');
    for (const todo = [top]; todo.length > 0; ) {
      const id = todo.pop() as NodeId;
      const limited = limitedPath(this.store.path(id));
      if (limited !== undefined) this.quotas.add(limited);
      for (const child of this.store.children(id)) todo.push(child);
    }
    for (const path of this.quotas.values()) this.recount(path);
    return unlisted;
  }

  /** Writes a node as it stands in a snapshot: path, data, ACL number, 60 bytes of Stat. */
  writeNode(w: JuteWriter, id: NodeId, aclId: number): void {
    const { store } = this;
    const pathLength = id === ROOT ? 0 : store.get(id, F.pathLength);
    const dataLength = store.get(id, F.dataLength);
    w.reserve(pathLength + dataLength + 80);
    w.int(pathLength);
    if (pathLength > 0) {
      const handle = store.get(id, F.path);
      const at = store.arena.offset(handle);
      w.pos += store.arena.bytes(handle).copy(w.buf, w.pos, at, at + pathLength);
    }
    if (store.get(id, F.flags) & NodeFlag.nullData) {
      w.int(-1);
    } else {
      w.int(dataLength);
      if (dataLength > 0) {
        const handle = store.get(id, F.data);
        const at = store.arena.offset(handle);
        w.pos += store.arena.bytes(handle).copy(w.buf, w.pos, at, at + dataLength);
      }
    }
    w.int(aclId < 0 ? -1 : 0).int(aclId);
    const page = store.page(id);
    const at = store.base(id);
    for (let i = 0; i < 13; i++) w.int(page[at + i] as number);
    w.int(page[at + F.pzxid] as number).int(page[at + F.pzxid + 1] as number);
  }

  /** The ACL of a node as a list; undefined if a snapshot gave it a number that it did not explain. */
  aclList(id: NodeId): readonly Acl[] | undefined {
    return this.acls.get(this.store.get(id, F.aclId));
  }
}

/** Steps over a buffer or string and returns where its bytes begin, or -1 for null; the reader then stands at their end. */
function bytesAt(reader: JuteReader): number {
  const n = reader.int();
  if (n < 0) return -1;
  const at = reader.pos;
  if (at + n > reader.end) throw new Error('transaction ends inside a field');
  reader.pos = at + n;
  return at;
}
