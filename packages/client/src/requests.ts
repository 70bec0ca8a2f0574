// One entry per operation: what is written after the request header, what is read after the reply header.
// Source of the layouts: zookeeper.jute of Apache ZooKeeper; the protocol's records stand above each entry.

import {
  type Acl,
  CreateMode,
  type JuteReader,
  type JuteWriter,
  OpCode,
  readAclList,
  readStat,
  type Stat,
  writeAclList,
} from '#protocol';
import type { WatchRegistration } from './watch-registry.js';

export interface Request<T> {
  readonly op: number;
  /** As the server knows it: with the chroot before it. */
  readonly path: string | undefined;
  /** `armWatch`: whether the server is to keep the one-shot watch; see WatchRegistry.isCovered. */
  write(w: JuteWriter, armWatch: boolean): void;
  read(r: JuteReader): T;
  /** That there is no such node is an answer, not an error. */
  readonly nullIfMissing?: boolean;
  /** Called with the answer, before anything that comes behind it is looked at. */
  readonly onAnswer?: (() => void) | undefined;
  /** The one-shot watch that comes into being with the reply. */
  readonly watch?: WatchRegistration | undefined;
}

/** Content of a node with its Stat. `data` is null if the node was created with null instead of bytes. */
export interface NodeData {
  readonly data: Buffer | null;
  readonly stat: Stat;
}

export interface NodeChildren {
  /** Names, not paths, in no particular order. */
  readonly children: string[];
  readonly stat: Stat;
}

export interface NodeAcl {
  readonly acl: Acl[];
  readonly stat: Stat;
}

export interface CreatedNode {
  /** The actual path: with the number, if the node is sequential. */
  readonly path: string;
  readonly stat: Stat;
}

/** An identity that the server has accepted for this connection. */
export interface ClientIdentity {
  readonly scheme: string;
  readonly id: string;
}

const nothing = (): void => {};

/** The received bytes are shared by many replies; small values are copied so that they do not keep all of them alive. */
function ownBuffer(r: JuteReader): Buffer | null {
  const view = r.buffer();
  return view === null || view.length * 2 > r.buf.length ? view : Buffer.from(view);
}

function readStrings(r: JuteReader): string[] {
  return r.vector((item) => item.string() ?? '') ?? [];
}

function readNodeData(r: JuteReader): NodeData {
  return { data: ownBuffer(r), stat: readStat(r) };
}

/** The operation that makes a node of this mode and answers with its Stat. */
export function createOp(mode: CreateMode): number {
  if (mode === CreateMode.container) return OpCode.createContainer;
  return mode >= CreateMode.persistentWithTtl ? OpCode.createTTL : OpCode.create2;
}

// CreateRequest: ustring path, buffer data, vector<ACL> acl, int flags; CreateTTLRequest: the same, long ttl
export function writeCreate(
  w: JuteWriter,
  path: string,
  data: Uint8Array | null,
  acl: readonly Acl[],
  mode: CreateMode,
  ttl: number,
): void {
  w.string(path).buffer(data);
  writeAclList(w, acl);
  w.int(mode);
  if (mode >= CreateMode.persistentWithTtl) w.long53(ttl);
}

// Create2Response: ustring path, Stat stat
export function create(
  path: string,
  data: Uint8Array | null,
  acl: readonly Acl[],
  mode: CreateMode,
  ttl: number,
  visible: (path: string) => string,
): Request<CreatedNode> {
  return {
    op: createOp(mode),
    path,
    write: (w) => writeCreate(w, path, data, acl, mode, ttl),
    read: (r) => ({ path: visible(r.string() ?? ''), stat: readStat(r) }),
  };
}

// DeleteRequest: ustring path, int version
export function remove(path: string, version: number): Request<void> {
  return { op: OpCode.delete, path, write: (w) => w.string(path).int(version), read: nothing };
}

// ExistsRequest: ustring path, boolean watch; ExistsResponse: Stat stat
export function exists(path: string, watch: WatchRegistration | undefined): Request<Stat | null> {
  const write = (w: JuteWriter, armWatch: boolean) => w.string(path).bool(armWatch);
  return { op: OpCode.exists, path, write, read: readStat, nullIfMissing: true, watch };
}

// GetDataRequest: ustring path, boolean watch; GetDataResponse: buffer data, Stat stat
export function getData(path: string, watch: WatchRegistration | undefined): Request<NodeData> {
  const write = (w: JuteWriter, armWatch: boolean) => w.string(path).bool(armWatch);
  return { op: OpCode.getData, path, write, read: readNodeData, watch };
}

