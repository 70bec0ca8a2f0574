// The server's metrics under Apache ZooKeeper's names: for mntr, for /commands/monitor and for Prometheus. What a standalone
// server has none of (learners, elections, threads that only the Java server has) is there with 0, as Apache shows it.

import { readdirSync, readFileSync } from 'node:fs';
import type { StandaloneServer } from '../server.js';
import { Summary } from '../server-stats.js';
import { BUILD_DATE, FULL_VERSION } from '../version.js';

export interface Metrics {
  readonly gauges: ReadonlyMap<string, number | string>;
  readonly counters: ReadonlyMap<string, number>;
  readonly summaries: ReadonlyMap<string, Summary>;
  /** Summaries with quantiles. */
  readonly quantiles: ReadonlyMap<string, Summary>;
}

const ZERO_COUNTERS =
  'proposal_count watch_bytes outstanding_changes_removed throttled_ops stale_requests_dropped large_requests_rejected insecure_admin_count cnxn_closed_without_zk_server_running looking_count dead_watchers_queued stale_requests connection_drop_count learner_proposal_received_count dead_watchers_cleared response_packet_cache_hits add_dead_watcher_stall_time request_throttle_wait_count requests_not_forwarded_to_commit_processor response_packet_cache_misses ensemble_auth_success prep_processor_request_queued learner_commit_received_count stale_replies ensemble_auth_fail diff_count response_packet_get_children_cache_misses quit_leading_due_to_disloyal_voter snap_count unrecoverable_error_count unsuccessful_handshake commit_count response_packet_get_children_cache_hits sync_processor_request_queued outstanding_changes_queued request_commit_queued ensemble_auth_skip skip_learner_request_to_next_processor_count tls_handshake_exceeded revalidate_count'.split(
    ' ',
  );

const ZERO_SUMMARIES =
  'socket_closing_time proposal_process_time leader_unavailable_time node_created_watch_count session_queues_drained write_commit_proc_req_queued connection_token_deficit read_commit_proc_req_queued node_deleted_watch_count startup_txns_load_time sync_processor_queue_size follower_sync_time prep_processor_queue_size inflight_snap_count reads_issued_from_session_queue learner_request_processor_queue_size unavailable_time startup_txns_loaded reads_after_write_in_session_queue requests_in_session_queue write_commit_proc_issued prep_process_time pending_session_queue_size time_waiting_empty_pool_in_commit_processor_read_ms commit_process_time inflight_diff_count netty_queued_buffer_capacity election_time commit_commit_proc_req_queued node_children_watch_count write_batch_time_in_commit_processor read_commit_proc_issued concurrent_request_processing_in_commit_processor observer_sync_time node_changed_watch_count sync_process_time startup_snap_load_time'.split(
    ' ',
  );

const ZERO_QUANTILES =
  'prep_processor_queue_time_ms jvm_pause_time_ms close_session_prep_time read_commitproc_time_ms local_write_committed_time_ms request_throttle_queue_time_ms quorum_ack_latency om_commit_process_time_ms read_final_proc_time_ms commit_propagation_latency dead_watchers_cleaner_latency write_final_proc_time_ms proposal_ack_creation_latency proposal_latency om_proposal_process_time_ms sync_processor_queue_and_flush_time_ms propagation_latency server_write_committed_time_ms sync_processor_queue_time_ms sync_processor_queue_flush_time_ms write_commitproc_time_ms'.split(
    ' ',
  );

