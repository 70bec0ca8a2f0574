// From a write request to a transaction: judges the request against the tree plus what is already on its way to the log, in the
// order of checks of Apache's PrepRequestProcessor, and writes the log entry (header, transaction, digest). A request that
// fails becomes an error transaction: it takes a zxid too.

import {
  DecodeError,
  ErrorCode,
  isEphemeral,
  isSequential,
  type JuteReader,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  Perms,
  parentPath,
  pathProblem,
  writeAclList,
} from '@nodekeeper/protocol';
import type { ReconfigRequest } from '../quorum/reconfigure.js';
import { crcBytes } from '../tree/crc32.js';
import type { DataTree, Expired } from '../tree/data-tree.js';
import { DIGEST_VERSION, TreeDigest } from '../tree/digest.js';
import { F, type NodeId } from '../tree/node-store.js';
import { type ExtendedTypes, OwnerKind, ownerKind, ttlOwnerHi } from '../tree/owner.js';
import { ROOT_LIMITS, spoilsCounts } from '../tree/quota.js';
import { TXN_DIGEST_SIZE, TXN_HEADER_SIZE, TxnHeaderAt } from '../tree/txn-types.js';
import { type NodeChange, PendingChanges } from './changes.js';
import {
  type CreateRequest,
  createProblem,
  type DeleteRequest,
  decodeCreate,
  decodeDelete,
  decodeMulti,
  decodeReconfig,
  decodeSetAcl,
  decodeSetData,
  type SetAclRequest,
  type SetDataRequest,
  type SubRequest,
} from './decode.js';
import { type AuthRules, allows, fixupAcl, type Identity } from './identity.js';
import { checkQuota, type QuotaObserver } from './quota-check.js';

export interface PrepareOptions {
  readonly auth: AuthRules;
  readonly extendedTypesEnabled: ExtendedTypes;
  readonly enforceQuota: boolean;
  readonly digestEnabled: boolean;
  readonly closeSessionTxnEnabled: boolean;
  readonly reconfigEnabled: boolean;
  /** The text of the members that a reconfiguration leads to, or the code of its error. */
  readonly reconfigure?: (request: ReconfigRequest, zxid: number) => string | number;
  /** The largest entry that other servers, and this one when it starts, believe: jute.maxbuffer plus extrasize, in bytes. */
  readonly maxEntry: number;
  /** Told of a soft quota that is exceeded. */
  readonly onQuotaExceeded: QuotaObserver;
}

/** Whose write it is, as the transaction's header will say. */
export interface Author {
  readonly idHi: number;
  readonly idLo: number;
}

const CONFIG_PATH = '/zookeeper/config';
const NOTHING = Buffer.alloc(0);
const PROTECTED = new Set(['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']);

export class Preparer {
  private readonly tree: DataTree;
  private readonly options: PrepareOptions;
  readonly pending: PendingChanges;
  /** The digest of the tree once everything pending is applied. */
  private readonly digest = new TreeDigest();
  /** The entry that was written last; valid until the next `prepare`. */
  readonly entry = new JuteWriter(8192);
  /** The reply types of the parts of the multi that was prepared last. */
  multiTypes: number[] = [];
  /** The path of the request that was prepared last, complete with its sequence number; null if it has none. */
  path: string | null = null;
  // Of the path that was asked for last, which in a multi is often that of the next part too.
  private goodPath = '/';
  private child = '';
  private parent = '';
  /** What the request at hand was decoded from. */
  private body: Buffer = NOTHING;
  private zxid = 0;
  private time = 0;
  private author: Author = { idHi: 0, idLo: 0 };

  constructor(tree: DataTree, options: PrepareOptions) {
    this.tree = tree;
    this.options = options;
    this.pending = new PendingChanges(tree);
  }

