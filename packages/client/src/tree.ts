// Operations on whole subtrees, from the single ones.

import { ErrorCode } from '#protocol';
import { isKeeperError, KeeperError } from './errors.js';
import type { CallOptions } from './options.js';
import type { NodeChildren } from './requests.js';

export interface TreeTarget {
  getChildren(path: string, options: CallOptions): Promise<NodeChildren>;
  delete(path: string, options: CallOptions): Promise<void>;
  drained(): Promise<void>;
}

/** Deletions may meet nodes that are created meanwhile; so many times the rest is looked at again. */
const ROUNDS = 10;

/** The paths below `path` and itself, every node after its parent; none if it is not there. */
export async function listSubtree(target: TreeTarget, path: string, options: CallOptions): Promise<string[]> {
  const found: string[] = [];
  let level = [path];
  while (level.length > 0) {
    const calls: Promise<NodeChildren | undefined>[] = [];
    for (const parent of level) {
      calls.push(target.getChildren(parent, options).catch(unlessMissing));
      await target.drained();
    }
    const answers = await Promise.all(calls);
    const below: string[] = [];
    for (const [i, answer] of answers.entries()) {
      const parent = level[i] as string;
      if (answer === undefined) continue;
      found.push(parent);
      for (const name of answer.children) below.push(parent === '/' ? `/${name}` : `${parent}/${name}`);
    }
    level = below;
  }
  return found;
}

/** Deletes `path` and all below. Resolves with how many nodes this was; rejects with the first error but NoNode. */
export async function deleteRecursive(target: TreeTarget, path: string, options: CallOptions): Promise<number> {
  if (path === '/') throw new KeeperError(ErrorCode.BadArguments, 'deleteRecursive', path);
  let deleted = 0;
  for (let round = 1; ; round++) {
    const paths = (await listSubtree(target, path, options)).reverse();
    const calls: Promise<boolean>[] = [];
    for (const one of paths) {
      const isLast = round === ROUNDS;
      calls.push(
        target.delete(one, options).then(
          () => true,
          (error) => {
            if (isKeeperError(error, 'NoNode') || (isKeeperError(error, 'NotEmpty') && !isLast)) return false;
            throw error;
          },
        ),
      );
      await target.drained();
    }
    const results = await Promise.allSettled(calls);
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
      if (result.value) deleted++;
    }
    if (results.length === 0 || results.every((result) => result.status === 'fulfilled' && result.value))
      return deleted;
  }
}

function unlessMissing(error: unknown): undefined {
  if (!isKeeperError(error, 'NoNode')) throw error;
}
