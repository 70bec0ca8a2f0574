// How one tree is made like another: what is to be created, changed and deleted, and its doing. Behind import, cp and mv.

import { type Acl, type Client, isKeeperError, OPEN_ACL_UNSAFE } from '@nodekeeper/client';
import { aclText } from '../../shell/texts.js';
import { onToldToEnd } from '../../signals.js';
import { Failure, type Output } from '../output.js';
import { isEphemeral, joined, type TreeNode } from './subtree.js';

/** A node as it is to be. */
export interface WantedNode {
  /** Below the root: empty for the root itself. */
  readonly below: string;
  readonly data: Buffer | null;
  /** Undefined: as it is, or open for everybody if the node is new. */
  readonly acl: readonly Acl[] | undefined;
  readonly kind: 'persistent' | 'container' | { readonly ttl: number };
}

export type Change =
  | { readonly action: 'create'; readonly path: string; readonly node: WantedNode }
  | { readonly action: 'setData'; readonly path: string; readonly data: Buffer | null }
  | { readonly action: 'setAcl'; readonly path: string; readonly acl: readonly Acl[] }
  /** Of any version unless it says which. */
  | { readonly action: 'delete'; readonly path: string; readonly version?: number };

export interface ChangeRules {
  /** Whether nodes that are there are changed; if not, they stay as they are. */
  readonly overwrite: boolean;
  /** Whether nodes that are not wanted are deleted, but for ephemeral ones and what is above those. */
  readonly remove: boolean;
}

/** @param existing what is there now, parents before children; empty if there is nothing */
export function changesTo(
  root: string,
  wanted: readonly WantedNode[],
  existing: readonly TreeNode[],
  { overwrite, remove }: ChangeRules,
): Change[] {
  const there = new Map(existing.map((node) => [node.below, node]));
  const changes: Change[] = [];
  for (const node of wanted) {
    const path = joined(root, node.below);
    const old = there.get(node.below);
    if (old === undefined) {
      // The root of everything is always there.
      if (path !== '/') changes.push({ action: 'create', path, node });
      continue;
    }
    if (!overwrite) continue;
    if (!sameData(old.data, node.data)) changes.push({ action: 'setData', path, data: node.data });
    if (node.acl !== undefined && !sameAcl(old.acl, node.acl)) changes.push({ action: 'setAcl', path, acl: node.acl });
  }
  if (!remove) return changes;
  const stays = new Set(wanted.map(({ below }) => below));
  // Ephemeral nodes are somebody's locks and addresses, and go with their sessions.
  for (const { below, stat } of existing)
    if (isEphemeral(stat)) for (let at = below; !stays.has(at); at = at.slice(0, at.lastIndexOf('/'))) stays.add(at);
  const extra = existing.filter(({ below }) => !stays.has(below)).map(({ below }) => joined(root, below));
  // Children before their parents.
  for (const path of extra.reverse()) changes.push({ action: 'delete', path });
  return changes;
}

/** No data and no bytes are different things. */
export function sameData(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

export function sameAcl(a: readonly Acl[], b: readonly Acl[]): boolean {
  return aclText(a) === aclText(b);
}

/**
 * Does the changes in order, many at a time. Rejects with the first error, or when it is interrupted; those behind it may have been
 * done, and what was done is printed then.
 */
export async function applyChanges(client: Client, changes: readonly Change[], output: Output): Promise<void> {
  const calls: Promise<unknown>[] = [];
  const done = new Set<Change>();
  let failure: unknown;
  // What is under way is waited for; the second signal ends the process.
  const stopListening = onToldToEnd(() => {
    failure ??= new Failure('interrupted', 130);
  });
  for (const change of changes) {
    if (failure !== undefined) break;
    const call = apply(client, change).then(
      () => {
        done.add(change);
        output.progress(done.size, changes.length, 'changes');
      },
      (error: unknown) => {
        failure ??= error;
      },
    );
    calls.push(call);
    await client.drained();
  }
  await Promise.all(calls);
  stopListening();
  if (done.size === changes.length) return;
  printChanges(
    changes.filter((change) => done.has(change)),
    true,
    output,
  );
  if (!output.json) output.note(`${done.size} of ${changes.length} changes were made:`);
  throw failure;
}

async function apply(client: Client, change: Change): Promise<unknown> {
  switch (change.action) {
    case 'create': {
      const { data, acl = OPEN_ACL_UNSAFE, kind } = change.node;
      if (typeof kind === 'object')
        return client.create(change.path, { data, acl, mode: 'persistentWithTtl', ttl: kind.ttl });
      return client.create(change.path, { data, acl, mode: kind });
    }
    case 'setData':
      return client.setData(change.path, change.data);
    case 'setAcl':
      return client.setACL(change.path, change.acl);
    case 'delete':
      return client.delete(change.path, { version: change.version ?? -1 }).catch((error: unknown) => {
        if (!isKeeperError(error, 'NoNode')) throw error;
      });
  }
}

const VERBS = { create: 'create', setData: 'change', setAcl: 'acl   ', delete: 'delete' } as const;

export function printChanges(changes: readonly Change[], isDone: boolean, output: Output): void {
  for (const { action, path } of changes) {
    if (output.json) output.value({ action, path, done: isDone });
    else output.line(`${isDone ? '' : 'would '}${VERBS[action]} ${path}`);
  }
}
