// The shape shared by get, set, create, multi and mixed: 16 connections, a window of 1 and of 16, a fixed time each.

import { runForTime } from '../driver/closed-loop.js';
import { Histogram } from '../driver/histogram.js';
import { startMeter } from '../driver/meter.js';
import type { RequestSource } from '../driver/request-source.js';
import { createAll, flatPath, syncWith } from '../fill.js';
import type { RunningServer } from '../servers/running-server.js';
import type { Sample, Workload } from '../workload.js';

const CONNECTIONS = 16;
const WINDOWS = [1, 16];

/** Frames per connection, each for a node of its own; more than any window. */
export const RING_SIZE = 64;

/** Makes one connection's frames. `root` is a node that exists and has RING_SIZE children, see {@link nodesOf}. */
export type SourceFactory = (root: string) => RequestSource;

/** The nodes a connection may use: children of `root`, with 100 bytes each. */
export function nodesOf(root: string): string[] {
  return Array.from({ length: RING_SIZE }, (_, i) => flatPath(root, i));
}

export function steadyWorkload(name: string, summary: string, source: SourceFactory): Workload {
  return {
    name,
    summary: `${summary}; ${CONNECTIONS} connections, windows ${WINDOWS.join(' and ')}`,
    ownServer: false,
    async run(bench) {
      const server = await bench.server();
      const samples: Sample[] = [];
      for (const window of WINDOWS) {
        bench.progress(`${name}, window ${window}`);
        samples.push(await runSteady(server, name, window, bench.scale, source));
      }
      return samples;
    },
  };
}

let runs = 0;

/** Runs one case below a root of its own, so that it may be repeated on the same server, or servers of one ensemble. */
export async function runSteady(
  server: RunningServer | readonly RunningServer[],
  name: string,
  window: number,
  { warmup, duration }: { warmup: number; duration: number },
  source: SourceFactory,
): Promise<Sample> {
  const base = `/${name}-${process.pid}-${runs++}`;
  const roots = Array.from({ length: CONNECTIONS }, (_, i) => `${base}/c${i}`);
  const [first, ...others] = [server].flat();
  await createAll(first, [base, ...roots]);
  await createAll(first, roots.flatMap(nodesOf));
  for (const other of others) await syncWith(other);
  const latencies = new Histogram();
  const load = { what: name, window, warmup, duration };
  const cost = await runForTime(server, roots.map(source), load, latencies, () => startMeter(server));
  return { name: `${name}, window ${window}`, figures: { ...cost, ...percentiles(latencies) } };
}

/** The usual percentiles, in milliseconds. */
export function percentiles(latencies: Histogram): { p50: number; p99: number; p999: number; max: number } {
  return {
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
    max: latencies.max,
  };
}
