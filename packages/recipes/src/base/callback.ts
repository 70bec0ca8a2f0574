// Calls that a callback of the user's makes, told from those of others: it cannot wait for its own end.

import { AsyncLocalStorage } from 'node:async_hooks';

export class Callback {
  private readonly scope = new AsyncLocalStorage<{ isOver: boolean }>();

  async run<T>(action: () => T | Promise<T>): Promise<T> {
    const call = { isOver: false };
    try {
      return await this.scope.run(call, action);
    } finally {
      call.isOver = true; // work that was begun inside and goes on is no longer part of it
    }
  }

  /** Whether this is called by the callback, or by what it waits for. */
  get isInside(): boolean {
    return this.scope.getStore()?.isOver === false;
  }
}
