// Servers and ensembles for tests, in the test's own process.

import { TestEnsemble, type TestEnsembleOptions, type TestServerOptions } from './embedded/ensemble.js';
import { TestServer } from './embedded/server.js';
import type { PlanOptions, Result, SimulatedProgram } from './sim/index.js';

export type { AdvanceOptions } from './embedded/advance.js';
export type { Chaos } from './embedded/chaos.js';
export { CHAOS_KINDS, type ChaosFault, type ChaosKind, type ChaosOptions } from './embedded/chaos-plan.js';
export type { ReplyHeader } from './embedded/reply-frames.js';
export type { Settings } from './embedded/settings.js';
export type { DroppedReply, ReplyChoice } from './embedded/switchboard.js';
export type {
  Fault,
  Plan,
  PlanOptions,
  Result,
  SimulatedClient,
  SimulatedProgram,
  Violation,
} from './sim/index.js';
export { TestEnsemble, type TestEnsembleOptions, TestServer, type TestServerOptions };

/** A server on a port of its own, ready for clients. */
export const startServer = (options?: TestServerOptions): Promise<TestServer> => TestServer.start(options);

/** An ensemble of so many servers, ready for clients. */
export const startEnsemble = (servers: number, options?: TestEnsembleOptions): Promise<TestEnsemble> =>
  TestEnsemble.start(servers, options);

export interface SimulateOptions extends PlanOptions {
  readonly seed: string | number;
  /** What the clients do, instead of what the seed has them do. */
  readonly program?: SimulatedProgram | undefined;
}

/** Simulations take the process's clocks while they last. */
let lastSimulation: Promise<unknown> = Promise.resolve();

/**
 * Runs an ensemble in simulated time, with simulated clients, disks and network, and with faults from the seed: the same seed, the same
 * run, byte for byte. Resolves with what happened and which guarantees the checkers, or the program, found broken.
 */
export function simulate(options: SimulateOptions): Promise<Result> {
  const result = lastSimulation.then(() => runSimulation(options));
  lastSimulation = result.catch(() => {}); // whoever asked is told
  return result;
}

async function runSimulation({ seed, program, ...options }: SimulateOptions): Promise<Result> {
  const sim = await import('./sim/index.js');
  if (program === undefined) return sim.simulate(sim.makePlan(seed, options));
  return sim.simulate(sim.makePlan(seed, { ...options, recipes: 'own' }), sim.ownScenario(program));
}
