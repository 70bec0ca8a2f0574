// Answers requests that change nothing, from the tree as it stands. Order of checks and effects as in Apache's
// FinalRequestProcessor, with 3.9's rules where 3.8 differs (docs/decisions/0004-38-or-39.md).

import {
  AddWatchMode,
  DecodeError,
  decodeUtf8,
  ErrorCode,
  EventType,
  JuteReader,
  JuteWriter,
  OpCode,
  Perms,
  writeAclList,
} from '@nodekeeper/protocol';
import { childrenInOrder, MOST_ORDERED } from '../tree/child-order.js';
import type { DataTree } from '../tree/data-tree.js';
import { F, type NodeId } from '../tree/node-store.js';
import type { ExtendedTypes } from '../tree/owner.js';
import { WatchEvent } from '../tree/watches.js';
import type { Client } from './client.js';
import { type AuthRules, allows, type Identity, redacted, userName } from './identity.js';
import { REPLY_HEAD, type ReplyBuffer } from './reply-buffer.js';

/** Is told what was read; see namespace-stats.ts. */
export interface ReadObserver {
  /** The node at the path in `buf[start, end)`; so many bytes of data or names. */
  read(buf: Buffer, start: number, end: number, bytes: number): void;
}

/** Lists of more children, or with more bytes of names, leave in pieces: nobody waits for them, and no reader is sent all at once. */
const STREAM_FROM = MOST_ORDERED;
const STREAM_FROM_BYTES = 256 * 1024;
/** A request of 1 MB can ask for the same long list many thousand times; no client takes replies near this size. */
const LARGEST_MULTI_READ = 64 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

export class Reads {
  private readonly tree: DataTree;
  private readonly auth: AuthRules;
  private readonly extendedTypes: ExtendedTypes;
  private readonly reader: JuteReader;
  private readonly scratch = new JuteWriter(1024);
  private readonly observer: ReadObserver;

  constructor(
    tree: DataTree,
    auth: AuthRules,
    extendedTypes: ExtendedTypes,
    maxLength: number,
    observer: ReadObserver = { read: () => {} },
  ) {
    this.observer = observer;
    this.tree = tree;
    this.auth = auth;
    this.extendedTypes = extendedTypes;
    this.reader = new JuteReader(Buffer.alloc(0), 0, 0, maxLength);
  }

  /** Writes the reply to a request whose body is `buf[start, end)`. */
  answer(
    client: Client,
    identities: readonly Identity[],
    xid: number,
    op: number,
    buf: Buffer,
    start: number,
    end: number,
  ): void {
    const r = this.reader.reset(buf, start, end);
    let error: number;
    try {
      error = this.dispatch(client, identities, xid, op, r);
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      error = ErrorCode.MarshallingError;
    }
    if (error !== ErrorCode.Ok) client.output().header(xid, this.tree.lastProcessedZxid, error);
  }

  /** Returns an error code that is still to be answered, or 0 if the reply is written. */
  private dispatch(client: Client, identities: readonly Identity[], xid: number, op: number, r: JuteReader): number {
    switch (op) {
      case OpCode.getData:
        return this.getData(client, identities, xid, r);
      case OpCode.exists:
        return this.exists(client, identities, xid, r);
      case OpCode.getChildren:
        return this.getChildren(client, identities, xid, r, false);
      case OpCode.getChildren2:
        return this.getChildren(client, identities, xid, r, true);
      case OpCode.ping:
        client.output().header(-2, this.tree.lastProcessedZxid, ErrorCode.Ok);
        return ErrorCode.Ok;
      case OpCode.sync:
        return this.sync(client, xid, r);
      case OpCode.getACL:
        return this.getAcl(client, identities, xid, r);
      case OpCode.multiRead:
        return this.multiRead(client, identities, xid, r);
      case OpCode.setWatches:
      case OpCode.setWatches2:
        return this.setWatches(client, xid, op, r);
      case OpCode.addWatch:
        return this.addWatch(client, xid, r);
      case OpCode.checkWatches:
      case OpCode.removeWatches:
        return this.watcherType(client, xid, op, r);
      case OpCode.getEphemerals:
        return this.getEphemerals(client, xid, r);
      case OpCode.getAllChildrenNumber:
        return this.getAllChildrenNumber(client, identities, xid, r);
      case OpCode.whoAmI:
        return this.whoAmI(client, identities, xid);
      case OpCode.reconfig:
        return ErrorCode.MarshallingError; // only an undecodable one comes here
      default:
        throw new Error(`operation ${op} is no read`);
    }
  }

