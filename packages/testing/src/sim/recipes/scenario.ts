// What a scenario is: something that several clients do with one recipe, and what has to be true of it afterwards.

import type { Client } from '@nodekeeper/client';
import type { Finding } from '../checks.js';
import type { Random } from '../random.js';
import type { Decided } from './decided.js';

/** One client, for one scenario. */
export interface Part {
  readonly name: string;
  readonly client: Client;
  readonly random: Random;
  /** Milliseconds of virtual time. */
  now(): number;
  /** Numbers everything that clients see and do. */
  nextOrder(): number;
  /** Everything is made well: no new turns, come to an end. */
  isOver(): boolean;
  /**
   * Whether a holder learns that it is lost before others can hold: with one server, clocks that agree, and programs that are
   * not held up. Elsewhere only fencing tokens help, as a server that is cut off still answers its clients.
   */
  readonly isTimely: boolean;
  /** Whether all other clients have come to their end of this scenario's turns, or are dead. */
  othersHaveEnded(): boolean;
  /** To be called when this client begins no more turns. */
  ended(): void;
  sleep(ms: number): Promise<void>;
  trace(text: string): void;
}

export interface Scenario {
  /** Does turns until it is over, and leaves nothing behind. What it throws is a violation. */
  play(part: Part): Promise<void>;
  /** What is wrong, once all have ended. */
  check(decided: Decided): Iterable<Finding>;
  /** Whether it may leave watches and listeners too. */
  readonly mayLeaveAnything?: boolean;
  /** Whether a node may stay when all have ended. */
  mayStay(path: string): boolean;
  /**
   * What is not yet as it has to be in the end; undefined if all is.
   * @param isAlive whether the client of this name is
   */
  missing?(decided: Decided, isAlive: (name: string) => boolean): string | undefined;
}

/** Resolves when the condition holds. */
export async function until(part: Part, condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await part.sleep(20);
}
