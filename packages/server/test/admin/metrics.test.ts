// mntr and Prometheus: names, kinds and values as Apache's server has them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ENSEMBLE_GAUGES } from '../../dist/admin/ensemble-metrics.js';
import {
  COUNTER_SETS,
  COUNTERS,
  GAUGE_SETS,
  QUANTILE_SUMMARIES,
  QUANTILE_SUMMARY_SETS,
  SUMMARIES,
  SUMMARY_SETS,
} from '../../dist/admin/metric-names.js';
import { mntrText } from '../../dist/admin/mntr.js';
import { createRegistry } from '../../dist/admin/prometheus.js';
import { Summary } from '../../dist/server-stats.js';
import { FakeView, recorded } from './fake-view.js';

function rows(text: string): Map<string, string> {
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => {
        const [key = '', value = ''] = line.split('\t');
        return [key, value] as const;
      }),
  );
}

function kind(value: string): string {
  if (/^-?\d+$/.test(value)) return 'whole number';
  return /^-?\d+\.\d+(E-?\d+)?$/.test(value) ? 'double' : 'text';
}

test('mntr has every key of the Apache server that is not of a namespace, each with its kind of value', () => {
  const apache = rows(recorded.words.mntr ?? '');
  const ours = rows(mntrText(new FakeView()));
  for (const [key, value] of apache) {
    if (key.endsWith('_per_namespace')) continue;
    assert.equal(kind(ours.get(key) ?? 'missing'), kind(value), key);
  }
  const added = [...ours.keys()].filter((key) => !apache.has(key)).sort();
  assert.deepEqual(added, [
    'zk_avg_restore_time', // these came with 3.9
    'zk_cnt_restore_time',
    'zk_max_restore_time',
    'zk_min_restore_time',
    'zk_restore_error_count',
    'zk_restore_rate_limited_count',
    'zk_snapshot_error_count',
    'zk_snapshot_rate_limited_count',
    'zk_sum_restore_time',
  ]);
});

/**
 * What Apache's server 3.8.0 registers with its metrics provider, standalone and in all parts of an ensemble: a kind and a name
 * each, for series with the level of detail.
 */
