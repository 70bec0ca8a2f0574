import { type Client } from '@nodekeeper/client';
export interface Participant {
    /** As the participant calls itself. */
    readonly id: string;
    readonly path: string;
    readonly isLeader: boolean;
    /** Of the participant's node; with the leader, the fencing token of its leadership. */
    readonly fencingToken: number;
}
/** How the participants among a node's children are found: in order, the leader first. */
export type Order = (children: readonly string[]) => string[];
export declare const LATCH_MARK = "latch-";
/** Of a LeaderLatch. */
export declare function latchOrder(children: readonly string[]): string[];
/** Of a LeaderSelector, and of kazoo's Election: a lock decides. */
export declare function selectorOrder(children: readonly string[]): string[];
/** All participants, the leader first. */
export declare function getParticipants(client: Client, path: string, order: Order): Promise<Participant[]>;
export interface FollowLeaderOptions {
    /** Ends the stream. */
    readonly signal?: AbortSignal;
    /** What decides: a `latch` (LeaderLatch; the default), or a `selector` (LeaderSelector, kazoo's Election). */
    readonly election?: 'latch' | 'selector';
}
/**
 * The leader now, and each one that follows; undefined while there is none. For those who do not take part. It costs one
 * watch, which fires when the leader goes. Ends with the signal, with `return`, or with the client.
 * @throws RecipeError BadPath
 */
export declare function followLeader(client: Client, path: string, { signal, election }?: FollowLeaderOptions): AsyncIterableIterator<Participant | undefined, undefined>;
