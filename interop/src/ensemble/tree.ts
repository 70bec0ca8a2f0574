// The whole tree as one member shows it to a superuser, and its comparison with another's.

import type { Acl, Stat } from '@nodekeeper/protocol';
import type { Member } from './member.js';
import { Session } from './session.js';
import { monitored } from './words.js';

export interface Node {
  readonly data: Buffer | null;
  readonly stat: Stat;
  readonly acl: readonly Acl[];
}

export type Tree = ReadonlyMap<string, Node>;

/** Its time of modification is each server's own, and its text that server's configuration. */
const OWN = '/zookeeper/config';
const AT_ONCE = 200;

/** Reads the tree through the server at this port, after a `sync`. */
export async function readTree(port: number): Promise<Tree> {
  const session = await Session.openSuper(port);
  try {
    await session.sync();
    const tree = new Map<string, Node>();
    let level = ['/'];
    while (level.length > 0) {
      const below: string[] = [];
      for (let from = 0; from < level.length; from += AT_ONCE) {
        const nodes = level.slice(from, from + AT_ONCE).map(async (path) => {
          const [node, acl, names] = await Promise.all([session.get(path), session.acl(path), session.children(path)]);
          if (node === undefined) throw new Error(`${path} went away while the tree was read`);
          tree.set(path, { ...node, acl });
          below.push(...names.map((name) => (path === '/' ? `/${name}` : `${path}/${name}`)));
        });
        await Promise.all(nodes);
      }
      level = below;
    }
    return tree;
  } finally {
    await session.close();
  }
}

/** What distinguishes two trees, told for at most ten nodes; empty if they are equal in data, whole Stat and ACL. */
export function differences(a: Tree, b: Tree): string[] {
  const out: string[] = [];
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    if (path === OWN) continue;
    const [one, other] = [line(a.get(path)), line(b.get(path))];
    if (one !== other) out.push(`${path}\n      ${one}\n      ${other}`);
    if (out.length === 10) break;
  }
  return out;
}

function line(node: Node | undefined): string {
  if (node === undefined) return 'is not there';
  const { data, stat, acl } = node;
  const text = data === null ? 'null' : data.toString('hex');
  return `${text} ${JSON.stringify({ ...stat, ephemeralOwner: `0x${stat.ephemeralOwner.toString(16)}` })} ${JSON.stringify(acl)}`;
}

/**
 * Reads the tree through every one of the members and compares.
 * @returns the tree they have in common
 * @throws Error that says where two of them differ
 */
export async function assertEqualTrees(members: readonly Member[]): Promise<Tree> {
  const trees = await Promise.all(members.map((member) => readTree(member.ports.client)));
  for (const [i, tree] of trees.entries()) {
    const found = differences(trees[0], tree);
    if (found.length > 0) {
      const who = [members[0], members[i]].map((m) => `server ${m.id} (${m.kind})`).join(' and ');
      throw new Error(`the trees of ${who} differ:\n    ${found.join('\n    ')}`);
    }
  }
  return trees[0];
}

/** What a server has counted of transactions whose digest is not its tree's. Apache's before 3.6 count none. */
export async function assertNoMismatches({ id, kind, ports }: Member): Promise<void> {
  const metrics = await monitored(ports.client);
  if (kind === 'apache' && metrics.size > 0 && !metrics.has('digest_mismatches_count')) return;
  const mismatches = metrics.get('digest_mismatches_count');
  if (mismatches !== '0') throw new Error(`server ${id} (${kind}) has seen ${mismatches} digest mismatches`);
}
