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
const POOL_LIMIT = 1024;
/** After so many connections were written to, the clock is looked at. */
const FLUSHED_AT_ONCE = 32;
/** After so many milliseconds of work new input is looked at, before those who wait for more turns go on. */
const BUDGET_MS = 4;
/** After so many bytes in and out, some tens of milliseconds of work at the most, further input waits for a turn: much may come at once. */
const FULL_BYTES = 512 * 1024;

export class Turns {
  private readonly queue: TurnTaker[] = [];
  private readonly dirty: TurnTaker[] = [];
  private gathered: TurnTaker[] = [];
  private readonly pool: ReplyBuffer[] = [];
  private scheduled = false;
  private faulty = false;
  private handled = 0;
  private readonly beginTurn: () => void;
  private readonly endTurn: () => void;
  private readonly onFault: (error: Error) => void;
  private readonly runtime: Runtime;

  /**
   * @param beginTurn called at the start of each turn: reads the clocks
   * @param endTurn called before the replies of a turn leave: sends the gathered transactions on their way
   * @param onFault called with an error that a turn came to: nothing may go on after it
   */
  constructor(beginTurn: () => void, endTurn: () => void, onFault: (error: Error) => void, runtime: Runtime) {
    this.runtime = runtime;
    this.beginTurn = beginTurn;
    this.endTurn = endTurn;
    this.onFault = onFault;
  }

  /** Runs what an event asks for, as a turn; after a fault no more. */
  take(action: () => void): void {
    if (this.faulty) return;
    try {
      this.beginTurn();
      action();
      this.flush();
    } catch (e) {
      this.faulty = true;
      this.onFault(e as Error);
    }
  }

  /** Gives the taker a share of each following turn until it says that nothing is left. */
  enqueue(taker: TurnTaker): void {
    this.queue.push(taker);
    this.schedule();
  }

  /** So many bytes went in and out, or what costs as much. */
  count(bytes: number): void {
    this.handled += bytes;
  }

  /** Whether so much was done since those who wait had their turn that who has something to do now is to wait with them. */
  get full(): boolean {
    return this.handled > FULL_BYTES;
  }

  /** The taker has written something; it is flushed at the end of the turn. */
  markDirty(taker: TurnTaker): void {
    this.dirty.push(taker);
  }

  /** The taker has written something that leaves once everything that arrived together has been read: one write for all of it. */
  gather(taker: TurnTaker): void {
    this.gathered.push(taker);
    if (this.gathered.length === 1) this.runtime.soon(this.sendGathered);
  }

  private readonly sendGathered = (): void => {
    this.take(() => {
      const gathered = this.gathered;
      this.gathered = [];
      for (const taker of gathered) taker.flush();
    });
  };

  /** Ends a turn: what was written goes out; what very many have to be told, in the turns after it. */
  flush(): void {
    this.endTurn();
    const { dirty } = this;
    let until = Number.POSITIVE_INFINITY;
    for (let i = 0; i < dirty.length; i++) {
      if (i > 0 && i % FLUSHED_AT_ONCE === 0) {
        const now = this.runtime.now();
        if (i === FLUSHED_AT_ONCE) until = now + BUDGET_MS;
        if (now >= until) {
          dirty.splice(0, i);
          this.schedule();
          return;
        }
      }
      (dirty[i] as TurnTaker).flush();
    }
    dirty.length = 0;
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
    this.handled = 0;
    this.take(this.shareOut);
    if (this.queue.length > 0 && !this.faulty) this.schedule();
  };

  private readonly shareOut = (): void => {
    const { queue } = this;
    const until = this.runtime.now() + BUDGET_MS;
    // Those who have their share, and those who join, come after everybody else. Whom the time does not reach is first next time.
    const round = queue.length;
    let served = 0;
    while (served < round) {
      const taker = queue[served++] as TurnTaker;
      if (taker.takeTurn()) queue.push(taker);
      if (this.runtime.now() >= until) break;
    }
    queue.splice(0, served);
  };
}
