// Holding something by an ephemeral node, and learning in time that it may be held no longer.

import { performance } from 'node:perf_hooks';
import { clearTimeout } from 'node:timers';
import { after, type Client, type Timer } from '@nodekeeper/client';
import { RecipeError } from './errors.js';
import { onStateChange } from './session-hub.js';

/** An ephemeral node of this session. */
export interface Seat {
  readonly path: string;
  /** The fencing token: zxid of the node's creation, or of the one whose place it takes. Later holders have greater ones. */
  readonly token: number;
  readonly session: bigint;
}

/**
 * What a lost connection means for a holder. `grace`: so many milliseconds without a connection, and the session may be
 * over; 0 gives up at once, Infinity waits for the server's word. If not given, a third of the session time-out, as a client
 * notices a dead connection after two thirds; less if the session may be over before by the server's reckoning.
 */
export interface TenureOptions {
  readonly grace?: number | undefined;
}

/** Making an error for every release would cost more than the rest of it. */
const OVER = 'the tenure is over';

/** From the moment something is held until it is given back or lost. */
export class Tenure {
  readonly seat: Seat;
  private readonly controller = new AbortController();
  private readonly ending = new AbortController();
  private readonly client: Client;
  private readonly who: { readonly recipe: string; readonly path: string };
  private readonly grace: number | undefined;
  private readonly forget: () => void;
  private timer: Timer;
  private safety: Timer;

  constructor(client: Client, seat: Seat, who: { recipe: string; path: string }, { grace }: TenureOptions = {}) {
    this.client = client;
    this.seat = seat;
    this.who = who;
    this.grace = grace;
    this.forget = onStateChange(client, () => this.check());
    this.check(); // what happened since the node was seen
    if (this.isStrict) this.loseInTime();
  }

  /** Aborted with a `Lost` error when it may be held no longer. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get isLost(): boolean {
    if (this.isStrict && performance.now() >= this.client.sessionSafeUntil)
      this.lose('the process was held up, or the connection is away, for as long as the session may last');
    return this.controller.signal.aborted;
  }

  /** Aborted when it is lost, with the same error, or given back. */
  get over(): AbortSignal {
    return this.ending.signal;
  }

  /** It is given back: ends the watch over it; `signal` stays as it is. The reason is for `over`. */
  end(reason: unknown = OVER): void {
    if (this.ending.signal.aborted) return;
    clearTimeout(this.timer);
    clearTimeout(this.safety);
    this.timer = undefined;
    this.forget();
    this.ending.abort(reason);
  }

  lose(reason: string): void {
    if (this.ending.signal.aborted) return;
    const error = new RecipeError('Lost', this.who.recipe, this.who.path, reason);
    this.end(error);
    this.controller.abort(error);
  }

  /** The same seat for as long as it would be held from now on: for who gives it back, and waits no longer than that. */
  renewed(): Tenure {
    return new Tenure(this.client, this.seat, this.who, { grace: this.grace });
  }

  private get isStrict(): boolean {
    return this.grace === undefined || this.grace <= 0;
  }

  /**
   * The client finds out that a connection is dead some time after the last answer came. If that was long on its way, the session may
   * be over before.
   */
  private loseInTime(): void {
    if (this.ending.signal.aborted || this.isLost) return;
    const left = this.client.sessionSafeUntil - performance.now();
    this.safety = after(Math.max(1, left), () => this.loseInTime());
  }

  private check(): void {
    const { state, sessionId } = this.client;
    if (state === 'expired') this.lose('the session has expired');
    else if (this.client.isOver) this.lose(`the client is ${state}`);
    else if (sessionId !== this.seat.session) this.lose('the session is another one');
    else if (state === 'suspended') this.startGrace();
    else {
      clearTimeout(this.timer);
      this.timer = undefined;
    }
  }

  private startGrace(): void {
    const { sessionTimeout, sessionSafeUntil } = this.client;
    const grace = this.grace ?? Math.min(sessionTimeout / 3, sessionSafeUntil - performance.now());
    if (grace <= 0) this.lose('the connection is lost');
    else this.timer ??= after(grace, () => this.lose(`no connection for ${Math.round(grace)} ms`));
  }
}
