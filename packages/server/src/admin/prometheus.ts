// Metrics for Prometheus, under Apache's names and types, read when they are asked for.

import { Counter, collectDefaultMetrics, Gauge, Registry, Summary } from 'prom-client';
import { ENSEMBLE_GAUGES } from './ensemble-metrics.js';
import { JavaDouble } from './java-text.js';
import { COUNTERS, QUANTILE_SUMMARIES, SUMMARIES } from './metric-names.js';
import { EMPTY_SUMMARY, gauges } from './metrics.js';
import type { ServerView } from './server-view.js';

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
  for (const name of SUMMARIES) registry.registerMetric(new LiveSummary(name, view, BASIC));
  for (const name of QUANTILE_SUMMARIES) registry.registerMetric(new LiveSummary(name, view, ADVANCED));
  return registry;
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

/** prom-client's summary keeps samples of its own; this one tells what the server has measured. */
class LiveSummary extends Summary {
  private readonly series: string;
  private readonly view: ServerView;
  private readonly quantiles: readonly number[];

  constructor(name: string, view: ServerView, quantiles: readonly number[]) {
    super({ name, help: name, registers: [] });
    this.series = name;
    this.view = view;
    this.quantiles = quantiles;
  }

  override async get(): ReturnType<Summary['get']> {
    const s = this.view.summary(this.series) ?? EMPTY_SUMMARY;
    const { series } = this;
    const values = this.quantiles.map((quantile) => ({
      metricName: series,
      labels: { quantile },
      value: s.count === 0 ? Number.NaN : s.quantile(quantile),
    }));
    return {
      ...(await super.get()),
      values: [
        ...values,
        { metricName: `${series}_sum`, labels: {}, value: s.sum },
        { metricName: `${series}_count`, labels: {}, value: s.count },
      ],
    };
  }
}
