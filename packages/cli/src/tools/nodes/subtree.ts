// All nodes from a path on, read many at a time.

import { type Acl, type Client, isKeeperError, type Stat } from '@nodekeeper/client';
import { Failure, type Output } from '../output.js';

export interface TreeNode {
  /** Below the root of the walk: empty for the root, else `/a/b`. */
  readonly below: string;
  readonly stat: Stat;
  /** Names, sorted. */
  readonly children: readonly string[];
  readonly data: Buffer | null;
  /** Empty unless it was asked for. */
  readonly acl: readonly Acl[];
  /** That it is there is all that may be known of it. */
  readonly isUnreadable: boolean;
}

export interface WalkOptions {
  readonly acl?: boolean;
  /** Whether nodes that may not be read are given as such; if not, the first one ends the walk. */
  readonly passUnreadable?: boolean;
  /** Levels below the root that are read; all if not given. */
  readonly depth?: number;
  /** Is told how many nodes have been read. */
  readonly onRead?: (count: number) => void;
}

/** The server's own nodes, which are no part of what belongs to users. */
const SYSTEM = '/zookeeper';

/** `path` joined with what is below it. */
export function joined(path: string, below: string): string {
  return path === '/' ? below || '/' : path + below;
}

/**
 * Reads the nodes, each after its parent, siblings by name. What is deleted meanwhile is left out, and so is /zookeeper if
 * the walk begins above it. Rejects with Failure if the first node is not there.
 */
export async function readSubtree(
  client: Client,
  root: string,
  { acl = false, passUnreadable = false, depth, onRead = () => {} }: WalkOptions = {},
): Promise<TreeNode[]> {
  const found = new Map<string, TreeNode>();
  let level = [''];
  let count = 0;
  for (let at = 0; level.length > 0; at++) {
    const reads: Promise<TreeNode | undefined>[] = [];
    for (const below of level) {
      const read = readNode(client, joined(root, below), below, acl)
        .catch((error: unknown) => {
          if (passUnreadable && isKeeperError(error, 'NoAuth')) return unreadable(below);
          throw error;
        })
        .finally(() => onRead(++count));
      read.catch(() => {}); // it may fail before all are awaited
      reads.push(read);
      await client.drained();
    }
    const nodes = (await Promise.all(reads)).filter((node) => node !== undefined);
    for (const node of nodes) found.set(node.below, node);
    if (at === depth) break;
    level = nodes.flatMap(({ below, children }) => children.map((name) => `${below}/${name}`));
    if (root === '/') level = level.filter((below) => below !== SYSTEM);
  }
  if (!found.has('')) throw new Failure(`Node does not exist: ${root}`, 1);
  return inOrder(found);
}

/** Shows how many nodes have been read. */
export function reading(output: Output): (count: number) => void {
  return (count) => output.progress(count, undefined, 'nodes read');
}

async function readNode(client: Client, path: string, below: string, withAcl: boolean): Promise<TreeNode | undefined> {
  try {
    const [{ data, stat }, acl] = await Promise.all([
      client.getData(path),
      withAcl ? client.getACL(path).then((answer) => answer.acl) : [],
    ]);
    // Most nodes are leaves, which need not be asked for their children.
    const children = stat.numChildren === 0 ? [] : (await client.getChildren(path)).children;
    return { below, stat, data, children: children.sort(), acl, isUnreadable: false };
  } catch (error) {
    if (isKeeperError(error, 'NoNode')) return undefined;
    throw error;
  }
}

/** Stands for one that is not known: servers of 3.9 keep it from whom they keep the data. */
const NO_STAT: Stat = {
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctime: 0,
  mtime: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
};

function unreadable(below: string): TreeNode {
  return { below, stat: NO_STAT, data: null, children: [], acl: [], isUnreadable: true };
}

function inOrder(found: ReadonlyMap<string, TreeNode>): TreeNode[] {
  const ordered: TreeNode[] = [];
  const stack = [''];
  for (let below = stack.pop(); below !== undefined; below = stack.pop()) {
    const node = found.get(below);
    if (node === undefined) continue;
    ordered.push(node);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(`${below}/${node.children[i]}`);
  }
  return ordered;
}

/** Containers and nodes with a time to live cannot be told from others: servers show clients no owner of these. */
export function isEphemeral({ ephemeralOwner }: Stat): boolean {
  return ephemeralOwner !== 0n;
}
