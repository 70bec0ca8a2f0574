// The scenarios of recipes that a run can have.

import type { Scenario } from './scenario.js';
import { cacheScenario } from './scenarios/cache.js';
import { configurationScenario } from './scenarios/configuration.js';
import { counterScenario } from './scenarios/counter.js';
import { doubleBarrierScenario } from './scenarios/double-barrier.js';
import { latchScenario, selectorScenario } from './scenarios/election.js';
import { mutexScenario } from './scenarios/mutex.js';
import { queueScenario } from './scenarios/queue.js';
import { readWriteLockScenario } from './scenarios/read-write-lock.js';
import { semaphoreScenario } from './scenarios/semaphore.js';
import { sharedCountScenario } from './scenarios/shared-count.js';
import { topicScenario } from './scenarios/topic.js';

export const SCENARIOS = {
  mutex: mutexScenario,
  readWriteLock: readWriteLockScenario,
  semaphore: semaphoreScenario,
  latch: latchScenario,
  selector: selectorScenario,
  counter: counterScenario,
  queue: () => queueScenario(false),
  lockedQueue: () => queueScenario(true),
  cache: cacheScenario,
  sharedCount: sharedCountScenario,
  configuration: configurationScenario,
  doubleBarrier: doubleBarrierScenario,
  topic: topicScenario,
} satisfies Record<string, () => Scenario>;

export type RecipeName = keyof typeof SCENARIOS;

export function scenariosOf(names: readonly RecipeName[]): Map<string, Scenario> {
  return new Map(names.map((name) => [name, SCENARIOS[name]()]));
}

/** What the command line says: names, `all`, or `none`. @throws Error for names that are none */
export function recipesFrom(text: string): RecipeName[] | 'none' {
  if (text === 'none') return 'none';
  const all = Object.keys(SCENARIOS) as RecipeName[];
  if (text === 'all') return all;
  return text.split(',').map((name) => {
    const known = all.find((one) => one === name);
    if (known === undefined) throw new Error(`no recipe is called '${name}'; there are ${all.join(', ')}`);
    return known;
  });
}