// SetDataRequest: ustring path, buffer data, int version; SetDataResponse: Stat stat
export function setData(path: string, data: Uint8Array | null, version: number): Request<Stat> {
  return { op: OpCode.setData, path, write: (w) => w.string(path).buffer(data).int(version), read: readStat };
}

// GetChildren2Request: ustring path, boolean watch; GetChildren2Response: vector<ustring> children, Stat stat
export function getChildren(path: string, watch: WatchRegistration | undefined): Request<NodeChildren> {
  return {
    op: OpCode.getChildren2,
    path,
    write: (w, armWatch) => w.string(path).bool(armWatch),
    read: (r) => ({ children: readStrings(r), stat: readStat(r) }),
    watch,
  };
}

// GetACLRequest: ustring path; GetACLResponse: vector<ACL> acl, Stat stat
export function getAcl(path: string): Request<NodeAcl> {
  const read = (r: JuteReader) => ({ acl: readAclList(r) ?? [], stat: readStat(r) });
  return { op: OpCode.getACL, path, write: (w) => w.string(path), read };
}

// SetACLRequest: ustring path, vector<ACL> acl, int version; SetACLResponse: Stat stat
export function setAcl(path: string, acl: readonly Acl[], aclVersion: number): Request<Stat> {
  const write = (w: JuteWriter) => {
    w.string(path);
    writeAclList(w, acl);
    w.int(aclVersion);
  };
  return { op: OpCode.setACL, path, write, read: readStat };
}

// SyncRequest: ustring path; SyncResponse: ustring path
export function sync(path: string): Request<void> {
  return { op: OpCode.sync, path, write: (w) => w.string(path), read: nothing };
}

// AddWatchRequest: ustring path, int mode; the reply's ErrorResponse (int 0) tells nothing
export function addWatch(path: string, mode: number, onSent: () => void, onSet: () => void): Request<void> {
  const write = (w: JuteWriter) => {
    w.string(path).int(mode);
    onSent();
  };
  return { op: OpCode.addWatch, path, write, read: onSet };
}

// CheckWatchesRequest, RemoveWatchesRequest: ustring path, int type
export function checkWatches(path: string, type: number): Request<void> {
  return { op: OpCode.checkWatches, path, write: (w) => w.string(path).int(type), read: nothing };
}

export function removeWatches(path: string, type: number, onAnswer: () => void): Request<void> {
  return { op: OpCode.removeWatches, path, write: (w) => w.string(path).int(type), read: nothing, onAnswer };
}

// GetEphemeralsRequest: ustring prefixPath; GetEphemeralsResponse: vector<ustring> ephemerals
export function getEphemerals(prefix: string, visible: (path: string) => string | undefined): Request<string[]> {
  const read = (r: JuteReader) =>
    readStrings(r).flatMap((path) => {
      const seen = visible(path);
      return seen === undefined ? [] : [seen];
    });
  return { op: OpCode.getEphemerals, path: prefix, write: (w) => w.string(prefix), read };
}

// GetAllChildrenNumberRequest: ustring path; GetAllChildrenNumberResponse: int totalNumber
export function getAllChildrenNumber(path: string): Request<number> {
  return { op: OpCode.getAllChildrenNumber, path, write: (w) => w.string(path), read: (r) => r.int() };
}

// WhoAmIResponse: vector<ClientInfo>; ClientInfo: ustring authScheme, ustring user
export function whoAmI(): Request<ClientIdentity[]> {
  const identity = (r: JuteReader) => ({ scheme: r.string() ?? '', id: r.string() ?? '' });
  return { op: OpCode.whoAmI, path: undefined, write: nothing, read: (r) => r.vector(identity) ?? [] };
}

// ReconfigRequest: ustring joiningServers, leavingServers, newMembers, long curConfigId; answer as getData
export function reconfig(
  joining: string | null,
  leaving: string | null,
  members: string | null,
  fromConfig: bigint,
): Request<NodeData> {
  const write = (w: JuteWriter) => w.string(joining).string(leaving).string(members).long(fromConfig);
  return { op: OpCode.reconfig, path: undefined, write, read: readNodeData };
}

export function closeSession(): Request<void> {
  return { op: OpCode.closeSession, path: undefined, write: nothing, read: nothing };
}

export { readNodeData, readStrings };
