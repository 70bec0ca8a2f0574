// What this server has to reach: against Apache's in the same run, or in absolute figures.

import type { Figure } from '../workload.js';

/** `ratio` is ours divided by Apache's. */
export interface Target {
  readonly sample: string;
  readonly figure: Figure;
  readonly of: 'ratio' | 'value';
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
}

const rate = (sample: string, limit: number): Target => ({
  sample,
  figure: 'rate',
  of: 'ratio',
  bound: 'at least',
  limit,
});

const part = (sample: string, figure: Figure, limit: number): Target => ({
  sample,
  figure,
  of: 'ratio',
  bound: 'at most',
  limit,
});

const half = (sample: string, figure: Figure): Target => part(sample, figure, 0.5);

const limit = (sample: string, figure: Figure, most: number): Target => ({
  sample,
  figure,
  of: 'value',
  bound: 'at most',
  limit: most,
});

const steady = ['get', 'set', 'mixed', 'multi', 'create'].flatMap((name) => [
  `${name}, window 1`,
  `${name}, window 16`,
]);
const quiet = ['alone', 'beside a hog', 'beside a lister of 1,000,000'].flatMap((where) => [
  `quiet get, ${where}`,
  `quiet ping, ${where}`,
]);

export const targets: readonly Target[] = [
  rate('get, window 1', 1.8),
  rate('get, window 16', 3),
  rate('set, window 1', 1.5),
  rate('set, window 16', 2),
  rate('create, window 1', 2),
  rate('create, window 16', 2),
  rate('multi, window 1', 2),
  rate('multi, window 16', 2),
  rate('session open + close', 2),
  half('fan-out to 1000', 'p50'),
  ...[...steady, 'session open + close', 'fan-out to 1000', ...quiet].map((sample) => half(sample, 'p99')),
  rate('3 servers: get, window 16', 3),
  rate('3 servers: set, window 16', 2.5),
  rate('3 servers: mixed, window 16', 3),
  ...['get, window 16', 'set, window 1', 'set, window 16', 'mixed, window 16'].map((name) =>
    part(`3 servers: ${name}`, 'cpu', 1 / 3),
  ),
  limit('leader of 3 killed', 'p50', 300),
  limit('leader of 3 killed', 'max', 600),
  limit('1,000,000 nodes, filled', 'rss', 450),
  limit('1,000,000 nodes, restarted', 'rss', 450),
  limit('10,000 idle sessions', 'rss', 120),
  limit('empty start', 'time', 150),
  limit('1,000,000 nodes, restarted', 'time', 2000),
  limit('no pause, 5,000,000 nodes, 1000/s, 5 min', 'worstStall', 20),
];
