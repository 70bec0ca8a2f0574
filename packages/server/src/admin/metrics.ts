// The server's metrics under Apache ZooKeeper's names: for mntr, for /commands/monitor and for Prometheus. Read from the server's
// own counts when somebody asks; nothing here is on the way of a request.

import { readdirSync } from 'node:fs';
import { fileLimit } from '../net/file-limit.js';
import { ensembleGauges } from './ensemble-metrics.js';
import { JavaDouble } from './java-text.js';
import {
  COUNTER_SETS,
  COUNTERS,
  GAUGE_SETS,
  QUANTILE_SUMMARIES,
  QUANTILE_SUMMARY_SETS,
  SUMMARIES,
  SUMMARY_SETS,
} from './metric-names.js';
import type { Counts, ServerView, SummaryView } from './server-view.js';

/** What stands for a series that is not measured. */
export const EMPTY_SUMMARY: SummaryView = { count: 0, sum: 0, average: 0, min: -1, max: -1, quantile: () => 0 };

/** A gauge's value: text for those that Prometheus does not get. */
export type GaugeValue = number | JavaDouble | string;

/** The gauges as they are now, in Apache's order. */
export function gauges(view: ServerView): [string, GaugeValue][] {
  const c = view.counts();
  const ensemble = ensembleGauges(view.ensemble);
  const all: (readonly [string, GaugeValue | undefined])[] = [
    ['version', view.version],
    ['server_state', view.state],
    ['peer_state', ensemble.peer_state],
    ['observer_master_id', ensemble.observer_master_id],
    ['ephemerals_count', c.ephemerals],
    ['num_alive_connections', c.connections],
    ['avg_latency', JavaDouble.average(c.avgLatency)],
    ['min_proposal_size', ensemble.min_proposal_size],
    ['outstanding_requests', c.outstanding],
    ['znode_count', c.nodes],
    ['global_sessions', c.globalSessions],
    ['non_mtls_remote_conn_count', 0],
    ['last_client_response_size', c.lastResponseSize],
    ['packets_sent', c.packetsSent],
    ['packets_received', c.packetsReceived],
    ['max_proposal_size', ensemble.max_proposal_size],
    ['max_client_response_size', c.maxResponseSize],
    ['synced_followers', ensemble.synced_followers],
    ['connection_drop_probability', new JavaDouble(c.dropProbability)],
    ['watch_count', c.watches],
    ['synced_non_voting_followers', ensemble.synced_non_voting_followers],
    ['synced_observers', ensemble.synced_observers],
    ['auth_failed_count', c.authFailed],
    ['min_latency', leastLatency(c)],
    ['max_file_descriptor_count', fileLimit()],
    ['approximate_data_size', c.approximateDataSize],
    ['open_file_descriptor_count', openFiles()],
    ['last_proposal_size', ensemble.last_proposal_size],
    ['pending_syncs', ensemble.pending_syncs],
    ['leader_uptime', ensemble.leader_uptime],
    ['local_sessions', c.localSessions],
    ['uptime', Math.floor(c.uptime)],
    ['max_latency', largestLatency(c)],
    ['outstanding_tls_handshake', c.handshakes],
    ['learners', ensemble.learners],
    ['min_client_response_size', c.minResponseSize],
    ['non_mtls_local_conn_count', 0],
    ['quorum_size', ensemble.quorum_size],
  ];
  return all.filter((gauge): gauge is [string, GaugeValue] => gauge[1] !== undefined);
}

/** Whole milliseconds, as Apache's clock has them; 0 before the first request. */
export function leastLatency(counts: Counts): number {
  return Math.max(0, Math.floor(counts.minLatency));
}

export function largestLatency(counts: Counts): number {
  return Math.max(0, Math.floor(counts.maxLatency));
}

/** Every key and value of mntr, without the prefix `zk_`. */
export function* metricRows(view: ServerView): Generator<readonly [string, GaugeValue]> {
  yield* gauges(view);
  yield* numbers(view, GAUGE_SETS);
  for (const name of COUNTERS) yield [name, view.counter(name) ?? 0];
  yield* numbers(view, COUNTER_SETS);
  for (const name of SUMMARIES) yield* spread(name, view.summary(name) ?? EMPTY_SUMMARY);
  for (const name of QUANTILE_SUMMARIES) yield* withQuantiles(name, view.summary(name) ?? EMPTY_SUMMARY);
  for (const name of SUMMARY_SETS) {
    for (const [key, s] of view.summarySet(name)) yield* spread(`${key}_${name}`, s);
  }
  for (const name of QUANTILE_SUMMARY_SETS) {
    for (const [key, s] of view.summarySet(name)) yield* withQuantiles(`${key}_${name}`, s);
  }
}

function* numbers(view: ServerView, sets: readonly string[]): Generator<readonly [string, number]> {
  for (const name of sets) for (const [key, value] of view.numberSet(name)) yield [`${key}_${name}`, value];
}

function* withQuantiles(name: string, s: SummaryView): Generator<readonly [string, GaugeValue]> {
  yield* spread(name, s);
  yield [`p50_${name}`, Math.round(s.quantile(0.5))];
  yield [`p95_${name}`, Math.round(s.quantile(0.95))];
  yield [`p99_${name}`, Math.round(s.quantile(0.99))];
  yield [`p999_${name}`, Math.round(s.quantile(0.999))];
}

function* spread(name: string, s: SummaryView): Generator<readonly [string, GaugeValue]> {
  yield [`avg_${name}`, JavaDouble.average(s.average)];
  yield [`min_${name}`, Math.max(0, Math.floor(s.min))];
  yield [`max_${name}`, Math.max(0, Math.ceil(s.max))];
  yield [`cnt_${name}`, s.count];
  yield [`sum_${name}`, Math.round(s.sum)];
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return -1; // no /proc here
  }
}
