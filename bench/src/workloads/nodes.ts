// A large tree: memory after it was filled, the time of a restart, and memory after that.

import { setTimeout as delay } from 'node:timers/promises';
import { startMeter } from '../driver/meter.js';
import { residentMegabytes } from '../driver/process-stats.js';
import { fillSpread } from '../fill.js';
import type { Figure, Sample, Workload } from '../workload.js';

const SETTLE = 3000;

export const nodes: Workload = {
  name: 'nodes',
  summary: 'a million nodes of 100 B: fill, memory, restart',
  ownServer: true,
  async run(bench) {
    const count = bench.scale.nodes;
    const of = `${count.toLocaleString('en')} nodes`;
    let server = await bench.fresh();
    try {
      bench.progress(`filling with ${of}`);
      const end = startMeter(server);
      await fillSpread(server, '/fill', count, false);
      const { rate, cpu } = end(count);
      const filled: Partial<Record<Figure, number>> = { rate, ...(await memory(server.pid)) };
      if (cpu !== undefined) filled.cpu = cpu;
      const samples: Sample[] = [{ name: `${of}, filled`, figures: filled }];
      bench.progress(`restarting with ${of}`);
      server = await server.restart();
      samples.push({ name: `${of}, restarted`, figures: { time: server.startTime, ...(await memory(server.pid)) } });
      return samples;
    } finally {
      await server.stop();
    }
  },
};

/** Resident memory after a moment of rest. */
async function memory(pid: number | undefined): Promise<{ rss?: number }> {
  await delay(SETTLE);
  return pid === undefined ? {} : { rss: residentMegabytes(pid) };
}
