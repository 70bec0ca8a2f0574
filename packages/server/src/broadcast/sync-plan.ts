// How a learner is brought to the leader's history. Source: LearnerHandler.syncFollower of Apache ZooKeeper; docs/protocol.md,
// "Synchronization".

import { counterOf, epochOf, type RecentProposals } from './recent-proposals.js';

export type SyncPlan =
  /** Send what is committed after `after`. */
  | { readonly kind: 'diff'; readonly after: number }
  /** The learner cuts its log after `after` first. */
  | { readonly kind: 'trunc'; readonly after: number }
  /** Older than the recent ones: from the log on disk, as far as it reaches. */
  | { readonly kind: 'log'; readonly after: number }
  | { readonly kind: 'snap' };

/**
 * @param peer the last zxid that the learner has
 * @param last the last zxid that the leader has
 * @param logAllowed whether the log on disk may be read (snapshotSizeFactor ≥ 0)
 */
export function planSync(peer: number, last: number, recent: RecentProposals, logAllowed: boolean): SyncPlan {
  const min = recent.min ?? last;
  const max = recent.max ?? last;
  const epochStart = counterOf(peer) === 0;
  if (peer === last) return { kind: 'diff', after: peer };
  // After an epoch's start, nothing says how far the log would have to reach.
  if (recent.min === undefined && peer < last && counterOf(last) === 0) return { kind: 'snap' };
  if (peer > max) return epochStart ? { kind: 'snap' } : { kind: 'trunc', after: max };
  if (peer < min) return logAllowed ? { kind: 'log', after: peer } : { kind: 'snap' };
  const known = recent.upTo(peer);
  if (known?.zxid === peer || epochStart) return { kind: 'diff', after: peer };
  const next = recent.after(peer).next().value;
  // The learner has something that was never committed.
  if (known === undefined || next === undefined || epochOf(next.zxid) !== epochOf(peer)) return { kind: 'snap' };
  return { kind: 'trunc', after: known.zxid };
}
