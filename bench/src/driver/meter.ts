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

/** Starts measuring; call the result with the number of operations done to end it. */
export function startMeter(server: RunningServer): (operations: number) => Cost {
  const { pid } = server;
  const start = performance.now();
  const loop = performance.eventLoopUtilization();
  const cpu = pid === undefined ? 0 : cpuSeconds(pid);
  return (operations) => {
    const cost = {
      rate: operations / ((performance.now() - start) / 1000),
      driver: performance.eventLoopUtilization(loop).utilization,
    };
    if (pid === undefined) return cost;
    return { ...cost, cpu: ((cpuSeconds(pid) - cpu) * 1e6) / Math.max(1, operations), rss: residentMegabytes(pid) };
  };
}
