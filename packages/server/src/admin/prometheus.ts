// Metrics for Prometheus, under Apache's names and types, read when they are asked for.

import { Counter, collectDefaultMetrics, Gauge, Registry, Summary } from 'prom-client';
import { ENSEMBLE_GAUGES } from './ensemble-metrics.js';
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
import { EMPTY_SUMMARY, gauges } from './metrics.js';
import type { ServerView, SummaryView } from './server-view.js';

const BASIC = [0.5];
const ADVANCED = [0.5, 0.9, 0.99];

/**
 * A registry whose metrics are read from the server at each scrape.
 * @param withProcess adds what prom-client tells of the process and of Node
 */
export function createRegistry(view: ServerView, withProcess: boolean): Registry {
  const registry = new Registry();
  const registers = [registry];
  if (withProcess) collectDefaultMetrics({ register: registry });

  const all = new Map<string, Gauge>();
  let first: Gauge | undefined;
  const always = gauges(view).filter(([, value]) => typeof value !== 'string');
  const names = new Set(always.map(([name]) => name));
  if (view.ensemble !== undefined) for (const name of ENSEMBLE_GAUGES) names.add(name);
  for (const name of names) {
    const gauge = new Gauge({ name, help: name, registers });
    first ??= gauge;
    all.set(name, gauge);
  }
  if (first !== undefined) collectInto(first, () => setGauges(view, all));

  for (const name of COUNTERS) {
    const counter = new Counter({ name, help: name, registers });
    collectInto(counter, () => {
      counter.reset();
      counter.inc(view.counter(name) ?? 0);
    });
  }
  const one = (name: string) => (): Series => [[undefined, view.summary(name) ?? EMPTY_SUMMARY]];
  const each = (name: string) => (): Series => view.summarySet(name);
  for (const name of SUMMARIES) registry.registerMetric(new LiveSummary(name, BASIC, one(name)));
  for (const name of QUANTILE_SUMMARIES) registry.registerMetric(new LiveSummary(name, ADVANCED, one(name)));
  for (const name of SUMMARY_SETS) registry.registerMetric(new LiveSummary(name, BASIC, each(name)));
  for (const name of QUANTILE_SUMMARY_SETS) registry.registerMetric(new LiveSummary(name, ADVANCED, each(name)));
  addSets(view, registers);
  return registry;
}

/** What a scrape is answered: everything, or the samples with these names. */
export async function metricsText(registry: Registry, names: readonly string[]): Promise<string> {
  const text = (await registry.metrics()).replace(/ Nan$/gm, ' NaN'); // prom-client's spelling is in no format
  if (names.length === 0) return text;
  const wanted = new Set(names.filter((name) => name !== ''));
  const isHead = (line: string): boolean => line.startsWith('#');
  const isWanted = (line: string): boolean => wanted.has(/^[^{ ]*/.exec(line)?.[0] ?? '');
  return text
    .split('\n\n')
    .map((family) => family.split('\n'))
    .filter((lines) => lines.some(isWanted))
    .map((lines) => `${lines.filter((line) => isHead(line) || isWanted(line)).join('\n')}\n`)
    .join('\n');
}

function addSets(view: ServerView, registers: Registry[]): void {
  for (const name of GAUGE_SETS) {
    const gauge = new Gauge({ name, help: name, registers, labelNames: ['key'] });
    collectInto(gauge, () => {
      gauge.reset();
      for (const [key, value] of view.numberSet(name)) gauge.set({ key }, value);
    });
  }
  for (const name of COUNTER_SETS) {
    const counter = new Counter({ name, help: name, registers, labelNames: ['key'] });
    collectInto(counter, () => {
      counter.reset();
      for (const [key, value] of view.numberSet(name)) counter.inc({ key }, value);
    });
  }
}

/** prom-client calls `collect` before it reads a metric. */
function collectInto(metric: object, collect: () => void): void {
  Object.assign(metric, { collect });
}

function setGauges(view: ServerView, all: ReadonlyMap<string, Gauge>): void {
  for (const gauge of all.values()) gauge.remove(); // a leader has some that it loses with its office
  for (const [name, value] of gauges(view)) {
    if (typeof value !== 'string') all.get(name)?.set(value instanceof JavaDouble ? value.value : value);
  }
}

/** What is measured, each under the key that it belongs to, if there are several. */
type Series = Iterable<readonly [string | undefined, SummaryView]>;

/** prom-client's summary keeps samples of its own; this one tells what the server has measured. */
class LiveSummary extends Summary<string> {
  private readonly metric: string;
  private readonly quantiles: readonly number[];
  private readonly series: () => Series;

  constructor(name: string, quantiles: readonly number[], series: () => Series) {
    super({ name, help: name, registers: [] });
    this.metric = name;
    this.quantiles = quantiles;
    this.series = series;
  }

  override async get(): ReturnType<Summary<string>['get']> {
    const { metric } = this;
    const values = [...this.series()].flatMap(([key, s]) => {
      const labels = key === undefined ? {} : { key };
      return [
        ...this.quantiles.map((quantile) => ({
          metricName: metric,
          labels: { ...labels, quantile },
          value: s.count === 0 ? Number.NaN : s.quantile(quantile),
        })),
        { metricName: `${metric}_sum`, labels, value: s.sum },
        { metricName: `${metric}_count`, labels, value: s.count },
      ];
    });
    return { ...(await super.get()), values };
  }
}