/** The metrics as they are now. */
export function collectMetrics(server: StandaloneServer): Metrics {
  const { stats, port, database, sessions, processor } = server;
  const { tree } = database;
  const net = port.stats;
  const gauges = new Map<string, number | string>([
    ['version', versionText()],
    ['server_state', 'standalone'],
    ['ephemerals_count', tree.ephemeralCount],
    ['num_alive_connections', port.connections.size],
    ['avg_latency', round(stats.latency.average)],
    ['outstanding_requests', processor.outstanding],
    ['znode_count', nodeCount(server)],
    ['global_sessions', sessions.size],
    ['non_mtls_remote_conn_count', 0],
    ['last_client_response_size', stats.lastResponseSize],
    ['packets_sent', net.packetsSent],
    ['packets_received', net.packetsReceived],
    ['max_client_response_size', stats.maxResponseSize],
    ['connection_drop_probability', port.dropProbability],
    ['watch_count', tree.watches.count],
    ['auth_failed_count', net.authFailed],
    ['min_latency', Math.max(0, Math.floor(stats.latency.min))],
    ['max_file_descriptor_count', fileLimit()],
    ['approximate_data_size', tree.store.dataBytes + tree.store.pathBytes],
    ['open_file_descriptor_count', openFiles()],
    ['local_sessions', 0],
    ['uptime', Date.now() - server.startedAt],
    ['max_latency', Math.max(0, Math.floor(stats.latency.max))],
    ['outstanding_tls_handshake', 0],
    ['min_client_response_size', stats.minResponseSize],
    ['non_mtls_local_conn_count', 0],
  ]);
  const counters = new Map<string, number>(ZERO_COUNTERS.map((name) => [name, 0]));
  for (const [name, value] of [
    ['bytes_received_count', net.bytesReceived],
    ['response_bytes', net.bytesSent],
    ['connection_request_count', net.connectionRequests],
    ['connection_revalidate_count', net.revalidations],
    ['connection_rejected', net.rejected],
    ['sessionless_connections_expired', net.sessionlessExpired],
    ['stale_sessions_expired', stats.staleSessionsExpired],
    ['digest_mismatches_count', tree.digestMismatches],
  ] as const) {
    counters.set(name, value);
  }
  const none = new Summary();
  const summaries = new Map<string, Summary>(ZERO_SUMMARIES.map((name) => [name, none]));
  summaries.set('fsynctime', stats.fsyncTime).set('snapshottime', stats.snapshotTime);
  summaries.set('sync_processor_batch_size', stats.batchSize).set('dbinittime', stats.dbInitTime);
  const quantiles = new Map<string, Summary>(ZERO_QUANTILES.map((name) => [name, none]));
  quantiles.set('readlatency', stats.readLatency).set('updatelatency', stats.updateLatency);
  return { gauges, counters, summaries, quantiles };
}

/** Apache's count, which has the root twice. */
export function nodeCount(server: StandaloneServer): number {
  return server.database.tree.store.count + 1;
}

export function versionText(): string {
  return `${FULL_VERSION}, built on ${BUILD_DATE}`;
}

/** The keys and values of mntr, without the prefix `zk_`. */
export function* flatMetrics(metrics: Metrics): Generator<readonly [string, number | string]> {
  yield* metrics.gauges;
  yield* metrics.counters;
  for (const [name, s] of metrics.summaries) yield* summary(name, s);
  for (const [name, s] of metrics.quantiles) {
    yield* summary(name, s);
    yield [`p50_${name}`, Math.round(s.quantile(0.5))];
    yield [`p95_${name}`, Math.round(s.quantile(0.95))];
    yield [`p99_${name}`, Math.round(s.quantile(0.99))];
    yield [`p999_${name}`, Math.round(s.quantile(0.999))];
  }
}

function* summary(name: string, s: Summary): Generator<readonly [string, number]> {
  yield [`avg_${name}`, round(s.average)];
  yield [`min_${name}`, Math.max(0, Math.floor(s.min))];
  yield [`max_${name}`, Math.max(0, Math.ceil(s.max))];
  yield [`cnt_${name}`, s.count];
  yield [`sum_${name}`, Math.round(s.sum)];
}

/** Up to four decimals, as Apache prints averages. */
export function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

/** A number as Java prints a double. */
export function javaDouble(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return -1;
  }
}

function fileLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? -1);
  } catch {
    return -1;
  }
}
