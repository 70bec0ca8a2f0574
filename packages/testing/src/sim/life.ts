// The life of one simulated process, from its start to its end. Whatever it still tries after its end has no effect.

import type { Owner } from './scheduler.js';

/** Thrown to whatever code of a process runs when it ends. */
export class ProcessEnded extends Error {
  constructor() {
    super('the process has ended');
  }
}

/** Where a process runs. */
export interface Place {
  readonly pausedUntil: number;
  onEffect?(): void;
}

export class Life implements Owner {
  alive = true;
  readonly name: string;
  readonly onError: (error: unknown) => void;
  private readonly machine: Place;
  private readonly endings = new Set<() => void>();

  constructor(name: string, machine: Place, onError: (error: unknown) => void) {
    this.name = name;
    this.machine = machine;
    this.onError = (error) => {
      if (!(error instanceof ProcessEnded)) onError(error);
    };
  }

  get pausedUntil(): number {
    return this.machine.pausedUntil;
  }

  /** @throws ProcessEnded */
  check(): void {
    if (!this.alive) throw new ProcessEnded();
  }

  /**
   * To be called before something that others can see, on the disk or in the network: a process can end at any of these points.
   * @throws ProcessEnded
   */
  effect(): void {
    this.check();
    this.machine.onEffect?.();
    this.check();
  }

  /** Has something happen when the process ends; the function returned takes that back. */
  atEnd(action: () => void): () => void {
    this.endings.add(action);
    return () => this.endings.delete(action);
  }

  end(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const ending of this.endings) ending();
    this.endings.clear();
  }
}
