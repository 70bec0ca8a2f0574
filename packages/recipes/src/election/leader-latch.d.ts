import type { Client } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { type TenureOptions } from '../base/tenure.js';
import { type WaitOptions } from '../base/wait.js';
import { type Leadership } from './leadership.js';
import { type Participant } from './participants.js';
export interface LeaderLatchOptions extends TenureOptions {
    /** How this participant is called; none by default. */
    readonly id?: string;
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
export declare class LeaderLatch extends RecipeEmitter<LeaderLatchEvents> implements AsyncDisposable {
    readonly path: string;
    readonly id: string;
    private readonly client;
    private readonly options;
    private readonly life;
    private readonly who;
    private tenure;
    private running;
    /** @throws RecipeError BadPath */
    constructor(client: Client, path: string, options?: LeaderLatchOptions);
    /** Joins the election, and rejoins whenever that is needed. @throws RecipeError AlreadyStarted, Closed */
    start(): this;
    get hasLeadership(): boolean;
    /** Of this participant; undefined while another leads. */
    get leadership(): Leadership | undefined;
    /** Resolves when this participant leads. Rejects with Timeout, the signal's reason, NotStarted or Closed. */
    awaitLeadership(options?: WaitOptions): Promise<Leadership>;
    /** All participants, the leader first. */
    getParticipants(): Promise<Participant[]>;
    getLeader(): Promise<Participant | undefined>;
    /** Gives the leadership to the next in line, and joins again behind all. Nothing happens if another leads. */
    handOver(): Promise<void>;
    /** Leaves the election. The leader's node is gone when it resolves, unless there is no connection. */
    close(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
    private run;
    /** Resolves when the leadership is over. */
    private lead;
    private resign;
}
