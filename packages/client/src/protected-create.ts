// Creates a node exactly once, although the connection may be lost before the answer: the node carries a mark to find it by.
// The prefix is Curator's, so that its recipes know such nodes too.

import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { ErrorCode, parentPath } from '#protocol';
import { KeeperError } from './errors.js';
import type { CallOptions } from './options.js';
import type { CreatedNode } from './requests.js';
import { pauseWithin, type RetryPolicy } from './retry.js';

export interface CreateTarget {
  /** Id of the session, 0n while there is none. */
  session(): bigint;
  create(path: string): Promise<CreatedNode>;
  sync(path: string): Promise<void>;
  getChildren(path: string): Promise<{ children: string[] }>;
  getStat(path: string): Promise<CreatedNode['stat'] | null>;
}

/** `path` with the mark before its last name. */
export function protectedPath(path: string, id: string): string {
  const slash = path.lastIndexOf('/');
  return `${path.slice(0, slash + 1)}_c_${id}-${path.slice(slash + 1)}`;
}

/** Rejects as the last try did, when the policy gives up or the error leaves no doubt. */
export async function createProtected(
  target: CreateTarget,
  path: string,
  isEphemeral: boolean,
  policy: RetryPolicy,
  call: CallOptions,
): Promise<CreatedNode> {
  const marked = protectedPath(path, randomUUID());
  const name = marked.slice(marked.lastIndexOf('/') + 1);
  const parent = parentPath(marked);
  const began = performance.now();
  let isInDoubt = false;
  let session = target.session();
  for (let attempt = 1; ; attempt++) {
    try {
      if (isEphemeral && session !== 0n && target.session() !== session)
        throw new KeeperError(ErrorCode.SessionExpired, 'create', marked);
      const found = isInDoubt ? await find(target, parent, name) : undefined;
      if (found !== undefined) return found;
      return await target.create(marked);
    } catch (error) {
      if (!(error instanceof KeeperError)) throw error;
      isInDoubt ||= error.outcomeUnknown;
      error.outcomeUnknown = isInDoubt;
      if (!isLost(error, isEphemeral)) throw error;
      if (session === 0n) session = target.session();
      const delay = policy.delay(attempt, performance.now() - began);
      if (delay === undefined) throw error;
      await pauseWithin(delay, call);
    }
  }
}

/** Once this session is served by another server, what the old one had not passed on can no longer be executed. */
async function find(target: CreateTarget, parent: string, name: string): Promise<CreatedNode | undefined> {
  await target.sync(parent);
  const { children } = await target.getChildren(parent);
  const child = children.find((candidate) => candidate.startsWith(name));
  if (child === undefined) return undefined;
  const path = parent === '/' ? `/${child}` : `${parent}/${child}`;
  const stat = await target.getStat(path);
  return stat === null ? undefined : { path, stat };
}

/**
 * A time-out is the caller's limit, and no reason to go on. Nor is the end of the session for an ephemeral node, which the
 * program wants as that session's; it may end between two tries as well.
 */
function isLost({ code }: KeeperError, isEphemeral: boolean): boolean {
  return code === ErrorCode.ConnectionLoss || (code === ErrorCode.SessionExpired && !isEphemeral);
}