  /** The node whose path stands next in the body; the reader then stands behind it. -1 for a null path. */
  private node(r: JuteReader): NodeId {
    const n = r.int();
    if (n === -1) return -1;
    if (n < -1 || n > r.remaining) throw new DecodeError(`unreasonable length ${n}`);
    const at = r.pos;
    r.pos = at + n;
    this.pathStart = at;
    this.pathEnd = at + n;
    return this.tree.store.find(r.buf, at, at + n);
  }

  private pathStart = 0;
  private pathEnd = 0;

  /** The path that {@link node} stepped over, as text. */
  private path(r: JuteReader): string {
    return decodeUtf8(r.buf, this.pathStart, this.pathEnd);
  }

  /** So many bytes of data or names are told of the node whose path {@link node} stepped over. */
  private told(r: JuteReader, bytes: number): void {
    this.observer.read(r.buf, this.pathStart, this.pathEnd, bytes);
  }

  private mayRead(node: NodeId, perms: number, identities: readonly Identity[]): boolean {
    const aclId = this.tree.aclOf(node);
    return aclId === -1 || allows(this.auth, aclId, this.tree.acls.get(aclId), perms, identities);
  }

  // GetDataRequest: ustring path, boolean watch → buffer data, Stat
  private getData(client: Client, identities: readonly Identity[], xid: number, r: JuteReader): number {
    const node = this.node(r);
    const watch = r.bool();
    if (node <= 0) return node === 0 ? ErrorCode.NoNode : ErrorCode.MarshallingError;
    if (!this.mayRead(node, Perms.read, identities)) return ErrorCode.NoAuth;
    if (watch) this.tree.watches.addData(this.path(r), client);
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.data(this.tree.store, node);
    out.stat(this.tree.store, node, this.extendedTypes);
    out.end(start);
    this.told(r, this.tree.store.get(node, F.dataLength));
    return ErrorCode.Ok;
  }

  // ExistsRequest: ustring path, boolean watch → Stat
  private exists(client: Client, identities: readonly Identity[], xid: number, r: JuteReader): number {
    const node = this.node(r);
    const watch = r.bool();
    if (node === -1) return ErrorCode.MarshallingError;
    if (node === 0) {
      const path = this.path(r);
      if (path.includes('\0')) return ErrorCode.BadArguments;
      if (watch) this.tree.watches.addData(path, client);
      return ErrorCode.NoNode;
    }
    if (!this.mayRead(node, Perms.read, identities)) return ErrorCode.NoAuth;
    if (watch) this.tree.watches.addData(this.path(r), client);
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.stat(this.tree.store, node, this.extendedTypes);
    out.end(start);
    this.told(r, 0);
    return ErrorCode.Ok;
  }

  // GetChildrenRequest: ustring path, boolean watch → vector<ustring> names (and Stat)
  private getChildren(client: Client, ids: readonly Identity[], xid: number, r: JuteReader, withStat: boolean): number {
    const node = this.node(r);
    const watch = r.bool();
    if (node <= 0) return node === 0 ? ErrorCode.NoNode : ErrorCode.MarshallingError;
    if (!this.mayRead(node, Perms.read, ids)) return ErrorCode.NoAuth;
    if (watch) this.tree.watches.addChild(this.path(r), client);
    const nameBytes = this.tree.store.get(node, F.childNameBytes);
    this.told(r, nameBytes);
    if (nameBytes > STREAM_FROM_BYTES || this.tree.store.get(node, F.numChildren) > STREAM_FROM) {
      client.streamChildren(xid, node, withStat);
      return ErrorCode.Ok;
    }
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    this.childNames(out, node);
    if (withStat) out.stat(this.tree.store, node, this.extendedTypes);
    out.end(start);
    return ErrorCode.Ok;
  }

