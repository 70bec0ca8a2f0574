// The tree as the specification has it, in the plainest form: what every server's answers are compared with.

import { ErrorCode, type Stat } from '@nodekeeper/protocol';
import type { Change, Txn } from './txn.js';

export interface ModelNode {
  data: Buffer;
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctime: number;
  mtime: number;
  version: number;
  aversion: number;
  /** Children created and deleted so far: what a client sees as cversion. */
  created: number;
  deleted: number;
  owner: bigint;
  container: boolean;
  readonly children: Set<string>;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function newNode(data: Buffer, zxid: number, time: number, owner: bigint): ModelNode {
  return {
    data,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: time,
    mtime: time,
    version: 0,
    aversion: 0,
    created: 0,
    deleted: 0,
    owner,
    container: false,
    children: new Set(),
  };
}

/** Nodes that every tree has. */
const FIRST = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'];

export class ModelError extends Error {}

export type NodeEvent = 'created' | 'changed' | 'deleted';

export class Model {
  readonly nodes = new Map<string, ModelNode>();
  readonly sessions = new Map<bigint, number>();
  zxid = 0;
  /** Told of every change that watches may wait for. */
  onEvent: (event: NodeEvent, path: string, zxid: number) => void = () => {};

  constructor() {
    for (const path of FIRST) {
      this.nodes.set(path, newNode(Buffer.alloc(0), 0, 0, 0n));
      if (path !== '/') this.nodes.get(parentOf(path))?.children.add(nameOf(path));
    }
  }

  /** An equal one that changes by itself. */
  copy(): Model {
    const copy = new Model();
    copy.nodes.clear();
    for (const [path, node] of this.nodes) copy.nodes.set(path, { ...node, children: new Set(node.children) });
    for (const [id, timeout] of this.sessions) copy.sessions.set(id, timeout);
    copy.zxid = this.zxid;
    return copy;
  }

  /** @throws ModelError if the transaction cannot be */
  apply(txn: Txn): void {
    this.change(txn, txn.change);
    this.zxid = txn.zxid;
  }

  private change(txn: Txn, change: Change): void {
    const { zxid, time, session } = txn;
    switch (change.kind) {
      case 'create': {
        const parent = this.node(parentOf(change.path));
        if (this.nodes.has(change.path)) throw new ModelError(`${change.path} is created, and is there`);
        if (change.owner === 'session' && !this.sessions.has(session))
          throw new ModelError(`${change.path} is created for session 0x${session.toString(16)}, which is not open`);
        const node = newNode(change.data, zxid, time, change.owner === 'session' ? session : 0n);
        node.container = change.owner === 'container';
        this.nodes.set(change.path, node);
        parent.children.add(nameOf(change.path));
        parent.created++;
        parent.pzxid = zxid;
        this.onEvent('created', change.path, zxid);
        break;
      }
      case 'delete':
        this.remove(change.path, zxid);
        break;
      case 'setData': {
        const node = this.node(change.path);
        node.data = change.data;
        node.mzxid = zxid;
        node.mtime = time;
        node.version++;
        if (node.version !== change.version)
          throw new ModelError(`${change.path} gets version ${change.version} after ${node.version - 1}`);
        this.onEvent('changed', change.path, zxid);
        break;
      }
      case 'setAcl':
        this.node(change.path).aversion++;
        break;
      case 'reconfig': {
        const node = this.node(change.path);
        node.data = change.data;
        node.mzxid = zxid;
        break;
      }
      case 'createSession':
        if (this.sessions.has(session)) throw new ModelError(`session 0x${session.toString(16)} is created twice`);
        this.sessions.set(session, change.timeout);
        break;
      case 'closeSession':
        this.closeSession(session, change.paths, zxid);
        break;
      case 'multi':
        if (change.changes.some(({ kind }) => kind === 'error')) break;
        for (const one of change.changes) this.change(txn, one);
        break;
      case 'check':
        this.node(change.path);
        break;
      case 'error':
        break;
    }
  }

  private closeSession(session: bigint, paths: readonly string[], zxid: number): void {
    this.sessions.delete(session);
    // In the order of the list: watches tell of the deletions in that order. What it names may be gone already.
    for (const path of paths) if (this.nodes.get(path)?.owner === session) this.remove(path, zxid);
    for (const [path, node] of this.nodes)
      if (node.owner === session) throw new ModelError(`${path} outlives its session 0x${session.toString(16)}`);
  }

  private remove(path: string, zxid: number): void {
    const node = this.node(path);
    if (node.children.size > 0) throw new ModelError(`${path} is deleted, and has children`);
    this.nodes.delete(path);
    const parent = this.node(parentOf(path));
    parent.children.delete(nameOf(path));
    parent.deleted++;
    parent.pzxid = Math.max(parent.pzxid, zxid);
    this.onEvent('deleted', path, zxid);
  }

  private node(path: string): ModelNode {
    const node = this.nodes.get(path);
    if (node === undefined) throw new ModelError(`${path} is not there`);
    return node;
  }

  stat(path: string): Stat | undefined {
    const node = this.nodes.get(path);
    if (node === undefined) return undefined;
    return {
      czxid: node.czxid,
      mzxid: node.mzxid,
      ctime: node.ctime,
      mtime: node.mtime,
      version: node.version,
      cversion: node.created + node.deleted,
      aversion: node.aversion,
      ephemeralOwner: node.owner,
      dataLength: node.data.length,
      numChildren: node.children.size,
      pzxid: node.pzxid,
    };
  }

  /** What a write would be answered now, sessions aside. */
  verdict(op: WriteOp): number {
    const node = this.nodes.get(op.path);
    const parent = this.nodes.get(parentOf(op.path));
    switch (op.kind) {
      case 'create':
        if (parent === undefined) return ErrorCode.NoNode;
        if (!op.sequential && node !== undefined) return ErrorCode.NodeExists;
        return parent.owner === 0n ? ErrorCode.Ok : ErrorCode.NoChildrenForEphemerals;
      case 'delete':
        if (node === undefined) return ErrorCode.NoNode;
        if (op.version !== -1 && op.version !== node.version) return ErrorCode.BadVersion;
        return node.children.size === 0 ? ErrorCode.Ok : ErrorCode.NotEmpty;
      case 'set':
        if (node === undefined) return ErrorCode.NoNode;
        return op.version === -1 || op.version === node.version ? ErrorCode.Ok : ErrorCode.BadVersion;
    }
  }

  /** The path that a create gets. */
  createdPath(op: WriteOp & { kind: 'create' }): string {
    if (!op.sequential) return op.path;
    return op.path + String(this.nodes.get(parentOf(op.path))?.created ?? 0).padStart(10, '0');
  }
}

export type WriteOp =
  | {
      readonly kind: 'create';
      readonly path: string;
      readonly data: string;
      readonly ephemeral: boolean;
      readonly sequential: boolean;
    }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }
  | { readonly kind: 'set'; readonly path: string; readonly data: string; readonly version: number };