const REGISTERED = readFileSync(new URL('../../test/admin/fixtures/metric-names-3.8.0.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n');

test("every metric that Apache's server registers is there, of the same kind", () => {
  const ours = new Set([
    ...[...rows(mntrText(new FakeView())).keys()].map((key) => `gauge ${key.slice('zk_'.length)}`),
    ...ENSEMBLE_GAUGES.map((name) => `gauge ${name}`),
    ...COUNTERS.map((name) => `counter ${name}`),
    ...SUMMARIES.map((name) => `summary BASIC ${name}`),
    ...QUANTILE_SUMMARIES.map((name) => `summary ADVANCED ${name}`),
    ...GAUGE_SETS.map((name) => `gaugeset ${name}`),
    ...COUNTER_SETS.map((name) => `counterset ${name}`),
    ...SUMMARY_SETS.map((name) => `summaryset BASIC ${name}`),
    ...QUANTILE_SUMMARY_SETS.map((name) => `summaryset ADVANCED ${name}`),
  ]);
  assert.equal(REGISTERED.length, 155);
  assert.deepEqual(
    REGISTERED.filter((line) => !ours.has(line)),
    [],
  );
});

test('mntr shows the counts of the recorded server as it did', () => {
  const apache = rows(recorded.words.mntr ?? '');
  const view = new FakeView();
  view.now.packetsReceived = 170;
  view.now.packetsSent = 169;
  const ours = rows(mntrText(view));
  for (const key of [
    ...['version', 'server_state', 'ephemerals_count', 'num_alive_connections', 'avg_latency', 'znode_count'],
    ...['global_sessions', 'last_client_response_size', 'max_client_response_size', 'min_client_response_size'],
    ...['packets_sent', 'packets_received', 'watch_count', 'min_latency', 'max_latency', 'approximate_data_size'],
    ...['uptime', 'connection_drop_probability', 'outstanding_requests', 'auth_failed_count'],
  ]) {
    assert.equal(ours.get(`zk_${key}`), apache.get(`zk_${key}`), key);
  }
});

test('mntr spreads a series over average, least, largest, count, sum and quantiles', () => {
  const view = new FakeView();
  const series = new Summary();
  for (const value of [1, 1, 1, 2]) series.add(value);
  view.summaries.set('updatelatency', series).set('fsynctime', series);
  view.counters.set('bytes_received_count', 4744);
  const ours = rows(mntrText(view));
  assert.equal(ours.get('zk_avg_updatelatency'), '1.25');
  assert.equal(ours.get('zk_min_updatelatency'), '1');
  assert.equal(ours.get('zk_max_updatelatency'), '2');
  assert.equal(ours.get('zk_cnt_updatelatency'), '4');
  assert.equal(ours.get('zk_sum_updatelatency'), '5');
  assert.equal(ours.get('zk_p999_updatelatency'), '2');
  assert.equal(ours.get('zk_avg_fsynctime'), '1.25');
  assert.equal(ours.has('zk_p99_fsynctime'), false);
  assert.equal(ours.get('zk_bytes_received_count'), '4744');
});

test('no metric has two names or two types', () => {
  const sets = [...GAUGE_SETS, ...COUNTER_SETS, ...SUMMARY_SETS, ...QUANTILE_SUMMARY_SETS];
  const names = [...COUNTERS, ...SUMMARIES, ...QUANTILE_SUMMARIES, ...sets];
  assert.equal(new Set(names).size, names.length);
});

test("Prometheus gets Apache's names and types, read anew at each scrape", async () => {
  const view = new FakeView();
  const series = new Summary();
  view.summaries.set('updatelatency', series).set('fsynctime', series);
  const registry = createRegistry(view, false);
  const before = await registry.metrics();
  assert.match(before, /^# TYPE updatelatency summary$/m);
  assert.match(before, /^updatelatency\{quantile="0\.99"\} Nan$/m);
  assert.match(before, /^updatelatency_count 0$/m);
  assert.match(before, /^# TYPE znode_count gauge$/m);
  assert.match(before, /^znode_count 11$/m);
  assert.match(before, /^# TYPE bytes_received_count counter$/m);
  assert.match(before, /^bytes_received_count 0$/m);
  assert.doesNotMatch(before, /^(version|server_state)\b/m);
  assert.match(before, /^# TYPE read_per_namespace summary$/m);
  assert.match(before, /^# TYPE ack_latency summary$/m);
  assert.match(before, /^# TYPE quota_count_limit_per_namespace gauge$/m);
  assert.match(before, /^# TYPE quota_exceeded_error_per_namespace counter$/m);
  assert.doesNotMatch(before, /_per_namespace\{/);

  series.add(3);
  view.now.nodes = 12;
  view.counters.set('bytes_received_count', 7);
  const after = await registry.metrics();
  assert.match(after, /^updatelatency\{quantile="0\.9"\} 3$/m);
  assert.match(after, /^updatelatency_sum 3$/m);
  assert.match(after, /^updatelatency_count 1$/m);
  assert.match(after, /^fsynctime\{quantile="0\.5"\} 3$/m);
  assert.doesNotMatch(after, /^fsynctime\{quantile="0\.9"\}/m);
  assert.match(after, /^znode_count 12$/m);
  assert.match(after, /^bytes_received_count 7$/m);
  view.sets.set('read_per_namespace', [['app', series]]).set('ack_latency', [['2', series]]);
  view.numbers.set('quota_count_limit_per_namespace', [['app', 4]]);
  view.numbers.set('quota_exceeded_error_per_namespace', [['app', 2]]);
  const sets = await registry.metrics();
  assert.match(sets, /^read_per_namespace\{key="app",quantile="0\.5"\} 3$/m);
  assert.match(sets, /^read_per_namespace_sum\{key="app"\} 3$/m);
  assert.match(sets, /^read_per_namespace_count\{key="app"\} 1$/m);
  assert.doesNotMatch(sets, /^read_per_namespace\{key="app",quantile="0\.9"\}/m);
  assert.match(sets, /^ack_latency\{key="2",quantile="0\.99"\} 3$/m);
  assert.match(sets, /^quota_count_limit_per_namespace\{key="app"\} 4$/m);
  assert.match(sets, /^quota_exceeded_error_per_namespace\{key="app"\} 2$/m);
  assert.equal(await registry.metrics(), sets, 'nothing adds up');
  view.numbers.delete('quota_count_limit_per_namespace');
  assert.doesNotMatch(await registry.metrics(), /^quota_count_limit_per_namespace\{/m);
  const third = await registry.metrics();
  assert.match(third, /^bytes_received_count 7$/m);
});

test('metrics of the process are exported if wanted', async () => {
  assert.match(await createRegistry(new FakeView(), true).metrics(), /^process_resident_memory_bytes \d/m);
  assert.doesNotMatch(await createRegistry(new FakeView(), false).metrics(), /^process_/m);
});
