// What a workload is and what it yields.

import type { RunningEnsemble } from './servers/ensemble.js';
import type { RunningServer } from './servers/running-server.js';

/** The figures that exist, with their units: see report/figures.ts. */
export type Figure =
  | 'rate'
  | 'p50'
  | 'p99'
  | 'p999'
  | 'max'
  | 'cpu'
  | 'rss'
  | 'time'
  | 'worstStall'
  | 'driver'
  | 'driverLate';

/** The figures of one case of a workload in one round. The name holds the parameters, as targets are tied to it. */
export interface Sample {
  readonly name: string;
  readonly figures: Readonly<Partial<Record<Figure, number>>>;
  /** Lines for the report that are no figures. */
  readonly notes?: readonly string[];
}

/** Sizes and times, set by the options; times in seconds unless named otherwise. */
export interface Scale {
  /** Warming up a freshly started server, and each case. */
  readonly serverWarmup: number;
  readonly warmup: number;
  readonly duration: number;
  readonly fanOuts: number;
  /** Servers of an ensemble killed, in each role. */
  readonly kills: number;
  readonly starts: number;
  /** Nodes in the workload `nodes` and children in `fairness`. */
  readonly nodes: number;
  readonly idleSessions: number;
  readonly pauseNodes: number;
  readonly pauseRate: number;
  readonly pauseMinutes: number;
  readonly pauseSnapCount: number;
}

/** What a workload may ask for. */
export interface Bench {
  readonly scale: Scale;
  /** A server that is warm and may have served other workloads. */
  server(): Promise<RunningServer>;
  /** A server just started on empty data, for this workload alone; it is stopped by the workload. */
  fresh(config?: Readonly<Record<string, string | number>>): Promise<RunningServer>;
  /** An ensemble just started on empty data, for this workload alone; it is stopped by the workload. */
  ensemble(voters: number, observers?: number): Promise<RunningEnsemble>;
  /** Tells the person who waits what is going on. */
  progress(message: string): void;
}

export interface Workload {
  /** As in --only. */
  readonly name: string;
  readonly summary: string;
  /** Whether it starts servers itself, so that it cannot be run against one that runs already. */
  readonly ownServer: boolean;
  /** Too long to be run unless asked for by name. */
  readonly onDemand?: boolean;
  run(bench: Bench): Promise<Sample[]>;
}
