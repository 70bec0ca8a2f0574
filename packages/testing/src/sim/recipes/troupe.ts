// The programs with recipes of one run, and what has to be true of them together.

import type { Finding } from '../checks.js';
import { clientHost, serverHost } from '../hosts.js';
import type { SimNetwork } from '../network.js';
import { machinesOf, type Plan } from '../plan.js';
import type { Random } from '../random.js';
import type { Scheduler } from '../scheduler.js';
import type { Truth } from '../truth.js';
import { Decided } from './decided.js';
import { Player } from './player.js';
import type { Scenario } from './scenario.js';

export interface TroupeHost {
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly random: Random;
  readonly truth: Truth;
  trace(text: string): void;
  violated(kind: string, message: string): void;
}

/** What every ensemble has. */
const SYSTEM = /^\/(zookeeper(\/.*)?)?$/;

function isTimely(plan: Plan): boolean {
  const { clockRates } = plan.settings;
  const isHeldUp = plan.faults.some(({ kind }) => kind === 'clientPauses');
  return machinesOf(plan) === 1 && clockRates.every((rate) => rate === 1) && !isHeldUp;
}

export class Troupe {
  readonly players: readonly Player[];
  private readonly scenarios: ReadonlyMap<string, Scenario>;
  private readonly truth: Truth;
  private orders = 0;

  constructor(plan: Plan, scenarios: ReadonlyMap<string, Scenario>, host: TroupeHost) {
    this.truth = host.truth;
    this.scenarios = scenarios;
    const servers = Array.from({ length: machinesOf(plan) }, (_, i) => serverHost(i));
    this.players = plan.clients.map((setting, i) => {
      const name = `c${i + 1}`;
      return new Player(name, setting, this.scenarios, {
        scheduler: host.scheduler,
        random: host.random.fork(name),
        servers,
        healAt: plan.healAt,
        isTimely: isTimely(plan),
        attach: (life) => host.network.attach(clientHost(i), life),
        nextOrder: () => ++this.orders,
        othersHaveEnded: (scenario, player) =>
          this.players.every((other) => other === player || !other.alive || other.ended.has(scenario)),
        trace: host.trace,
        violated: host.violated,
      });
    });
  }

  /** What is not as it has to be while the programs still run, once nothing is wrong any more. */
  unequal(): string | undefined {
    const decided = new Decided(this.truth);
    const isAlive = (name: string): boolean => this.players.some((player) => player.name === name && player.alive);
    for (const scenario of this.scenarios.values()) {
      const missing = scenario.missing?.(decided, isAlive);
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  /**
   * What programs that have come to their end have left behind.
   * @param watches that servers have
   */
  leftBehind(watches: number): string | undefined {
    if ([...this.scenarios.values()].some(({ mayLeaveAnything }) => mayLeaveAnything)) return undefined;
    const listening = this.players.filter(({ listeners }) => listeners > 0).map(({ name }) => name);
    if (listening.length > 0) return `listeners are left on the clients of ${listening.join(', ')}`;
    if (watches > 0) return `${watches} watches are left`;
    const scenarios = [...this.scenarios.values()];
    const nodes = [...new Decided(this.truth).model.nodes.keys()].filter(
      (path) => !SYSTEM.test(path) && !scenarios.some((scenario) => scenario.mayStay(path)),
    );
    return nodes.length === 0 ? undefined : `nodes are left: ${nodes.join(', ')}`;
  }

  *check(): Generator<Finding> {
    const decided = new Decided(this.truth);
    for (const scenario of this.scenarios.values()) yield* scenario.check(decided);
  }
}
