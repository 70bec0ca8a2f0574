// An election in which the leader leads until it goes. Source: LeaderLatch of Apache Curator.

import type { Client } from '@nodekeeper/client';
import { protectedName } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { watchOwnNode } from '../base/own-node.js';
import { recipePath } from '../base/paths.js';
import { deleteSoon } from '../base/persist.js';
import { type Seat, Tenure, type TenureOptions } from '../base/tenure.js';
import { AnyOf, aborted, Limit, unlessAborted, type WaitOptions } from '../base/wait.js';
import { contend } from '../locks/contend.js';
import { givenUp, type Leadership, leadershipOf } from './leadership.js';
import { getParticipants, LATCH_MARK, latchOrder, type Participant } from './participants.js';

const RECIPE = 'LeaderLatch';

export interface LeaderLatchOptions extends TenureOptions {
  /** How this participant is called; none by default. */
  readonly id?: string | undefined;
}

export interface LeaderLatchEvents {
  isLeader: [leadership: Leadership];
  /** It was the leader, and is not any more. */
  notLeader: [];
}

/**
 * Takes part in an election from `start` to `close`. Who came first leads; when it goes or its session ends, the next in
 * line does, woken by one watch. A participant whose leadership is lost joins again at the end.
 */
export class LeaderLatch extends RecipeEmitter<LeaderLatchEvents> implements AsyncDisposable {
  readonly path: string;
  readonly id: string;
  private readonly client: Client;
  private readonly options: LeaderLatchOptions;
  private readonly life: Lifecycle;
  private readonly who: { readonly recipe: string; readonly path: string };
  private tenure: Tenure | undefined;
  private running: Promise<void> | undefined;
  /** Aborted with what ended the election here: the client is closed, or the server has refused something. */
  private readonly ended = new AbortController();

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, options: LeaderLatchOptions = {}) {
    super();
    this.path = recipePath(RECIPE, path);
    this.id = options.id ?? '';
    this.client = client.untimed;
    this.options = options;
    this.life = new Lifecycle(RECIPE, path);
    this.who = { recipe: RECIPE, path };
  }

  /** Joins the election, and rejoins whenever that is needed. @throws RecipeError AlreadyStarted, Closed */
  start(): this {
    this.life.start();
    this.running = this.run().catch((error) => {
      if (!this.life.isClosed) this.fail(error);
      this.ended.abort(error);
    });
    return this;
  }

  get hasLeadership(): boolean {
    return this.tenure !== undefined && !this.tenure.isLost;
  }

  /** Of this participant; undefined while another leads. */
  get leadership(): Leadership | undefined {
    const { tenure } = this;
    return tenure === undefined || tenure.isLost ? undefined : leadershipOf(tenure);
  }

  /**
   * Resolves when this participant leads. Rejects with Timeout, the signal's reason, NotStarted or Closed; or with what has
   * ended its part in the election.
   */
  async awaitLeadership(options: WaitOptions = {}): Promise<Leadership> {
    this.life.check();
    const { leadership } = this;
    if (leadership !== undefined) return leadership;
    using limit = new Limit(options, this.who);
    using over = new AnyOf(this.life.signal, this.ended.signal, limit.signal);
    let listener: (leadership: Leadership) => void = () => {};
    const elected = new Promise<Leadership>((resolve) => {
      listener = resolve;
    });
    this.on('isLeader', listener as never);
    try {
      return await unlessAborted(elected, over.signal);
    } finally {
      this.removeListener('isLeader', listener as never);
    }
  }

  /** All participants, the leader first. */
  getParticipants(wait: WaitOptions = {}): Promise<Participant[]> {
    return getParticipants(this.client, this.who, latchOrder, wait);
  }

  async getLeader(wait: WaitOptions = {}): Promise<Participant | undefined> {
    return (await this.getParticipants(wait))[0];
  }

  /** Gives the leadership to the next in line, and joins again behind all. Nothing happens if another leads. */
  async handOver(): Promise<void> {
    this.life.check();
    await this.resign();
  }

  /** Leaves the election. The leader's node is gone when it resolves, unless there is no connection. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    await this.resign();
    await this.running;
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async run(): Promise<void> {
    const contest = {
      path: this.path,
      newName: () => protectedName(LATCH_MARK),
      data: this.id,
      ahead: (children: readonly string[], own: string) => {
        const line = latchOrder(children);
        return line.slice(0, line.indexOf(own));
      },
    };
    while (!this.life.isClosed) {
      const seat = await contend(this.client, contest, true, this.life.signal);
      if (seat !== undefined) await this.lead(seat);
    }
  }

  /** Resolves when the leadership is over. */
  private async lead(seat: Seat): Promise<void> {
    const tenure = new Tenure(this.client, seat, this.who, this.options);
    if (this.life.isClosed || tenure.isLost) {
      tenure.end();
      await deleteSoon(this.client, seat.path);
      return;
    }
    const over = aborted(tenure.over);
    this.tenure = tenure;
    watchOwnNode(this.client, tenure);
    this.tell('isLeader', leadershipOf(tenure));
    await over;
    this.tenure = undefined;
    this.tell('notLeader');
    // Should the session live on; who resigns has seen to it already.
    if (tenure.isLost) await deleteSoon(this.client, seat.path);
  }

  private async resign(): Promise<void> {
    const { tenure } = this;
    if (tenure === undefined) return;
    tenure.end(givenUp(RECIPE, this.path));
    await deleteSoon(this.client, tenure.seat.path);
  }
}
