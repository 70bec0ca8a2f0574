// Where an observer finds what it observes: at the voters one after the other, if they serve observers, else at the leader.
// Source: QuorumPeer.nextObserverMaster of Apache ZooKeeper, which never goes back to the leader.

import type { Runtime } from './runtime.js';

/** So many ticks the voters are tried for, round after round: they open their ports once they follow. */
const TICKS = 2;

/** A server to dial, `undefined` for the leader, and how long to wait before, in milliseconds. */
export interface NextMaster {
  readonly voter: number | undefined;
  readonly delay: number;
}

export class LearnerMasters {
  private readonly runtime: Pick<Runtime, 'random' | 'now'>;
  private readonly tickTime: number;
  private readonly reconnectDelay: number;
  private readonly redialDelay: number;
  private order: number[] = [];
  private next = 0;
  private tried = 0;
  private beganAt = 0;

  /**
   * @param reconnectDelay up to so long is waited when no voter could be followed, and before the leader is dialled; milliseconds
   * @param redialDelay between two rounds
   */
  constructor(
    runtime: Pick<Runtime, 'random' | 'now'>,
    tickTime: number,
    { reconnectDelay, redialDelay }: { readonly reconnectDelay: number; readonly redialDelay: number },
  ) {
    this.runtime = runtime;
    this.tickTime = tickTime;
    this.reconnectDelay = reconnectDelay;
    this.redialDelay = redialDelay;
  }

  /** Begins a search, with the voter after the one that was tried last. The leader itself does not serve at that port. */
  begin(voters: readonly number[], leader: number): void {
    const others = voters.filter((id) => id !== leader);
    if (others.length !== this.order.length || others.some((id) => !this.order.includes(id))) {
      this.order = this.shuffled(others);
      this.next = 0;
    }
    this.tried = 0;
    this.beganAt = this.runtime.now();
  }

  take(): NextMaster {
    const { order } = this;
    const late = this.tried >= order.length && this.runtime.now() - this.beganAt >= TICKS * this.tickTime;
    if (order.length === 0 || late) {
      const delay = this.reconnectDelay === 0 ? 0 : this.reconnectDelay * this.runtime.random();
      return { voter: undefined, delay };
    }
    const newRound = this.tried > 0 && this.tried % order.length === 0;
    const voter = order[this.next++ % order.length];
    this.tried++;
    return { voter, delay: newRound ? this.redialDelay : 0 };
  }

  private shuffled(ids: readonly number[]): number[] {
    const out = [...ids];
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(this.runtime.random() * (i + 1));
      const a = out[i] as number;
      out[i] = out[j] as number;
      out[j] = a;
    }
    return out;
  }
}