  private childNames(out: ReplyBuffer, node: NodeId): void {
    const { store } = this.tree;
    const count = store.get(node, F.numChildren);
    out.int(count);
    if (count === 0) return;
    const prefix = store.namePrefix(node);
    out.reserve(count * 4 + store.get(node, F.childNameBytes));
    const { ints, at } = count > MOST_ORDERED ? store.childInts(node) : { ints: childrenInOrder(store, node), at: 0 };
    for (let i = 0; i < count; i++) writeName(out, store, ints[at + i] as number, prefix);
  }

  // SyncRequest: ustring path → ustring path
  private sync(client: Client, xid: number, r: JuteReader): number {
    const path = r.string();
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    if (path === null) out.int(-1);
    else out.string(path);
    out.end(start);
    return ErrorCode.Ok;
  }

  // GetACLRequest: ustring path → vector<ACL>, Stat
  private getAcl(client: Client, identities: readonly Identity[], xid: number, r: JuteReader): number {
    const node = this.node(r);
    if (node <= 0) return node === 0 ? ErrorCode.NoNode : ErrorCode.MarshallingError;
    if (!this.mayRead(node, Perms.read | Perms.admin, identities)) return ErrorCode.NoAuth;
    const list = this.tree.aclList(node) ?? [];
    const shown = this.mayRead(node, Perms.admin, identities) ? list : redacted(list);
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    writeAclList(this.scratch.clear(), shown);
    out.raw(this.scratch.bytes(), 0, this.scratch.pos);
    out.stat(this.tree.store, node, this.extendedTypes);
    out.end(start);
    return ErrorCode.Ok;
  }

  // As multi, with getData and getChildren as parts; each part succeeds or fails for itself.
  private multiRead(client: Client, identities: readonly Identity[], xid: number, r: JuteReader): number {
    const first = r.pos;
    const writes = checkMultiRead(r);
    r.pos = first;
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    // A write, and a null path where it is reached, fail the whole: then the results so far follow the error, unless they are more
    // than there is room for.
    let failed = writes;
    while (!failed) {
      const type = r.int();
      const done = r.bool();
      r.int();
      if (done) break;
      failed = !this.multiReadPart(out, start, identities, type, r);
    }
    out.multiHeader(-1, true, -1);
    if (failed) out.intAt(start + REPLY_HEAD - 4, ErrorCode.MarshallingError);
    out.end(start);
    return ErrorCode.Ok;
  }

  /** False for a null path, and for what there is no room for in the reply that began at `start`. */
  private multiReadPart(
    out: ReplyBuffer,
    start: number,
    identities: readonly Identity[],
    type: number,
    r: JuteReader,
  ): boolean {
    const { store } = this.tree;
    const node = this.node(r);
    r.bool(); // the watch flag is not heeded
    if (node === -1) return false;
    if (node === 0 || !this.mayRead(node, Perms.read, identities)) {
      const error = node === 0 ? ErrorCode.NoNode : ErrorCode.NoAuth;
      out.multiHeader(OpCode.error, false, error);
      out.int(error);
      return true;
    }
    const bytes = store.get(node, type === OpCode.getChildren ? F.childNameBytes : F.dataLength);
    if (out.pos - start + bytes > LARGEST_MULTI_READ) {
      out.pos = start + REPLY_HEAD;
      return false;
    }
    this.told(r, bytes);
    out.multiHeader(type, false, ErrorCode.Ok);
    if (type === OpCode.getChildren) {
      this.childNames(out, node);
    } else {
      out.data(store, node);
      out.stat(store, node, this.extendedTypes);
    }
    return true;
  }

