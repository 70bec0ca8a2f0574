// Whether a write stays within the quota that governs its path. Source: ZooKeeperServer.checkQuota of Apache ZooKeeper.

import { ErrorCode } from '@nodekeeper/protocol';
import type { DataTree } from '../tree/data-tree.js';
import { F } from '../tree/node-store.js';
import { limitsPath, parseQuota, type QuotaNumbers, statsPath } from '../tree/quota.js';

/** Is told in words that the quota of a path is exceeded, and whether that refuses the write. */
export type QuotaObserver = (path: string, message: string, refused: boolean) => void;

/**
 * Judges a write that adds `nodes` nodes and `bytes` bytes at `path` against the committed counts.
 * @returns 0, QUOTAEXCEEDED beyond a hard limit, MARSHALLINGERROR where limits or counts cannot be read
 */
export function checkQuota(
  tree: DataTree,
  path: string,
  bytes: number,
  nodes: number,
  onExceeded: QuotaObserver,
): number {
  const governed = tree.quotas.governing(path);
  if (governed === undefined) return ErrorCode.Ok;
  const limits = numbersAt(tree, limitsPath(governed));
  if (limits === undefined) return ErrorCode.Ok;
  if (limits === 'unreadable') return ErrorCode.MarshallingError;
  const judgeCount = nodes !== 0 && (limits.count > -1 || limits.countHardLimit > -1);
  const judgeBytes = bytes !== 0 && (limits.bytes > -1 || limits.byteHardLimit > -1);
  if (!judgeCount && !judgeBytes) return ErrorCode.Ok;
  const stats = numbersAt(tree, statsPath(governed));
  if (stats === undefined) return ErrorCode.Ok;
  if (stats === 'unreadable') return ErrorCode.MarshallingError;
  if (judgeCount && exceeds(governed, 'count', stats.count + nodes, limits.count, limits.countHardLimit, onExceeded)) {
    return ErrorCode.QuotaExceeded;
  }
  if (judgeBytes && exceeds(governed, 'bytes', stats.bytes + bytes, limits.bytes, limits.byteHardLimit, onExceeded)) {
    return ErrorCode.QuotaExceeded;
  }
  return ErrorCode.Ok;
}

/** Longer texts are not read: it would be done again with every write, and whenever metrics are asked for. */
const LONGEST_TEXT = 1024;

/** What a limits or stats node says; undefined if there is none. */
export function numbersAt(tree: DataTree, path: string): QuotaNumbers | 'unreadable' | undefined {
  const id = tree.store.findString(path);
  if (id === 0) return undefined;
  if (tree.store.get(id, F.dataLength) > LONGEST_TEXT) return 'unreadable';
  const data = tree.store.data(id);
  return data === null ? 'unreadable' : (parseQuota(data.toString()) ?? 'unreadable');
}

function exceeds(
  path: string,
  what: string,
  value: number,
  soft: number,
  hard: number,
  onExceeded: QuotaObserver,
): boolean {
  const isHard = hard > -1;
  const limit = isHard ? hard : soft;
  if (value <= limit) return false;
  onExceeded(path, `quota exceeded: ${path} [${what}=${value}, ${isHard ? 'hard' : 'soft'} limit=${limit}]`, isHard);
  return isHard;
}