  /**
   * Writes the entry for a request into {@link entry} and returns its error code.
   * @param time milliseconds since 1970
   */
  prepare(
    type: number,
    body: JuteReader,
    author: Author,
    identities: readonly Identity[],
    cxid: number,
    zxid: number,
    time: number,
  ): number {
    this.begin(type, author, cxid, zxid, time);
    this.body = body.buf;
    const mark = this.pending.mark();
    const { hi, lo } = this.digest;
    let error: number;
    try {
      error = this.dispatch(type, body, identities);
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      error = ErrorCode.MarshallingError;
    }
    if (error === ErrorCode.Ok && this.tooLarge) {
      // A small request can become that by its ACLs: `auth` stands for every identity of the connection.
      this.pending.rollback(mark);
      this.digest.copyFrom({ hi, lo });
      error = ErrorCode.BadArguments;
    }
    return this.finish(error);
  }

  /** Whether the entry, proposed, would be refused by every server for good. */
  private get tooLarge(): boolean {
    return this.room < 0;
  }

  /** Bytes that the entry may still take. */
  private get room(): number {
    return this.options.maxEntry - this.entry.pos - TXN_DIGEST_SIZE;
  }

  /** The entry that creates a session with the given timeout in milliseconds. */
  prepareCreateSession(author: Author, timeout: number, zxid: number, time: number): void {
    this.begin(OpCode.createSession, author, 0, zxid, time);
    this.entry.int(timeout);
    this.finish(ErrorCode.Ok);
  }

  /** The entry that closes a session and deletes its ephemerals. Returns the number of ephemerals. */
  prepareCloseSession(id: bigint, author: Author, cxid: number, zxid: number, time: number): number {
    this.begin(OpCode.closeSession, author, cxid, zxid, time);
    const { entry, pending } = this;
    const { store } = this.tree;
    const countAt = entry.pos;
    let count = 0;
    /** How many children parents lose. */
    const lost = new Map<NodeId, number>();
    entry.int(0);
    const changed = pending.endSession(id, author.idHi, author.idLo, zxid, (node) => {
      count++;
      const path = store.get(node, F.path);
      if (!this.tooLarge)
        entry.bufferFrom(store.arena.bytes(path), store.arena.offset(path), store.get(node, F.pathLength));
      this.digest.subtract(store.digest(node));
      const parent = store.get(node, F.parent);
      lost.set(parent, (lost.get(parent) ?? 0) + 1);
    });
    for (const [node, children] of lost) {
      const parent = pending.find(store.path(node));
      if (parent !== undefined) this.changeParent(parent, -1, -children);
    }
    for (const path of changed) {
      count++;
      if (!this.tooLarge) entry.string(path);
      const parent = pending.find(parentPath(path));
      if (parent !== undefined) this.changeParent(parent, -1, -1);
      this.removeNode(path, pending.find(path)?.digest ?? 0, true);
    }
    entry.buf.writeInt32BE(count, countAt);
    // Too long a list is left out (ZOOKEEPER-4306): each server deletes what it knows of the session, as before there were lists.
    // Where there is none, there is no digest either: Apache's servers would take it for a list, and not start on such a log.
    if (!this.options.closeSessionTxnEnabled || this.tooLarge) entry.pos = TXN_HEADER_SIZE;
    else this.finish(ErrorCode.Ok);
    return count;
  }

  /** The entry that deletes an empty container or an outlived TTL node; an error code if it is no longer due. */
  prepareDeleteContainer(node: Expired, zxid: number, time: number): number {
    this.begin(OpCode.deleteContainer, NOBODY, 0, zxid, time);
    return this.finish(this.deleteContainer(node));
  }

  /** An entry that only carries an error. */
  prepareError(error: number, author: Author, cxid: number, zxid: number, time: number): void {
    this.begin(OpCode.error, author, cxid, zxid, time);
    this.finish(error);
  }

  /** To be called after a transaction was applied to the tree. */
  applied(zxid: number): void {
    this.pending.applied(zxid);
  }

