// Virtual time: a queue of events, handled one after the other. Between two events everything that waits on a promise runs to
// its end, so that an event is handled whole whatever the code under test awaits.

/** Something that can die, and be suspended: its events then never happen, or later. */
export interface Owner {
  alive: boolean;
  /** Milliseconds of virtual time until which its events wait. */
  pausedUntil: number;
  /** An exception that nothing caught. */
  onError(error: unknown): void;
}

export interface Event {
  cancel(): void;
}

interface Entry extends Event {
  time: number;
  order: number;
  action: (() => void) | null;
  readonly owner: Owner;
}

/** How many events may be handled in one turn of the real event loop. */
const CHAINS = 64;

/** Owns what belongs to nobody: the faults, the end. An error of it ends the run. */
export const world: Owner = {
  alive: true,
  pausedUntil: 0,
  onError(error) {
    throw error;
  },
};

export class Scheduler {
  /** Milliseconds since the beginning. */
  now = 0;
  handled = 0;
  private order = 0;
  private readonly heap: Entry[] = [];

  /** Has something happen at a time, not before now. */
  at(time: number, owner: Owner, action: () => void): Event {
    const entry: Entry = {
      time: Math.max(time, this.now),
      order: this.order++,
      owner,
      action,
      cancel() {
        entry.action = null;
      },
    };
    this.push(entry);
    return entry;
  }

  after(ms: number, owner: Owner, action: () => void): Event {
    return this.at(this.now + ms, owner, action);
  }

  /** Handles events until a time, or until `done` says so after one of them. */
  run(until: number, done: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      // Node runs what waits on promises between two immediates; many at once save turns of the real event loop.
      const step = (): void => {
        if (over) return;
        try {
          if (done() || !this.step(until)) {
            over = true;
            resolve();
            return;
          }
        } catch (e) {
          over = true;
          reject(e);
          return;
        }
        setImmediate(step);
      };
      for (let i = 0; i < CHAINS; i++) setImmediate(step);
    });
  }

  /** Handles the next event; false if there is none before the time. */
  private step(until: number): boolean {
    for (;;) {
      const entry = this.heap[0];
      if (entry === undefined || entry.time > until) {
        this.now = until;
        return false;
      }
      this.pop();
      const { action, owner } = entry;
      if (action === null || !owner.alive) continue;
      if (owner.pausedUntil > entry.time) {
        entry.time = owner.pausedUntil; // keeps its order
        this.push(entry);
        continue;
      }
      this.now = entry.time;
      this.handled++;
      entry.action = null;
      try {
        action();
      } catch (e) {
        owner.onError(e);
      }
      return true;
    }
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry;
      if (before(above, entry)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      const below = heap[child] as Entry;
      if (before(last, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
