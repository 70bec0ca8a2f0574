import { type Client, type NodeData } from '@nodekeeper/client';
/** Gets each node's data, or null if there is no such node. Reads that fail otherwise go to `onFailure`. */
export interface ReadHandler {
    onRead(path: string, node: NodeData | null): void;
    /** A read whose connection was lost is not made again: what is missed is found when the session is served again. */
    onFailure(path: string, error: unknown): void;
}
export declare class BatchReader {
    private readonly client;
    private readonly handler;
    private wanted;
    private sending;
    /** Nodes that were asked for and are not answered. */
    private pending;
    private idleWaiters;
    constructor(client: Client, handler: ReadHandler);
    /** Asks for a node, once if it is asked for again before the request leaves. */
    read(path: string): void;
    /** Resolves when all reads that were asked for are answered. */
    idle(): Promise<void>;
    private send;
    private readTogether;
}