  // TxnHeader: long clientId, int cxid, long zxid, long time, int type
  private begin(type: number, author: Author, cxid: number, zxid: number, time: number): void {
    this.pending.begin();
    if (this.pending.size === 0) this.digest.copyFrom(this.tree.digest);
    this.zxid = zxid;
    this.time = time;
    this.author = author;
    this.path = null;
    this.entry.clear();
    this.entry.int(author.idHi).int(author.idLo).int(cxid).long53(zxid).long53(time).int(type);
  }

  private finish(error: number): number {
    const { entry } = this;
    if (error !== ErrorCode.Ok) {
      entry.pos = TXN_HEADER_SIZE;
      entry.buf.writeInt32BE(OpCode.error, TxnHeaderAt.type);
      entry.int(error);
    } else if (this.options.digestEnabled) {
      entry
        .int(DIGEST_VERSION)
        .int(this.digest.hi | 0)
        .int(this.digest.lo | 0);
    }
    return error;
  }

  private dispatch(type: number, body: JuteReader, identities: readonly Identity[]): number {
    switch (type) {
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
        return this.create(decodeCreate(type, body), identities);
      case OpCode.delete:
        return this.delete(decodeDelete(type, body), identities);
      case OpCode.setData:
        return this.setData(decodeSetData(body), identities);
      case OpCode.setACL:
        return this.setAcl(decodeSetAcl(body), identities);
      case OpCode.multi:
        return this.multi(decodeMulti(body), identities);
      case OpCode.reconfig:
        return this.reconfig(decodeReconfig(body), identities);
      case OpCode.deleteContainer:
        return ErrorCode.BadArguments; // the container manager's own; a client's was never meant to be
      default:
        return ErrorCode.Unimplemented; // a learner can forward anything; Apache's 3.8 does that with a lone check
    }
  }

  private create(request: CreateRequest, identities: readonly Identity[]): number {
    const { flags } = request;
    const problem = createProblem(request, this.options.extendedTypesEnabled !== false);
    if (problem !== ErrorCode.Ok) return problem;
    if (request.path === null) return ErrorCode.MarshallingError;
    let { path } = request;
    this.path = path;
    if (!path.includes('/') || path.includes('\0')) return ErrorCode.BadArguments;
    const acl = fixupAcl(this.options.auth, request.acl, identities, this.room);
    if (typeof acl === 'number') return acl;
    const parent = this.pending.find(this.parentOf(path));
    if (parent === undefined) return ErrorCode.NoNode;
    if (!this.allowed(parent, Perms.create, identities)) return ErrorCode.NoAuth;
    if (isSequential(flags)) {
      path += sequenceSuffix(parent.cversion);
      this.path = path;
    }
    if (this.badPath(path) !== ErrorCode.Ok || path === ROOT_LIMITS) return ErrorCode.BadArguments;
    if (this.pending.find(path) !== undefined) return ErrorCode.NodeExists;
    if (this.kind(parent) === OwnerKind.ephemeral) return ErrorCode.NoChildrenForEphemerals;
    const length = Math.max(0, request.dataLength);
    const exceeded = this.quota(path, length, 1);
    if (exceeded !== ErrorCode.Ok) return exceeded;

    const container = request.type === OpCode.createContainer;
    const ephemeral = isEphemeral(flags) && !container;
    const cversion = (parent.cversion + 1) | 0;
    const { entry } = this;
    entry.string(path).bufferFrom(this.body, request.dataAt, request.dataLength);
    writeAclList(entry, acl);
    if (request.type === OpCode.createTTL) entry.int(cversion).long53(request.ttl);
    else if (container) entry.int(cversion);
    else entry.bool(ephemeral).int(cversion);

    this.changeParent(parent, cversion, 1);
    const node = this.pending.created(path, this.zxid);
    setLong(node.stat, F.czxid, this.zxid);
    setLong(node.stat, F.mzxid, this.zxid);
    setLong(node.stat, F.pzxid, this.zxid);
    setLong(node.stat, F.ctime, this.time);
    setLong(node.stat, F.mtime, this.time);
    node.stat[F.dataLength] = length;
    if (container) {
      node.stat[F.owner] = 0x80000000 | 0;
    } else if (request.type === OpCode.createTTL) {
      node.stat[F.owner] = ttlOwnerHi(request.ttl);
      node.stat[F.owner + 1] = request.ttl | 0;
    } else if (ephemeral) {
      node.stat[F.owner] = this.author.idHi;
      node.stat[F.owner + 1] = this.author.idLo;
      node.ephemeral = true;
    }
    node.acl = acl;
    node.aclId = acl === OPEN_ACL_UNSAFE ? -1 : 0;
    this.setContent(node, this.body, request.dataAt, length);
    this.digest.add(node.digest);
    this.pending.add(node);
    return ErrorCode.Ok;
  }

