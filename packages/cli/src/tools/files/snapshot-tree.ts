// A snapshot as a tree in memory, for tools that look at files.

import { basename, dirname } from 'node:path';
import type { Acl } from '@nodekeeper/protocol';
import { loadSnapshot, nodeDisk, parseSnapshotName, StorageError } from '@nodekeeper/server/storage';
import { Failure } from '../output.js';

export interface SnapshotNode {
  readonly path: string;
  readonly children: string[];
  readonly data: Buffer | null;
  readonly aclId: number;
  /** The fields of its Stat that are kept. */
  readonly stat: {
    readonly czxid: bigint;
    readonly mzxid: bigint;
    readonly pzxid: bigint;
    readonly ctime: number;
    readonly mtime: number;
    readonly version: number;
    readonly cversion: number;
    readonly aversion: number;
    readonly ephemeralOwner: bigint;
  };
}

export interface Snapshot {
  readonly file: string;
  /** In its name. */
  readonly zxid: number;
  readonly nodes: ReadonlyMap<string, SnapshotNode>;
  readonly acls: ReadonlyMap<number, readonly Acl[]>;
  readonly sessions: ReadonlyMap<bigint, number>;
  readonly digest: { readonly zxid: number; readonly version: number; readonly value: bigint } | undefined;
}

/** Loads a snapshot file. Rejects with Failure if it is none, or is damaged. */
export async function readSnapshot(path: string): Promise<Snapshot> {
  const file = basename(path);
  // A file under another name is read as an uncompressed snapshot.
  const name = parseSnapshotName(file) ?? { file, zxid: 0, compression: '' as const };
  const nodes = new Map<string, SnapshotNode>();
  const acls = new Map<number, readonly Acl[]>();
  const sessions = new Map<bigint, number>();
  let digest: Snapshot['digest'];
  try {
    await loadSnapshot(nodeDisk, dirname(path), name, {
      session: (id, timeout) => void sessions.set(id, timeout),
      acl: (id, list) => void acls.set(id, list),
      digest: (zxid, version, hi, lo) => {
        digest = { zxid, version, value: BigInt.asUintN(64, (BigInt(hi) << 32n) | BigInt.asUintN(32, BigInt(lo))) };
      },
      node: (buf, pathStart, pathEnd, dataStart, dataEnd, aclId, stat) => {
        const at = buf.toString('utf8', pathStart, pathEnd);
        nodes.set(at === '' ? '/' : at, {
          path: at === '' ? '/' : at,
          children: [],
          data: dataStart < 0 ? null : Buffer.from(buf.subarray(dataStart, dataEnd)),
          aclId,
          stat: readStat(buf, stat),
        });
      },
    });
  } catch (error) {
    // Its remedy is that of a server.
    if (error instanceof StorageError) throw new Failure(error.message.slice(0, -error.remedy.length).trimEnd(), 2);
    throw new Failure(`File '${path}' cannot be read: ${error instanceof Error ? error.message : error}`, 2);
  }
  for (const path of nodes.keys()) {
    if (path === '/') continue;
    const slash = path.lastIndexOf('/');
    nodes.get(slash === 0 ? '/' : path.slice(0, slash))?.children.push(path);
  }
  for (const { children } of nodes.values()) children.sort();
  return { file, zxid: name.zxid, nodes, acls, sessions, digest };
}

/** A place on the way through a tree. */
export interface Step {
  readonly node: SnapshotNode;
  /** How far it is below where the way began. */
  readonly level: number;
  /** Whether what is below the node is still to come; each node comes twice. */
  readonly isBefore: boolean;
}

/** The way through what is below a node, siblings by name. Without recursion: a tree can be thousands of levels deep. */
export function* walk({ nodes }: Snapshot, root: string): Generator<Step> {
  const way: { readonly node: SnapshotNode; next: number }[] = [];
  let path: string | undefined = root;
  for (;;) {
    const node: SnapshotNode | undefined = path === undefined ? undefined : nodes.get(path);
    if (node !== undefined) {
      yield { node, level: way.length, isBefore: true };
      way.push({ node, next: 0 });
    }
    const last = way.at(-1);
    if (last === undefined) return;
    path = last.node.children[last.next++];
    if (path !== undefined) continue;
    way.pop();
    yield { node: last.node, level: way.length, isBefore: false };
  }
}

// StatPersisted: long czxid, mzxid, ctime, mtime; int version, cversion, aversion; long ephemeralOwner, pzxid
function readStat(buf: Buffer, at: number): SnapshotNode['stat'] {
  return {
    czxid: buf.readBigInt64BE(at),
    mzxid: buf.readBigInt64BE(at + 8),
    ctime: Number(buf.readBigInt64BE(at + 16)),
    mtime: Number(buf.readBigInt64BE(at + 24)),
    version: buf.readInt32BE(at + 32),
    cversion: buf.readInt32BE(at + 36),
    aversion: buf.readInt32BE(at + 40),
    ephemeralOwner: buf.readBigInt64BE(at + 44),
    pzxid: buf.readBigInt64BE(at + 52),
  };
}
