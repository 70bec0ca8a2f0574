// Reads of many nodes in few requests: those that are asked for in the same turn go together.

import { type Client, isKeeperError, KeeperError, type NodeData } from '@nodekeeper/client';

/** So many nodes of the servers' default size limit stay within the client's limit of an answer. */
const BATCH = 50;

/** Gets each node's data, or null if there is no such node. Reads that fail otherwise go to `onFailure`. */
export interface ReadHandler {
  onRead(path: string, node: NodeData | null): void;
  /** A read whose connection was lost is not made again: what is missed is found when the session is served again. */
  onFailure(path: string, error: unknown): void;
}

export class BatchReader {
  private readonly client: Client;
  private readonly handler: ReadHandler;
  private wanted = new Set<string>();
  private sending = false;
  /** Nodes that were asked for and are not answered. */
  private pending = 0;
  private idleWaiters: (() => void)[] = [];

  constructor(client: Client, handler: ReadHandler) {
    this.client = client;
    this.handler = handler;
  }

  /** Asks for a node, once if it is asked for again before the request leaves. */
  read(path: string): void {
    if (this.wanted.has(path)) return;
    this.wanted.add(path);
    this.pending++;
    if (this.sending) return;
    this.sending = true;
    queueMicrotask(() => void this.send());
  }

  /** Resolves when all reads that were asked for are answered. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.idleWaiters.push(resolve);
    });
  }

  private async send(): Promise<void> {
    while (this.wanted.size > 0) {
      const paths = [...this.wanted];
      this.wanted = new Set();
      for (let i = 0; i < paths.length; i += BATCH) {
        void this.readTogether(paths.slice(i, i + BATCH));
        await this.client.drained();
      }
    }
    this.sending = false;
  }

  private async readTogether(paths: readonly string[]): Promise<void> {
    try {
      const results = await this.client.multiRead(paths.map((path) => ({ op: 'getData', path }) as const));
      for (const [i, result] of results.entries()) {
        const path = paths[i] as string;
        if (!(result instanceof KeeperError)) this.handler.onRead(path, result);
        else if (isKeeperError(result, 'NoNode')) this.handler.onRead(path, null);
        else this.handler.onFailure(path, result);
      }
    } catch (error) {
      for (const path of paths) this.handler.onFailure(path, error);
    } finally {
      this.pending -= paths.length;
      if (this.pending === 0) for (const resolve of this.idleWaiters.splice(0)) resolve();
    }
  }
}