  private delete(request: DeleteRequest, identities: readonly Identity[]): number {
    const { path } = request;
    this.path = path;
    if (path === null) return ErrorCode.MarshallingError;
    if (!path.includes('/') || path.includes('\0') || PROTECTED.has(path)) return ErrorCode.BadArguments;
    const parent = this.pending.find(this.parentOf(path));
    if (parent === undefined) return ErrorCode.NoNode;
    if (!this.allowed(parent, Perms.delete, identities)) return ErrorCode.NoAuth;
    const node = this.pending.find(path);
    if (node === undefined) return ErrorCode.NoNode;
    if (request.version !== -1 && request.version !== node.version) return ErrorCode.BadVersion;
    if (node.childCount > 0) return ErrorCode.NotEmpty;
    this.entry.string(path);
    this.changeParent(parent, -1, -1);
    this.removeNode(path, node.digest, this.kind(node) === OwnerKind.ephemeral);
    return ErrorCode.Ok;
  }

  private deleteContainer({ path, mzxid }: Expired): number {
    this.path = path;
    const node = this.pending.find(path);
    const parent = this.pending.find(parentPath(path));
    if (node === undefined || parent === undefined) return ErrorCode.NoNode;
    if (node.childCount > 0) return ErrorCode.NotEmpty;
    if (node.mzxid !== mzxid) return ErrorCode.BadVersion;
    this.entry.string(path);
    if (this.tooLarge) return ErrorCode.BadArguments; // it came in with a larger jute.maxbuffer
    this.changeParent(parent, -1, -1);
    this.removeNode(path, node.digest, false);
    return ErrorCode.Ok;
  }

  private setData(request: SetDataRequest, identities: readonly Identity[]): number {
    const { path } = request;
    this.path = path;
    const bad = this.badPath(path);
    if (bad !== ErrorCode.Ok || path === null) return bad;
    const node = this.pending.find(path);
    if (node === undefined) return ErrorCode.NoNode;
    if (!this.allowed(node, Perms.write, identities)) return ErrorCode.NoAuth;
    if (spoilsCounts(path, this.body, request.dataAt, request.dataLength)) return ErrorCode.BadArguments;
    const length = Math.max(0, request.dataLength);
    const exceeded = this.quota(path, length - node.dataLength, 0);
    if (exceeded !== ErrorCode.Ok) return exceeded;
    if (request.version !== -1 && request.version !== node.version) return ErrorCode.BadVersion;
    const version = (node.version + 1) | 0;
    this.entry.string(path).bufferFrom(this.body, request.dataAt, request.dataLength).int(version);
    this.digest.subtract(node.digest);
    const changed = this.pending.change(node, this.zxid);
    changed.stat[F.version] = version;
    changed.stat[F.dataLength] = length;
    setLong(changed.stat, F.mtime, this.time);
    setLong(changed.stat, F.mzxid, this.zxid);
    this.setContent(changed, this.body, request.dataAt, length);
    this.digest.add(changed.digest);
    return ErrorCode.Ok;
  }

