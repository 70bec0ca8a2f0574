// An ensemble's metrics under Apache's names: gauges of its present part, counters and series over all its roles.

import type { EnsembleStats } from '../ensemble-stats.js';
import type { EnsembleView } from '../ensemble-view.js';
import type { SummaryView } from './server-view.js';

/** Text for those that Prometheus does not get. */
export type EnsembleGauges = Readonly<Record<string, number | string>>;

/** Those that an ensemble's server may have, as numbers. */
export const ENSEMBLE_GAUGES: readonly string[] = `
  quorum_size learners synced_followers synced_non_voting_followers synced_observers pending_syncs leader_uptime
  last_proposal_size min_proposal_size max_proposal_size observer_master_id
`
  .trim()
  .split(/\s+/);

const DOING = { leader: 'leading', follower: 'following', observer: 'observing' } as const;

/** What there is to tell now: nothing of a server that is standalone or has no leader. */
export function ensembleGauges(ensemble: EnsembleView | undefined): EnsembleGauges {
  const part = ensemble?.part;
  if (ensemble === undefined || part === undefined) return {};
  const isVoter = (id: number | undefined): boolean =>
    id !== undefined && ensemble.config.members.get(id)?.role === 'participant';
  const all: Record<string, number | string> = {
    peer_state: `${DOING[part.mode]} - broadcast`,
    quorum_size: [...ensemble.config.members.keys()].filter(isVoter).length,
  };
  if (part.mode === 'observer') all.observer_master_id = part.masterId ?? part.leaderId;
  if (part.observers !== undefined) all.synced_observers = [...part.observers].filter(({ synced }) => synced).length;
  if (part.leading === undefined) return all;
  const { stats } = ensemble;
  const { uptime, pendingSyncs } = part.leading;
  const learners = [...part.leading.learners];
  const followers = learners.filter(({ synced, participates }) => synced && participates);
  return {
    ...all,
    learners: learners.length,
    synced_followers: followers.length,
    synced_non_voting_followers: followers.filter(({ id }) => !isVoter(id)).length,
    synced_observers: learners.filter(({ synced, participates }) => synced && !participates).length,
    pending_syncs: pendingSyncs,
    leader_uptime: Math.floor(uptime),
    last_proposal_size: stats.lastProposalSize,
    min_proposal_size: stats.minProposalSize,
    max_proposal_size: stats.maxProposalSize,
  };
}

/** A counter; undefined if it is none of an ensemble's. */
export function ensembleCounter(name: string, { counts }: EnsembleStats): number | undefined {
  switch (name) {
    case 'looking_count':
      return counts.looking;
    case 'quit_leading_due_to_disloyal_voter':
      return counts.disloyalVoters;
    case 'proposal_count':
      return counts.proposals;
    case 'commit_count':
      return counts.commits;
    case 'diff_count':
      return counts.diffs;
    case 'snap_count':
      return counts.snapshots;
    case 'revalidate_count':
      return counts.revalidations;
    case 'learner_proposal_received_count':
      return counts.learnerProposals;
    case 'learner_commit_received_count':
      return counts.learnerCommits;
    default:
      return undefined;
  }
}

/** A series; undefined if it is none of an ensemble's. */
export function ensembleSummary(name: string, stats: EnsembleStats): SummaryView | undefined {
  switch (name) {
    case 'election_time':
      return stats.electionTime;
    case 'unavailable_time':
      return stats.unavailableTime;
    case 'leader_unavailable_time':
      return stats.leaderUnavailableTime;
    case 'follower_sync_time':
      return stats.followerSyncTime;
    case 'observer_sync_time':
      return stats.observerSyncTime;
    case 'quorum_ack_latency':
      return stats.quorumAckLatency;
    case 'proposal_latency':
      return stats.proposalLatency;
    case 'commit_propagation_latency':
      return stats.commitPropagationLatency;
    default:
      return undefined;
  }
}
