// Sessions opened and closed: connect, handshake, closeSession, until the server hangs up; nothing else.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Histogram } from '../driver/histogram.js';
import { startMeter } from '../driver/meter.js';
import { RawConnection } from '../driver/raw-connection.js';
import type { Workload } from '../workload.js';
import { percentiles } from './steady.js';

// Below the backlog of 50 that Apache listens with, or lost SYNs would be measured, a second each.
const CONCURRENCY = 32;

export const sessions: Workload = {
  name: 'sessions',
  summary: `session open and close, ${CONCURRENCY} at a time`,
  ownServer: false,
  async run(bench) {
    bench.progress('session open and close');
    const server = await bench.server();
    const latencies = new Histogram();
    let running = true;
    const slot = async () => {
      while (running) {
        const start = performance.now();
        await (await RawConnection.open(server)).closeSession();
        latencies.record(performance.now() - start);
      }
    };
    const slots = Promise.all(Array.from({ length: CONCURRENCY }, slot));
    const timed = async () => {
      await delay(bench.scale.warmup * 1000);
      latencies.clear();
      const end = startMeter(server);
      await delay(bench.scale.duration * 1000);
      const figures = { ...end(latencies.count), ...percentiles(latencies) };
      running = false;
      return figures;
    };
    try {
      const [figures] = await Promise.all([timed(), slots]);
      return [{ name: 'session open + close', figures }];
    } finally {
      running = false;
    }
  },
};
