// No pause: with millions of nodes, a steady client at a fixed rate while snapshots are taken, logs roll and garbage is
// collected. Open loop, latency from the time a request was due. Reads and writes go over two sessions, so that a slow
// disk shows in the writes only.

import { readdirSync } from 'node:fs';
import { getData, request, setData } from '../driver/frames.js';
import { Histogram } from '../driver/histogram.js';
import { runOpenLoop } from '../driver/open-loop.js';
import { openMany } from '../driver/raw-connection.js';
import { RequestRing } from '../driver/request-source.js';
import { DATA, fillSpread, spreadPath } from '../fill.js';
import type { RunningServer } from '../servers/running-server.js';
import type { Sample, Scale, Workload } from '../workload.js';
import { describeStall, StallFinder } from './stalls.js';
import { percentiles } from './steady.js';

const FRAMES = 4096;
const SHARES = { reads: 5, writes: 5 } as const;
const WORST = 10;
const WARMUP = 5;

export const noPause: Workload = {
  name: 'no-pause',
  summary: 'worst stall of a steady client with five million nodes while snapshots are taken (long)',
  ownServer: true,
  onDemand: true,
  async run({ scale, fresh, progress }) {
    const { pauseNodes, pauseRate, pauseMinutes, pauseSnapCount } = scale;
    const server = await fresh({ snapCount: pauseSnapCount });
    try {
      progress(`filling with ${pauseNodes.toLocaleString('en')} nodes`);
      await fillSpread(server, '/fill', pauseNodes, true);
      progress(`${pauseRate} operations a second for ${pauseMinutes} minutes`);
      await steadyClient(server, scale, WARMUP);
      const before = new Set(storageFiles(server));
      const samples = await steadyClient(server, scale, pauseMinutes * 60);
      const made = storageFiles(server).filter((name) => !before.has(name));
      return [{ ...samples[0], notes: [describeStorage(made), ...(samples[0].notes ?? [])] }, ...samples.slice(1)];
    } finally {
      await server.stop();
    }
  },
};

function storageFiles({ dataDir }: RunningServer): string[] {
  return dataDir === undefined ? [] : readdirSync(dataDir);
}

/** Says what was written beside the load. Throws if there was no snapshot, as the run then shows nothing. */
function describeStorage(files: readonly string[]): string {
  const snapshots = files.filter((name) => /^snapshot\.[0-9a-f]+/.test(name)).length;
  const logs = files.filter((name) => /^log\.[0-9a-f]+$/.test(name)).length;
  if (snapshots === 0) throw new Error('no snapshot was taken; run longer or lower --pause-snap-count');
  return `${snapshots} snapshots and ${logs} new logs during the run`;
}

async function steadyClient(server: RunningServer, scale: Scale, seconds: number): Promise<Sample[]> {
  const stalls = new StallFinder();
  const connections = await openMany(server, 2);
  const step = Math.max(1, Math.floor(scale.pauseNodes / FRAMES));
  const paths = Array.from({ length: FRAMES }, (_, i) => spreadPath('/fill', (i * step) % scale.pauseNodes));
  const ops = { reads: (path: string) => getData(path), writes: (path: string) => setData(path, DATA) };
  const streams = (['reads', 'writes'] as const).map((name, i) => ({
    name,
    connection: connections[i],
    source: new RequestRing(paths.map((path) => request(ops[name](path)))),
    share: SHARES[name],
    fromDue: new Histogram(),
    fromSent: new Histogram(),
  }));
  await runOpenLoop(streams, scale.pauseRate, seconds, (answer) => stalls.add(answer));
  for (const connection of connections) connection.checkErrors('the steady client');
  await Promise.all(connections.map((connection) => connection.closeSession()));
  const run = `${scale.pauseNodes.toLocaleString('en')} nodes, ${scale.pauseRate}/s`;
  const perStream = streams.map(({ name, fromDue }) => ({
    name: `no pause, ${run}, ${name}`,
    figures: percentiles(fromDue),
  }));
  const worst = Math.max(...streams.map(({ fromDue }) => fromDue.max));
  const figures = { worstStall: worst, driverLate: stalls.driverLate };
  const notes = stalls.worst(WORST).map(describeStall);
  return [{ name: `no pause, ${run}, ${scale.pauseMinutes} min`, figures, notes }, ...perStream];
}
