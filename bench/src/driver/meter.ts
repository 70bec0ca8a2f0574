// Measures a stretch of time: its length, the server's CPU time and memory, and how busy the driver was itself.

import { performance } from 'node:perf_hooks';
import type { RunningServer } from '../servers/running-server.js';
import { cpuSeconds, residentMegabytes } from './process-stats.js';

export interface Cost {
  /** Operations per second. */
  readonly rate: number;
  /** Microseconds of the server's CPU time for each operation; absent when its process is unknown. */
  readonly cpu?: number;
  /** Megabytes resident at the end; absent when the process is unknown. */
  readonly rss?: number;
  /** The share (0 to 1) of the time in which the driver's event loop was not idle; near 1, the driver is the limit. */
  readonly driver: number;
}

/** Starts measuring; call the result with the number of operations done to end it. Several servers count as one. */
export function startMeter(server: RunningServer | readonly RunningServer[]): (operations: number) => Cost {
  const pids = [server].flat().flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  const sum = (of: (pid: number) => number): number => pids.reduce((total, pid) => total + of(pid), 0);
  const start = performance.now();
  const loop = performance.eventLoopUtilization();
  const cpu = sum(cpuSeconds);
  return (operations) => {
    const cost = {
      rate: operations / ((performance.now() - start) / 1000),
      driver: performance.eventLoopUtilization(loop).utilization,
    };
    if (pids.length === 0) return cost;
    return { ...cost, cpu: ((sum(cpuSeconds) - cpu) * 1e6) / Math.max(1, operations), rss: sum(residentMegabytes) };
  };
}
