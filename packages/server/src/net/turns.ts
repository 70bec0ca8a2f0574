// Shares the event loop among connections: what a connection cannot do within its share of a turn it goes on with in the next,
// after everyone else had theirs; and what was written during a turn leaves in one write per connection.

import { ReplyBuffer } from '../request/reply-buffer.js';
import type { Runtime } from '../runtime.js';

export interface TurnTaker {
  /** Does one share of the work; true if more is left. */
  takeTurn(): boolean;
  /** Hands the written replies to the kernel. */
  flush(): void;
}

const FIRST_SIZE = 4096;
const LARGEST_KEPT = 256 * 1024;
const POOL_LIMIT = 128;

export class Turns {
  private queue: TurnTaker[] = [];
  private readonly dirty: TurnTaker[] = [];
  private readonly pool: ReplyBuffer[] = [];
  private scheduled = false;
  private readonly beginTurn: () => void;
  private readonly endTurn: () => void;
  private readonly runtime: Runtime;

  /**
   * @param beginTurn called at the start of each turn: reads the clocks
   * @param endTurn called before the replies of a turn leave: sends the gathered transactions on their way
   */
  constructor(beginTurn: () => void, endTurn: () => void, runtime: Runtime) {
    this.runtime = runtime;
    this.beginTurn = beginTurn;
    this.endTurn = endTurn;
  }

  /** Gives the taker a share of each following turn until it says that nothing is left. */
  enqueue(taker: TurnTaker): void {
    this.queue.push(taker);
    this.schedule();
  }

  /** The taker has written something; it is flushed at the end of the turn. */
  markDirty(taker: TurnTaker): void {
    this.dirty.push(taker);
  }

  /** Ends a turn: everything written goes out. */
  flush(): void {
    this.endTurn();
    for (let i = 0; i < this.dirty.length; i++) (this.dirty[i] as TurnTaker).flush();
    this.dirty.length = 0;
  }

  /** An empty buffer to write replies into. */
  takeBuffer(): ReplyBuffer {
    return this.pool.pop() ?? new ReplyBuffer(FIRST_SIZE);
  }

  /** Gives a buffer back whose content the kernel has taken over. */
  giveBack(buffer: ReplyBuffer): void {
    buffer.pos = 0;
    if (buffer.capacity <= LARGEST_KEPT && this.pool.length < POOL_LIMIT) this.pool.push(buffer);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.runtime.soon(this.run);
  }

  private readonly run = (): void => {
    this.scheduled = false;
    this.beginTurn();
    const takers = this.queue;
    this.queue = [];
    for (const taker of takers) {
      if (taker.takeTurn()) this.queue.push(taker);
    }
    this.flush();
    if (this.queue.length > 0) this.schedule();
  };
}
