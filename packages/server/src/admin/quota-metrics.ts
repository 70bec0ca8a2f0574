// Limits and usage of quotas by namespace, under Apache's names. Source: QuotaMetricsUtils of Apache ZooKeeper.

import { numbersAt } from '../request/quota-check.js';
import type { DataTree } from '../tree/data-tree.js';
import { limitsPath, type QuotaNumbers, statsPath } from '../tree/quota.js';

interface QuotaGauge {
  /** Where the numbers of a path's quota stand. */
  readonly node: (path: string) => string;
  readonly value: (numbers: QuotaNumbers) => number;
}

/** A hard limit goes before the other. */
const GAUGES: Readonly<Record<string, QuotaGauge>> = {
  quota_count_limit_per_namespace: {
    node: limitsPath,
    value: (q) => (q.countHardLimit > -1 ? q.countHardLimit : q.count),
  },
  quota_bytes_limit_per_namespace: {
    node: limitsPath,
    value: (q) => (q.byteHardLimit > -1 ? q.byteHardLimit : q.bytes),
  },
  quota_count_usage_per_namespace: { node: statsPath, value: (q) => q.count },
  quota_bytes_usage_per_namespace: { node: statsPath, value: (q) => q.bytes },
};

/** Of more there is nothing to see in a graph, and clients make as many as they like. */
const MOST_NAMESPACES = 1000;

/** The values of a gauge, those of all quotas of a namespace together, for the first thousand; empty if the name is none of these. */
export function quotaGauge(tree: DataTree, name: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const gauge = GAUGES[name];
  if (gauge === undefined) return sums;
  for (const path of tree.quotas.values()) {
    const namespace = path.split('/', 2)[1];
    if (namespace === undefined || (sums.size === MOST_NAMESPACES && !sums.has(namespace))) continue;
    const numbers = numbersAt(tree, gauge.node(path));
    if (numbers === undefined || numbers === 'unreadable') continue;
    sums.set(namespace, (sums.get(namespace) ?? 0) + gauge.value(numbers));
  }
  return sums;
}
