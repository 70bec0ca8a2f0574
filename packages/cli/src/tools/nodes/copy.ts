// `tools cp` and `tools mv`: nodes to another place, of the same ensemble or another.

import { type Client, isKeeperError, OPEN_ACL_UNSAFE, type Transaction } from '@nodekeeper/client';
import { Failure, type Output } from '../output.js';
import { applyChanges, type Change, changesTo, printChanges, type WantedNode } from './changes.js';
import type { Place } from './place.js';
import { isEphemeral, joined, reading, readSubtree, type TreeNode } from './subtree.js';

export interface CopyOptions {
  readonly recursive: boolean;
  /** Change nodes that are there. */
  readonly force: boolean;
  readonly acl: boolean;
  readonly dryRun: boolean;
}

/** A transaction is one request; larger ones are refused by servers. In bytes, with room for what is not counted. */
const TRANSACTION_LIMIT = 900_000;
const BYTES_PER_OPERATION = 100;

export async function runCopy(from: Place, to: Place, options: CopyOptions, output: Output): Promise<void> {
  const nodes = await readSource(from, options.recursive, output);
  if (from.client === to.client && isWithin(to.path, from.path))
    throw new Failure(`${to.name} is within ${from.name}`, 2);
  const { changes } = await copyChanges(nodes, to, options, output);
  if (!options.dryRun) await applyChanges(to.client, changes, output);
  printChanges(changes, !options.dryRun, output);
}

export async function runMove(
  from: Place,
  to: Place,
  options: Omit<CopyOptions, 'recursive'>,
  output: Output,
): Promise<void> {
  if (from.path === '/' || to.path === '/') throw new Failure('the root cannot be moved', 2);
  if (from.client === to.client && isWithin(to.path, from.path))
    throw new Failure(`${to.name} is within ${from.name}`, 2);
  const nodes = await readSource(from, true, output);
  const ephemeral = nodes.find(({ stat }) => isEphemeral(stat));
  if (ephemeral !== undefined) {
    throw new Failure(
      `${joined(from.path, ephemeral.below)} is ephemeral: it belongs to its session and cannot be moved`,
    );
  }
  const { changes, existing } = await copyChanges(nodes, to, options, output);
  const removals: Change[] = [...nodes]
    .reverse()
    .map(({ below, stat }) => ({ action: 'delete', path: joined(from.path, below), version: stat.version }));
  if (!options.dryRun) {
    const isWhole =
      from.client === to.client && existing === 0 && (await moveAtOnce(to.client, changes, nodes, from.path));
    if (!isWhole) {
      await applyChanges(to.client, changes, output);
      await removeSource(from.client, removals, output);
      output.note('not in one transaction: others may have seen both, or neither');
    }
  }
  printChanges([...changes, ...removals], !options.dryRun, output);
}

/** What has changed since it was copied stays, with a reason: the copy is not the same. */
async function removeSource(client: Client, removals: readonly Change[], output: Output): Promise<void> {
  try {
    await applyChanges(client, removals, output);
  } catch (error) {
    if (!isKeeperError(error, 'BadVersion') && !isKeeperError(error, 'NotEmpty')) throw error;
    throw new Failure(`${error.path} has changed since it was copied, and stays; its copy is as it was before`);
  }
}

async function readSource({ client, path }: Place, recursive: boolean, output: Output): Promise<TreeNode[]> {
  const nodes = await readSubtree(client, path, {
    acl: true,
    onRead: reading(output),
    ...(recursive ? {} : { depth: 0 }),
  });
  if (!recursive && (nodes[0]?.children.length ?? 0) > 0)
    throw new Failure(`${path} has children; -r copies them as well`);
  return nodes;
}

function isWithin(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}

async function copyChanges(
  nodes: readonly TreeNode[],
  { client, path }: Place,
  { force, acl }: Pick<CopyOptions, 'force' | 'acl'>,
  output: Output,
): Promise<{ changes: Change[]; existing: number }> {
  const kept = nodes.filter(({ stat }) => !isEphemeral(stat));
  if (kept.length < nodes.length) output.note(`${nodes.length - kept.length} ephemeral nodes left out`);
  const wanted: WantedNode[] = kept.map(({ below, data, acl: own }) => {
    return { below, data, acl: acl ? own : undefined, kind: 'persistent' };
  });
  const existing = await readSubtree(client, path, { acl: true, onRead: reading(output) }).catch(
    (error: unknown): TreeNode[] => {
      if (error instanceof Failure) return [];
      throw error;
    },
  );
  if (existing.length > 0 && !force && path !== '/')
    throw new Failure(`Node already exists: ${path}; --force changes it`);
  return { changes: changesTo(path, wanted, existing, { overwrite: true, remove: false }), existing: existing.length };
}

/**
 * Creates and deletes in one transaction, which fails if a node has changed since it was read. Returns false, with nothing
 * done, if that is too much for one request.
 */
async function moveAtOnce(
  client: Client,
  changes: readonly Change[],
  nodes: readonly TreeNode[],
  from: string,
): Promise<boolean> {
  let size = 0;
  let transaction: Transaction<readonly unknown[]> = client.transaction();
  for (const change of changes) {
    if (change.action !== 'create') return false;
    const { data, acl = OPEN_ACL_UNSAFE } = change.node;
    size += change.path.length * 3 + (data?.length ?? 0) + acl.length * BYTES_PER_OPERATION + BYTES_PER_OPERATION;
    if (size > TRANSACTION_LIMIT) return false;
    transaction = transaction.create(change.path, { data, acl });
  }
  for (const { below, stat } of [...nodes].reverse()) {
    size += (from.length + below.length) * 3 + BYTES_PER_OPERATION;
    if (size > TRANSACTION_LIMIT) return false;
    transaction = transaction.delete(joined(from, below), { version: stat.version });
  }
  try {
    await transaction.commit();
    return true;
  } catch (error) {
    if (isKeeperError(error, 'BadVersion') || isKeeperError(error, 'NotEmpty')) {
      throw new Failure(`${error.path} has changed meanwhile; nothing was moved`);
    }
    throw error;
  }
}
