// Runs the workloads in rounds, the servers by turns within each round.

import type { Options } from './options.js';
import { Results } from './report/results.js';
import { connected } from './servers/connected.js';
import { RunningEnsemble } from './servers/ensemble.js';
import type { RunningServer, ServerKind } from './servers/running-server.js';
import { launch } from './servers/servers.js';
import type { Bench, Workload } from './workload.js';
import { mixedSource } from './workloads/mixed.js';
import { runSteady } from './workloads/steady.js';

/**
 * Runs all chosen workloads. Those that can share a server do, so that each round starts each server once for them.
 * A workload that fails is noted, and the others go on.
 */
export async function runAll(options: Options, workloads: readonly Workload[]): Promise<Results> {
  const results = new Results();
  const chosen = workloads.filter(({ name }) => options.only.includes(name));
  const shared = chosen.filter(({ ownServer }) => !ownServer);
  const groups = [shared, ...chosen.filter(({ ownServer }) => ownServer).map((workload) => [workload])];
  for (let round = 1; round <= options.rounds; round++) {
    for (const group of groups) {
      for (const kind of options.kinds) await runGroup(kind, group, round, options, results);
    }
  }
  return results;
}

async function runGroup(
  kind: ServerKind,
  group: readonly Workload[],
  round: number,
  options: Options,
  results: Results,
): Promise<void> {
  const turn = new Turn(kind, round, options);
  for (const workload of group) {
    try {
      if (kind === 'connected' && workload.ownServer) throw new Error('it must start its server itself');
      for (const sample of await workload.run(turn)) {
        results.add(kind, sample);
        turn.progress(`  ${JSON.stringify(sample)}`);
      }
    } catch (error) {
      const failure = `${workload.name} on ${kind}, round ${round}: ${error instanceof Error ? error.message : error}`;
      results.failures.push(failure);
      turn.progress(`failed: ${failure}`);
    }
  }
  await turn.end();
}

/** One server's turn in a round. */
class Turn implements Bench {
  readonly scale: Options['scale'];
  private readonly kind: ServerKind;
  private readonly round: number;
  private readonly options: Options;
  private shared: RunningServer | undefined;

  constructor(kind: ServerKind, round: number, options: Options) {
    this.kind = kind;
    this.round = round;
    this.options = options;
    this.scale = options.scale;
  }

  readonly server = async (): Promise<RunningServer> => {
    this.shared ??= await this.warm(await this.begin());
    return this.shared;
  };

  readonly fresh = (config: Readonly<Record<string, string | number>> = {}): Promise<RunningServer> =>
    launch(this.kind, { ...this.options, config });

  readonly ensemble = (voters: number, observers = 0): Promise<RunningEnsemble> =>
    RunningEnsemble.start(this.kind, { ...this.options, voters, observers });

  readonly progress = (message: string): void => {
    process.stderr.write(`[${this.round}/${this.options.rounds} ${this.kind}] ${message}\n`);
  };

  async end(): Promise<void> {
    await this.shared?.stop();
  }

  private async begin(): Promise<RunningServer> {
    const { connect, pid } = this.options;
    if (connect === undefined) return this.fresh();
    const colon = connect.lastIndexOf(':');
    return connected(connect.slice(0, colon), Number(connect.slice(colon + 1)), pid);
  }

  private async warm(server: RunningServer): Promise<RunningServer> {
    this.progress('warming up');
    const load = { warmup: 0, duration: this.scale.serverWarmup };
    await runSteady(server, 'warm-up', 16, load, mixedSource);
    return server;
  }
}