  // SetWatches: long relativeZxid, vector<ustring> data, exist, child; SetWatches2 adds persistent, persistentRecursive
  private setWatches(client: Client, xid: number, op: number, r: JuteReader): number {
    const relative = r.long53();
    const readPath = (reader: JuteReader): string | null => reader.string();
    const lists = [r.vector(readPath), r.vector(readPath), r.vector(readPath)];
    if (op === OpCode.setWatches2) lists.push(r.vector(readPath), r.vector(readPath));
    for (let kind = 0; kind < lists.length; kind++) {
      const list = lists[kind];
      if (list === null || list === undefined) return ErrorCode.MarshallingError;
      for (const path of list) {
        if (path === null) return ErrorCode.MarshallingError;
        this.setWatch(client, kind, path, relative);
        if (client.closed) return ErrorCode.Ok; // it did not take the notifications: nothing would remove its watches
      }
    }
    client.output().header(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    return ErrorCode.Ok;
  }

  private setWatch(client: Client, kind: number, path: string, relative: number): void {
    const { store, watches } = this.tree;
    const node = store.findString(path);
    const tell = (type: number): void => client.onEvent(new WatchEvent(type, path, -1));
    switch (kind) {
      case 0:
        if (node === 0) tell(EventType.nodeDeleted);
        else if (store.getLong(node, F.mzxid) > relative) tell(EventType.nodeDataChanged);
        else watches.addData(path, client);
        break;
      case 1:
        if (node !== 0) tell(EventType.nodeCreated);
        else watches.addData(path, client);
        break;
      case 2:
        if (node === 0) tell(EventType.nodeDeleted);
        else if (store.getLong(node, F.pzxid) > relative) tell(EventType.nodeChildrenChanged);
        else watches.addChild(path, client);
        break;
      default:
        watches.addPersistent(path, client, kind === 3 ? AddWatchMode.persistent : AddWatchMode.persistentRecursive);
    }
  }

  // AddWatchRequest: ustring path, int mode → int 0
  private addWatch(client: Client, xid: number, r: JuteReader): number {
    const path = r.string();
    const mode = r.int();
    if (mode !== AddWatchMode.persistent && mode !== AddWatchMode.persistentRecursive)
      return ErrorCode.MarshallingError;
    if (path === null) return ErrorCode.MarshallingError;
    this.tree.watches.addPersistent(path, client, mode);
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.int(0);
    out.end(start);
    return ErrorCode.Ok;
  }

  // CheckWatchesRequest, RemoveWatchesRequest: ustring path, int type
  private watcherType(client: Client, xid: number, op: number, r: JuteReader): number {
    const path = r.string();
    const type = r.int();
    if (type < 1 || type > 5) return ErrorCode.MarshallingError;
    if (path === null && op === OpCode.checkWatches) return ErrorCode.MarshallingError;
    const { watches } = this.tree;
    const found =
      path !== null &&
      (op === OpCode.removeWatches ? watches.remove(path, client, type) : watches.has(path, client, type));
    if (!found) return ErrorCode.NoWatcher;
    client.output().header(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    return ErrorCode.Ok;
  }

  // GetEphemeralsRequest: ustring prefixPath → vector<ustring>. A session can have very many: their bytes are copied as they stand.
  private getEphemerals(client: Client, xid: number, r: JuteReader): number {
    const prefix = r.string();
    const begin = prefix === null || isBlank(prefix) || prefix === '/' ? NOTHING : Buffer.from(prefix);
    const { store } = this.tree;
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.int(0);
    let count = 0;
    let leftOut = 0;
    for (const id of this.tree.ephemeralIds(client.session?.id ?? 0n) ?? []) {
      const path = store.get(id, F.path);
      const length = store.get(id, F.pathLength);
      const bytes = store.arena.bytes(path);
      const at = store.arena.offset(path);
      if (!beginsWith(bytes, at, length, begin)) {
        leftOut += length;
        continue;
      }
      out.int(length);
      out.raw(bytes, at, at + length);
      count++;
    }
    out.intAt(start + REPLY_HEAD, count);
    out.end(start);
    client.charge(leftOut);
    return ErrorCode.Ok;
  }

  // GetAllChildrenNumberRequest: ustring path → int
  private getAllChildrenNumber(client: Client, identities: readonly Identity[], xid: number, r: JuteReader): number {
    const node = this.node(r);
    if (node <= 0) return node === 0 ? ErrorCode.NoNode : ErrorCode.MarshallingError;
    if (!this.mayRead(node, Perms.read, identities)) return ErrorCode.NoAuth;
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.int(this.descendants(node, this.pathEnd === this.pathStart));
    out.end(start);
    return ErrorCode.Ok;
  }

  /** @param alias the root was named by the empty path: Apache then counts `/` as below it */
  private descendants(node: NodeId, alias: boolean): number {
    const { store } = this.tree;
    if (store.get(node, F.parent) === 0) return alias ? store.count : store.count - 1;
    return store.nodesBelow(node);
  }

  // WhoAmIResponse: vector<ClientInfo>, ClientInfo: ustring authScheme, ustring user
  private whoAmI(client: Client, identities: readonly Identity[], xid: number): number {
    const out = client.output();
    const start = out.begin(xid, this.tree.lastProcessedZxid, ErrorCode.Ok);
    out.int(identities.length);
    for (const identity of identities) {
      out.string(identity.scheme);
      out.string(userName(identity));
    }
    out.end(start);
    return ErrorCode.Ok;
  }
}

function beginsWith(bytes: Uint8Array, at: number, length: number, begin: Buffer): boolean {
  if (begin.length > length) return false;
  for (let i = 0; i < begin.length; i++) if (bytes[at + i] !== begin[i]) return false;
  return true;
}

/** Whether nothing is left of a text trimmed as Java does it, of every character up to the space. */
function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x20) return false;
  return true;
}

