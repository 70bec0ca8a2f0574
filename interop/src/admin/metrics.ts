// Compares what mntr tells: which keys there are, and the values that two ensembles under the same load have in common.

/** Apache's of each namespace and of each learner's queue: made when the first value comes; ours has none. */
const APACHE_ONLY = /_per_namespace$|_learner_handler_qp_(size|time_ms)$/;
/** Those came with 3.9. */
const SINCE_3_9 = /restore_|^snapshot_(error|rate_limited)_count$/;

/** Their values follow from the load. */
const SAME: readonly string[] = `
  server_state peer_state observer_master_id ephemerals_count num_alive_connections outstanding_requests znode_count
  global_sessions local_sessions last_client_response_size min_client_response_size max_client_response_size
  watch_count auth_failed_count approximate_data_size quorum_size learners synced_followers
  synced_non_voting_followers synced_observers pending_syncs last_proposal_size min_proposal_size max_proposal_size
  connection_drop_probability proposal_count commit_count learner_proposal_received_count
  learner_commit_received_count connection_request_count connection_revalidate_count revalidate_count
  stale_sessions_expired digest_mismatches_count unrecoverable_error_count cnt_propagation_latency
  cnt_quorum_ack_latency cnt_proposal_latency cnt_commit_propagation_latency cnt_readlatency cnt_updatelatency
  cnt_unavailable_time cnt_leader_unavailable_time cnt_follower_sync_time cnt_observer_sync_time
`
  .trim()
  .split(/\s+/);

/** It depends on who came first how often these happened: that they did is the same. */
const SAME_IF_ANY: readonly string[] = ['looking_count', 'cnt_election_time'];

export type Metrics = ReadonlyMap<string, string>;

/** What differs, a line each. */
export function metricDifferences(apache: Metrics, ours: Metrics): string[] {
  const out: string[] = [];
  for (const [key, value] of apache) {
    if (APACHE_ONLY.test(key)) continue;
    const own = ours.get(key);
    if (own === undefined) out.push(`${key} is missing`);
    else if (kind(value) !== kind(own)) out.push(`${key}: Apache's is ${value}, ours ${own}`);
  }
  for (const key of ours.keys()) if (!apache.has(key) && !SINCE_3_9.test(key)) out.push(`${key} is too much`);
  for (const key of SAME)
    if (apache.get(key) !== ours.get(key)) out.push(`${key}: Apache's is ${apache.get(key)}, ours ${ours.get(key)}`);
  for (const key of SAME_IF_ANY) {
    const any = (metrics: Metrics): boolean => Number(metrics.get(key)) > 0;
    if (any(apache) !== any(ours)) out.push(`${key}: Apache's is ${apache.get(key)}, ours ${ours.get(key)}`);
  }
  const synced = (m: Metrics): number => Number(m.get('snap_count')) + Number(m.get('diff_count'));
  if (apache.size > 0 && synced(apache) !== synced(ours))
    out.push(`learners brought up to date: Apache's ${synced(apache)}, ours ${synced(ours)}`);
  return out;
}

function kind(value: string): string {
  if (/^-?\d+$/.test(value)) return 'whole number';
  return /^-?\d+\.\d+(E-?\d+)?$/.test(value) ? 'double' : 'text';
}