  private reconfig(request: ReconfigRequest, identities: readonly Identity[]): number {
    const { reconfigEnabled, reconfigure } = this.options;
    if (!reconfigEnabled) return ErrorCode.ReconfigDisabled;
    if (reconfigure === undefined) return ErrorCode.Unimplemented;
    const text = reconfigure(request, this.zxid);
    if (typeof text === 'number') return text;
    this.path = CONFIG_PATH;
    const node = this.pending.find(CONFIG_PATH);
    if (node === undefined) return ErrorCode.NoNode;
    if (!this.allowed(node, Perms.write, identities)) return ErrorCode.NoAuth;
    const data = Buffer.from(text);
    this.entry.string(CONFIG_PATH).buffer(data).int(-1);
    const changed = this.pending.change(node, this.zxid);
    changed.stat[F.version] = -1;
    changed.stat[F.dataLength] = data.length;
    setLong(changed.stat, F.mtime, this.time);
    setLong(changed.stat, F.mzxid, this.zxid);
    this.setContent(changed, data, 0, data.length);
    return ErrorCode.Ok;
  }

  private setAcl(request: SetAclRequest, identities: readonly Identity[]): number {
    const { path } = request;
    this.path = path;
    const bad = this.badPath(path);
    if (bad !== ErrorCode.Ok || path === null) return bad;
    const acl = fixupAcl(this.options.auth, request.acl, identities, this.room);
    if (typeof acl === 'number') return acl;
    const node = this.pending.find(path);
    if (node === undefined) return ErrorCode.NoNode;
    if (!this.allowed(node, Perms.admin, identities)) return ErrorCode.NoAuth;
    if (request.version !== -1 && request.version !== node.aversion) return ErrorCode.BadVersion;
    const version = (node.aversion + 1) | 0;
    this.entry.string(path);
    writeAclList(this.entry, acl);
    this.entry.int(version);
    this.digest.subtract(node.digest);
    const changed = this.pending.change(node, this.zxid);
    changed.stat[F.aversion] = version;
    changed.acl = acl;
    changed.aclId = 0;
    changed.refreshDigest();
    this.digest.add(changed.digest);
    return ErrorCode.Ok;
  }

  private check(request: DeleteRequest, identities: readonly Identity[]): number {
    const { path } = request;
    const bad = this.badPath(path);
    if (bad !== ErrorCode.Ok || path === null) return bad;
    const node = this.pending.find(path);
    if (node === undefined) return ErrorCode.NoNode;
    if (!this.allowed(node, Perms.read, identities)) return ErrorCode.NoAuth;
    if (request.version !== -1 && request.version !== node.version) return ErrorCode.BadVersion;
    this.entry.string(path).int((node.version + 1) | 0);
    return ErrorCode.Ok;
  }

  // MultiTxn: vector<Txn>, Txn: int type, buffer body. After the first failure everything is an error; then nothing is applied.
  private multi(ops: readonly SubRequest[], identities: readonly Identity[]): number {
    const { entry, pending } = this;
    for (const op of ops) if (op.path === null) return ErrorCode.MarshallingError;
    const mark = pending.mark();
    const hi = this.digest.hi;
    const lo = this.digest.lo;
    const types: number[] = [];
    let failure: number = ErrorCode.Ok;
    entry.int(ops.length);
    for (const op of ops) {
      const typeAt = entry.pos;
      entry.int(logType(op.type)).int(0);
      const bodyAt = entry.pos;
      const error: number = failure === ErrorCode.Ok ? this.part(op, identities) : ErrorCode.RuntimeInconsistency;
      if (error === ErrorCode.MarshallingError) {
        // What Apache's server meets as an unexpected exception fails the whole.
        pending.rollback(mark);
        this.digest.copyFrom({ hi, lo });
        return error;
      }
      if (error !== ErrorCode.Ok) {
        if (failure === ErrorCode.Ok) {
          failure = error;
          pending.rollback(mark);
          this.digest.copyFrom({ hi, lo });
        }
        entry.pos = bodyAt;
        entry.buf.writeInt32BE(OpCode.error, typeAt);
        entry.int(error);
      }
      entry.buf.writeInt32BE(entry.pos - bodyAt, typeAt + 4);
      types.push(op.type);
    }
    this.multiTypes = types;
    this.path = null;
    return ErrorCode.Ok;
  }

