// Memory with many sessions that do nothing.

import { setTimeout as delay } from 'node:timers/promises';
import { residentMegabytes } from '../driver/process-stats.js';
import { openMany } from '../driver/raw-connection.js';
import type { Workload } from '../workload.js';

const SETTLE = 3000;

export const idleSessions: Workload = {
  name: 'idle-sessions',
  summary: 'memory with 10,000 idle sessions',
  ownServer: true,
  async run(bench) {
    const count = bench.scale.idleSessions;
    const name = `${count.toLocaleString('en')} idle sessions`;
    bench.progress(name);
    const server = await bench.fresh();
    try {
      const connections = await openMany(server, count);
      await delay(SETTLE);
      const figures = server.pid === undefined ? {} : { rss: residentMegabytes(server.pid) };
      for (const connection of connections) connection.close();
      return [{ name, figures }];
    } finally {
      await server.stop();
    }
  },
};
