// The time from starting the process on empty data to its first answered handshake.

import { setTimeout as delay } from 'node:timers/promises';
import { residentMegabytes } from '../driver/process-stats.js';
import type { Sample, Workload } from '../workload.js';

const SETTLE = 500;

export const start: Workload = {
  name: 'start',
  summary: 'empty start to the first answered handshake',
  ownServer: true,
  async run(bench) {
    const samples: Sample[] = [];
    for (let i = 0; i < bench.scale.starts; i++) {
      bench.progress(`start ${i + 1} of ${bench.scale.starts}`);
      const server = await bench.fresh();
      await delay(SETTLE);
      const rss = server.pid === undefined ? {} : { rss: residentMegabytes(server.pid) };
      samples.push({ name: 'empty start', figures: { time: server.startTime, ...rss } });
      await server.stop();
    }
    return samples;
  },
};
