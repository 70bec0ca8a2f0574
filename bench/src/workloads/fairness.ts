// Fairness: what a quiet client feels alone, beside a pipelining hog, and beside one that lists a node with a million
// children. Latency is taken from the actual sending, as the neighbour's thread may delay the driver itself.

import { getData, PING, request } from '../driver/frames.js';
import { Histogram } from '../driver/histogram.js';
import { runOpenLoop } from '../driver/open-loop.js';
import { openMany } from '../driver/raw-connection.js';
import { RequestRing } from '../driver/request-source.js';
import { createAll, fillFlat } from '../fill.js';
import type { RunningServer } from '../servers/running-server.js';
import type { Sample, Workload } from '../workload.js';
import { type NeighbourKind, startNeighbour } from './neighbour.js';
import { percentiles } from './steady.js';

const RATE = 500;
const NODE = '/quiet';
const CROWD = '/crowd';

export const fairness: Workload = {
  name: 'fairness',
  summary: 'gets and pings of a quiet client alone, beside a pipelining hog, beside a lister of a million children',
  ownServer: true,
  async run({ scale, fresh, progress }) {
    const server = await fresh();
    try {
      const crowd = scale.nodes.toLocaleString('en');
      progress(`creating a node with ${crowd} children`);
      await createAll(server, [NODE]);
      await fillFlat(server, CROWD, scale.nodes);
      await victim(server, scale.warmup, '');
      const seconds = scale.duration;
      progress('quiet client alone');
      const samples = await victim(server, seconds, 'alone');
      progress('quiet client beside a hog');
      samples.push(...(await beside('hog', NODE, server, seconds, 'beside a hog')));
      progress(`quiet client beside a lister of ${crowd} children`);
      samples.push(...(await beside('lister', CROWD, server, seconds, `beside a lister of ${crowd}`)));
      return samples;
    } finally {
      await server.stop();
    }
  },
};

async function beside(kind: NeighbourKind, path: string, server: RunningServer, seconds: number, where: string) {
  const end = await startNeighbour(kind, server, path);
  try {
    return await victim(server, seconds, where);
  } finally {
    await end();
  }
}

/** Sends gets and pings by turns, each kind over a session of its own. */
async function victim(server: RunningServer, seconds: number, where: string): Promise<Sample[]> {
  const connections = await openMany(server, 2);
  const frames = { get: request(getData(NODE)), ping: PING };
  const streams = (['get', 'ping'] as const).map((name, i) => ({
    name,
    connection: connections[i],
    source: new RequestRing([frames[name]]),
    share: 1,
    fromDue: new Histogram(),
    fromSent: new Histogram(),
  }));
  await runOpenLoop(streams, RATE, seconds);
  for (const connection of connections) connection.checkErrors('the quiet client');
  await Promise.all(connections.map((connection) => connection.closeSession()));
  return streams.map(({ name, fromSent }) => ({ name: `quiet ${name}, ${where}`, figures: percentiles(fromSent) }));
}