/** Appends a child's name with its length. */
export function writeName(out: ReplyBuffer, store: DataTree['store'], child: NodeId, prefix: number): void {
  const handle = store.get(child, F.path);
  const at = store.arena.offset(handle);
  const length = store.get(child, F.pathLength);
  out.int(length - prefix);
  out.raw(store.arena.bytes(handle), at + prefix, at + length);
}

/** Decodes a multiRead whole; true if its parts are writes. Throws if it cannot be decoded or mixes reads and writes. */
function checkMultiRead(r: JuteReader): boolean {
  let kind = 0; // 1 reads, 2 writes
  for (;;) {
    const type = r.int();
    const done = r.bool();
    r.int();
    if (done) return kind === 2;
    const isRead = type === OpCode.getData || type === OpCode.getChildren;
    if (kind !== 0 && (kind === 1) !== isRead) throw new DecodeError('reads and writes mixed');
    kind = isRead ? 1 : 2;
    if (isRead) {
      r.string();
      r.bool();
    } else {
      skipWritePart(type, r);
    }
  }
}

/** Steps over a write within a multiRead, which is refused once it was decoded. */
function skipWritePart(type: number, r: JuteReader): void {
  switch (type) {
    case OpCode.create:
    case OpCode.create2:
    case OpCode.createContainer:
    case OpCode.createTTL: {
      r.string();
      r.buffer();
      r.vector((reader) => {
        reader.int();
        reader.string();
        reader.string();
      });
      const flags = r.int();
      if (type === OpCode.createTTL) r.long53();
      else if (flags < 0 || flags > 4) throw new DecodeError(`invalid flags ${flags}`);
      return;
    }
    case OpCode.delete:
    case OpCode.check:
      r.string();
      r.int();
      return;
    case OpCode.setData:
      r.string();
      r.buffer();
      r.int();
      return;
    default:
      throw new DecodeError(`operation ${type} cannot be part of a multi`);
  }
}
