import type { Client } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { type TenureOptions } from '../base/tenure.js';
import { type LockLayout } from '../locks/names.js';
import { type Leadership } from './leadership.js';
import { type Participant } from './participants.js';
export interface LeaderSelectorOptions extends TenureOptions {
    /** How this participant is called; none by default. */
    readonly id?: string;
    /** Stand in line again each time the leadership is over. False by default. */
    readonly autoRequeue?: boolean;
    /** With `kazoo`, it is kazoo's Election. `curator` if not given. */
    readonly layout?: LockLayout;
}
/** Leads as long as it runs. `leadership.signal` is aborted when it has to stop. */
export type TakeLeadership = (leadership: Leadership) => void | Promise<void>;
/**
 * Runs a function when it is this participant's turn, and gives the leadership on when the function returns or throws. What
 * it throws is told by the event `error`. In one participant it runs once at a time: a leadership that was lost is waited
 * for before the next one.
 */
export declare class LeaderSelector extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
    readonly path: string;
    readonly id: string;
    private readonly client;
    private readonly options;
    private readonly takeLeadership;
    private readonly life;
    private readonly who;
    private tenure;
    private queued;
    /** @throws RecipeError BadPath */
    constructor(client: Client, path: string, takeLeadership: TakeLeadership, options?: LeaderSelectorOptions);
    /** Stands in line for the leadership. @throws RecipeError AlreadyStarted, Closed */
    start(): this;
    /** Stands in line again, unless it does already. Returns whether it did not. @throws RecipeError NotStarted, Closed */
    requeue(): boolean;
    get hasLeadership(): boolean;
    /** Tells the function to stop, if it runs. */
    interruptLeadership(): void;
    /** All participants, the leader first. */
    getParticipants(): Promise<Participant[]>;
    getLeader(): Promise<Participant | undefined>;
    /** Leaves the election; a function that runs is told to stop, and waited for. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    private queue;
    private lead;
}
