// What a run knows of its clients, whatever they do.

import type { Step } from './fault-plan.js';

export interface Actor {
  readonly name: string;
  readonly alive: boolean;
  /** Whether nothing is left to wait for: dead, or connected and idle. */
  readonly settled: boolean;
  readonly sessionId: bigint | undefined;
  start(): void;
  /** Asks for what there is, so that it is compared. */
  lookAtEverything(): void;
  /** Drops the connection and goes elsewhere, with its session. */
  move(): void;
  /** Vanishes without a word: its session is to expire. */
  die(): void;
  /** Stands still for so many milliseconds. */
  pause?(ms: number): void;
  /** Loses the connection at a step of the so-many-th write from now on. */
  lose?(step: Step, writes: number): void;
  /** Everything is made well. */
  heal?(): void;
}
