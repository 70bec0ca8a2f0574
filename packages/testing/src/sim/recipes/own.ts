// A program of the simulator's user, as a scenario: it says itself what has to be true, by throwing if it is not.

import type { Part, Scenario } from './scenario.js';

/** One simulated machine with one client. Timers, clocks and chance of Node are the machine's while the program runs. */
export type SimulatedClient = Pick<Part, 'name' | 'client' | 'random' | 'now' | 'isOver' | 'sleep' | 'trace'>;

/** What each of the clients does. It has to end once it `isOver()`; what it throws is a violation. */
export type SimulatedProgram = (machine: SimulatedClient) => Promise<void>;

export function ownScenario(program: SimulatedProgram): Scenario {
  return {
    mayLeaveAnything: true,
    async play(part) {
      await program(part);
      part.ended();
    },
    check: () => [],
    mayStay: () => true,
  };
}
