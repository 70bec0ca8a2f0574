// Metrics for Prometheus, under Apache's names, read when they are asked for.

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { StandaloneServer } from '../server.js';
import { collectMetrics } from './metrics.js';

const QUANTILES = [0.5, 0.9, 0.99];

/** A registry whose metrics are read from the server at each scrape. */
export function createRegistry(server: StandaloneServer, withProcess: boolean): Registry {
  const registry = new Registry();
  if (withProcess) collectDefaultMetrics({ register: registry });
  const gauges = new Map<string, Gauge>();
  const set = (name: string, value: number, labels: Record<string, string> = {}): void => {
    let gauge = gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({ name, help: name, labelNames: Object.keys(labels), registers: [registry] });
      gauges.set(name, gauge);
    }
    gauge.set(labels, value);
  };
  const refresh = (): void => {
    const { gauges: values, counters, summaries, quantiles } = collectMetrics(server);
    for (const [name, value] of values) if (typeof value === 'number') set(name, value);
    for (const [name, value] of counters) set(name, value);
    for (const [name, s] of [...summaries, ...quantiles]) {
      for (const q of quantiles.has(name) ? QUANTILES : [0.5]) set(name, s.quantile(q), { quantile: String(q) });
      set(`${name}_count`, s.count);
      set(`${name}_sum`, s.sum);
    }
  };
  const { metrics } = registry;
  registry.metrics = () => {
    refresh();
    return metrics.call(registry);
  };
  return registry;
}
