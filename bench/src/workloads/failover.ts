// How long an ensemble of three takes no writes when one of its servers is killed: clients of the other two write without a
// pause, each one write at a time, and connect again at once when they lose their server.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { within } from '../driver/deadline.js';
import { request, setData } from '../driver/frames.js';
import { Histogram } from '../driver/histogram.js';
import { RawConnection } from '../driver/raw-connection.js';
import { DATA } from '../fill.js';
import type { Member, RunningEnsemble } from '../servers/ensemble.js';
import type { Sample, Workload } from '../workload.js';

const SETTLE = 1500;
const CALM = 500;
const RETRY = 2;
const LIMIT = 60_000;
const WRITE = request(setData('/', DATA));

/** Writes to one server over and over, with a new session whenever the connection is lost. */
class Writer {
  /** Called with the time of every acknowledged write. */
  onWritten: (at: number) => void = () => {};
  private readonly server: Member;
  private stopped = false;
  private readonly ended: Promise<void>;

  constructor(server: Member) {
    this.server = server;
    this.ended = this.run();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        const connection = await RawConnection.open(this.server);
        await this.write(connection);
      } catch {
        await delay(RETRY);
      }
    }
  }

  private write(connection: RawConnection): Promise<void> {
    return new Promise((resolve, reject) => {
      connection.onBroken = reject;
      connection.onReplies = (replies) => {
        if (replies === 0) return;
        if (connection.scanner.errors > 0) {
          connection.close();
          reject(new Error('a write was refused'));
        } else if (this.stopped) {
          connection.closeSession().then(resolve, resolve);
        } else {
          this.onWritten(performance.now());
          connection.write(WRITE);
        }
      };
      connection.write(WRITE);
    });
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.ended;
  }
}

/** Kills a server under the load of clients of the others; the longest time in which no write was acknowledged. */
async function killAndWait(ensemble: RunningEnsemble, victim: Member): Promise<number> {
  const writers = ensemble.members.filter((member) => member !== victim).map((member) => new Writer(member));
  let last = performance.now();
  let longest = 0;
  let wake: () => void = () => {};
  for (const writer of writers) {
    writer.onWritten = (at) => {
      longest = Math.max(longest, at - last);
      last = at;
      wake();
    };
  }
  const written = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  await within(LIMIT, 'the first write', written());
  await delay(CALM);
  longest = 0;
  await victim.kill();
  await within(LIMIT, 'the next write', written());
  await delay(CALM);
  const result = Math.max(longest, performance.now() - last);
  await Promise.all(writers.map((writer) => writer.stop()));
  return result;
}

export const failover: Workload = {
  name: 'failover',
  summary: 'the pause in writes when the leader, or a follower, of 3 is killed',
  ownServer: true,
  async run(bench) {
    const ensemble = await bench.ensemble(3);
    const samples: Sample[] = [];
    try {
      for (const role of ['leader', 'follower'] as const) {
        const pauses = new Histogram();
        const notes: string[] = [];
        for (let i = 0; i < bench.scale.kills; i++) {
          bench.progress(`failover: ${role} killed, ${i + 1} of ${bench.scale.kills}`);
          await delay(SETTLE);
          const leader = await ensemble.leader();
          const others = ensemble.members.filter((member) => member !== leader);
          const victim = role === 'leader' ? leader : others[i % others.length];
          const pause = await killAndWait(ensemble, victim);
          pauses.record(pause);
          notes.push(pause.toFixed(0));
          victim.start();
          await victim.serving();
        }
        const figures = { p50: pauses.percentile(0.5), max: pauses.max };
        samples.push({ name: `${role} of 3 killed`, figures, notes: [`pauses in ms: ${notes.join(', ')}`] });
      }
      return samples;
    } finally {
      await ensemble.stop();
    }
  },
};
