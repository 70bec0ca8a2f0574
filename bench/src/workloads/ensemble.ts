// An ensemble of three: reads, writes and both, over connections to all of its servers by turns.

import type { RunningEnsemble } from '../servers/ensemble.js';
import type { Bench, Sample, Workload } from '../workload.js';
import { getSource } from './get.js';
import { mixedSource } from './mixed.js';
import { setSource } from './set.js';
import { runSteady, type SourceFactory } from './steady.js';

const CASES: readonly [name: string, windows: readonly number[], source: SourceFactory][] = [
  ['get', [16], getSource],
  ['set', [1, 16], setSource],
  ['mixed', [16], mixedSource],
];

/** Runs get, set and mixed on an ensemble that has just been started. */
export async function measureEnsemble(
  bench: Bench,
  what: string,
  ensemble: RunningEnsemble,
  windows: (of: readonly number[]) => readonly number[] = (of) => of,
): Promise<Sample[]> {
  const { members } = ensemble;
  const samples: Sample[] = [];
  bench.progress(`${what}: warming up`);
  await runSteady(members, 'warm-up', 16, { warmup: 0, duration: bench.scale.serverWarmup }, mixedSource);
  for (const [name, some, source] of CASES) {
    for (const window of windows(some)) {
      bench.progress(`${what}: ${name}, window ${window}`);
      const { figures } = await runSteady(members, name, window, bench.scale, source);
      samples.push({ name: `${what}: ${name}, window ${window}`, figures });
    }
  }
  return samples;
}

export const ensemble: Workload = {
  name: 'ensemble',
  summary: 'get, set and mixed on an ensemble of 3; 16 connections',
  ownServer: true,
  async run(bench) {
    const three = await bench.ensemble(3);
    try {
      return await measureEnsemble(bench, '3 servers', three);
    } finally {
      await three.stop();
    }
  },
};

export const scaling: Workload = {
  name: 'scaling',
  summary: 'the same with 1, 3, 5 and 7 servers, and with 3 and 2 observers, window 16',
  ownServer: true,
  onDemand: true,
  async run(bench) {
    const samples: Sample[] = [];
    for (const [voters, observers] of [
      [1, 0],
      [3, 0],
      [3, 2],
      [5, 0],
      [7, 0],
    ]) {
      const what = `of ${voters}${observers === 0 ? '' : ` and ${observers} observers`}`;
      const some = await bench.ensemble(voters, observers);
      try {
        samples.push(...(await measureEnsemble(bench, what, some, (windows) => windows.slice(-1))));
      } finally {
        await some.stop();
      }
    }
    return samples;
  },
};
