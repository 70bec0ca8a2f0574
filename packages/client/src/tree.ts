// Operations on whole subtrees, from the single ones.

import { ErrorCode } from '#protocol';
import { isKeeperError, KeeperError } from './errors.js';
import type { CallOptions } from './options.js';
import type { NodeChildren } from './requests.js';

export interface TreeTarget {
  getChildren(path: string, options: CallOptions): Promise<NodeChildren>;
  delete(path: string, options: CallOptions): Promise<void>;
  drained(options: CallOptions): Promise<void>;
}

/** Deletions may meet nodes that are created meanwhile; so many times the rest is looked at again. */
const ROUNDS = 10;

/**
 * Does something with each item, no faster than the server answers. Resolves with the promises, all of them settled or on
 * their way; one that fails while there is no room is told by whoever awaits it.
 */
async function each<I, R>(
  target: TreeTarget,
  items: readonly I[],
  options: CallOptions,
  action: (item: I) => Promise<R>,
): Promise<Promise<R>[]> {
  const calls: Promise<R>[] = [];
  for (const item of items) {
    const call = action(item);
    call.catch(() => {});
    calls.push(call);
    await target.drained(options);
  }
  return calls;
}

/** The paths below `path` and itself, every node after its parent; none if it is not there. */
export async function listSubtree(target: TreeTarget, path: string, options: CallOptions): Promise<string[]> {
  const found: string[] = [];
  let level = [path];
  while (level.length > 0) {
    const calls = await each(target, level, options, (parent) =>
      target.getChildren(parent, options).catch(unlessMissing),
    );
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
    const isLast = round === ROUNDS;
    const calls = await each(target, paths, options, (one) =>
      target.delete(one, options).then(
        () => true,
        (error) => {
          if (isKeeperError(error, 'NoNode') || (isKeeperError(error, 'NotEmpty') && !isLast)) return false;
          throw error;
        },
      ),
    );
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
