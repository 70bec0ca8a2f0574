// An election in which leading is a function that runs. Source: LeaderSelector of Apache Curator; Election of kazoo.

import type { Client } from '@nodekeeper/client';
import { Callback } from '../base/callback.js';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { watchOwnNode } from '../base/own-node.js';
import { recipePath } from '../base/paths.js';
import { deleteSoon } from '../base/persist.js';
import { type Seat, Tenure, type TenureOptions } from '../base/tenure.js';
import type { WaitOptions } from '../base/wait.js';
import { contend } from '../locks/contend.js';
import { type LockLayout, namesBefore, newLockName } from '../locks/names.js';
import { givenUp, type Leadership, leadershipOf } from './leadership.js';
import { getParticipants, type Participant, selectorOrder } from './participants.js';

const RECIPE = 'LeaderSelector';

export interface LeaderSelectorOptions extends TenureOptions {
  /** How this participant is called; none by default. */
  readonly id?: string | undefined;
  /** Stand in line again each time the leadership is over. False by default. */
  readonly autoRequeue?: boolean | undefined;
  /** With `kazoo`, it is kazoo's Election. `curator` if not given. */
  readonly layout?: LockLayout | undefined;
}

/** Leads as long as it runs. `leadership.signal` is aborted when it has to stop. */
export type TakeLeadership = (leadership: Leadership) => void | Promise<void>;

/**
 * Runs a function when it is this participant's turn, and gives the leadership on when the function returns or throws. What
 * it throws is told by the event `error`. In one participant it runs once at a time: a leadership that was lost is waited
 * for before the next one.
 */
export class LeaderSelector extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
  readonly path: string;
  readonly id: string;
  private readonly client: Client;
  private readonly options: LeaderSelectorOptions;
  private readonly takeLeadership: TakeLeadership;
  private readonly life: Lifecycle;
  private readonly who: { readonly recipe: string; readonly path: string };
  private readonly callback = new Callback();
  private tenure: Tenure | undefined;
  /** From standing in line until the function has returned. */
  private isInLine = false;
  private queued: Promise<void> = Promise.resolve();

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, takeLeadership: TakeLeadership, options: LeaderSelectorOptions = {}) {
    super();
    this.path = recipePath(RECIPE, path);
    this.id = options.id ?? '';
    this.client = client.untimed;
    this.options = options;
    this.takeLeadership = takeLeadership;
    this.life = new Lifecycle(RECIPE, path);
    this.who = { recipe: RECIPE, path };
  }

  /** Stands in line for the leadership. @throws RecipeError AlreadyStarted, Closed */
  start(): this {
    this.life.start();
    this.requeue();
    return this;
  }

  /** Stands in line again, unless it does already. Returns whether it did not. @throws RecipeError NotStarted, Closed */
  requeue(): boolean {
    this.life.check();
    if (this.isInLine) return false;
    this.isInLine = true;
    this.queued = this.queued.then(() => this.queue()); // behind what is left of the last leadership
    return true;
  }

  get hasLeadership(): boolean {
    return this.tenure !== undefined && !this.tenure.isLost;
  }

  /** Tells the function to stop, if it runs. */
  interruptLeadership(): void {
    this.tenure?.end(givenUp(RECIPE, this.path));
  }

  /** All participants, the leader first. */
  getParticipants(wait: WaitOptions = {}): Promise<Participant[]> {
    return getParticipants(this.client, this.who, selectorOrder, wait);
  }

  async getLeader(wait: WaitOptions = {}): Promise<Participant | undefined> {
    return (await this.getParticipants(wait))[0];
  }

  /** Leaves the election; a function that runs is told to stop, and waited for unless this is called by itself. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    this.interruptLeadership();
    if (!this.callback.isInside) await this.queued;
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async queue(): Promise<void> {
    const { layout = 'curator', autoRequeue = false } = this.options;
    const contest = {
      path: this.path,
      newName: () => newLockName(layout, 'lock'),
      data: this.id,
      ahead: namesBefore,
    };
    try {
      let hasLed = false;
      while (!this.life.isClosed && (autoRequeue || !hasLed)) {
        const seat = await contend(this.client, contest, true, this.life.signal);
        if (seat !== undefined) hasLed = await this.lead(seat);
      }
    } catch (error) {
      this.isInLine = false;
      if (!this.life.isClosed) this.fail(error);
    }
  }

  /** Returns whether the function was called. */
  private async lead(seat: Seat): Promise<boolean> {
    const tenure = new Tenure(this.client, seat, this.who, this.options);
    // A leadership that is lost is not in others' way while the function comes to its end.
    const letGo = (): Promise<void> => deleteSoon(this.client, seat.path);
    tenure.signal.addEventListener('abort', () => void letGo(), { once: true });
    if (this.life.isClosed || tenure.isLost) {
      tenure.end();
      await letGo();
      return false;
    }
    try {
      this.tenure = tenure;
      watchOwnNode(this.client, tenure);
      await this.callback.run(() => this.takeLeadership(leadershipOf(tenure)));
    } catch (error) {
      if (!tenure.over.aborted || error !== tenure.over.reason) this.fail(error); // else it has stopped as it was told
    } finally {
      this.tenure = undefined;
      this.isInLine = this.options.autoRequeue ?? false;
      tenure.end();
      await letGo();
    }
    return true;
  }
}