  private part(op: SubRequest, identities: readonly Identity[]): number {
    switch (op.type) {
      case OpCode.delete:
        return this.delete(op as DeleteRequest, identities);
      case OpCode.check:
        return this.check(op as DeleteRequest, identities);
      case OpCode.setData:
        return this.setData(op as SetDataRequest, identities);
      default:
        return this.create(op as CreateRequest, identities);
    }
  }

  private badPath(path: string | null): number {
    if (path === null) return ErrorCode.BadArguments;
    if (path === this.goodPath) return ErrorCode.Ok;
    if (pathProblem(path) !== null) return ErrorCode.BadArguments;
    this.goodPath = path;
    return ErrorCode.Ok;
  }

  private parentOf(path: string): string {
    if (path !== this.child) {
      this.child = path;
      this.parent = parentPath(path);
    }
    return this.parent;
  }

  private allowed(node: NodeChange, perms: number, identities: readonly Identity[]): boolean {
    return allows(this.options.auth, node.aclId, node.acl, perms, identities);
  }

  private kind(node: NodeChange): number {
    return ownerKind(node.stat[F.owner] as number, node.stat[F.owner + 1] as number, this.options.extendedTypesEnabled);
  }

  private quota(path: string, bytes: number, nodes: number): number {
    if (!this.options.enforceQuota) return ErrorCode.Ok;
    return checkQuota(this.tree, path, bytes, nodes, this.options.onQuotaExceeded);
  }

  /**
   * @param cversion the creation counter with a creation, -1 with a deletion. As in the tree it never goes down: one that has come to
   * its end, 2^31 - 1, stays, and so does pzxid.
   */
  private changeParent(parent: NodeChange, cversion: number, children: number): void {
    this.digest.subtract(parent.digest);
    const changed = this.pending.change(parent, this.zxid);
    changed.stat[F.numChildren] = changed.childCount + children;
    const raised = children > 0 && cversion > changed.cversion;
    if (raised) changed.stat[F.cversion] = cversion;
    if (raised || children < 0) setLong(changed.stat, F.pzxid, this.zxid);
    changed.refreshDigest();
    this.digest.add(changed.digest);
  }

  private removeNode(path: string, digest: number, ephemeral: boolean): void {
    this.digest.subtract(digest);
    this.pending.remove(path, this.zxid, ephemeral);
  }

  /** Computes the digest of a node with new data, `buf[start, start + length)`. */
  private setContent(node: NodeChange, buf: Buffer, start: number, length: number): void {
    node.inDigest = !node.path.startsWith('/zookeeper/');
    if (!node.inDigest || !this.options.digestEnabled) return;
    node.crcState = crcBytes(this.tree.store.crcOfPath(node.path), buf, start, start + length);
    node.refreshDigest();
  }
}

const NOBODY: Author = { idHi: 0, idLo: 0 };

function setLong(stat: Int32Array, field: number, value: number): void {
  const hi = Math.floor(value / 4294967296);
  stat[field] = hi;
  stat[field + 1] = (value - hi * 4294967296) | 0;
}

/** In the log a create2 within a multi is a create: 3.8.0 cannot apply the other. */
function logType(type: number): number {
  return type === OpCode.create2 ? OpCode.create : type;
}

/** Java's `%010d`. */
function sequenceSuffix(n: number): string {
  return n < 0 ? `-${String(-n).padStart(9, '0')}` : String(n).padStart(10, '0');
}
