// Reads of many nodes in few requests: those that are asked for in the same turn go together.

import { type Client, isKeeperError, type NodeData } from '@nodekeeper/client';

/** So many nodes of the servers' default size limit stay within the limits of an answer: the server's, and the client's `maxFrame`. */
const BATCH = 50;

/** Gets each node's data, or null if there is no such node. Reads that fail otherwise go to `onFailure`. */
export interface ReadHandler {
  onRead(path: string, node: NodeData | null): void;
  /** A read whose connection was lost is not made again: what is missed is found when the session is served again. */
  onFailure(path: string, error: unknown): void;
}

/** Reads that are waited for together. */
interface Round {
  pending: number;
  readonly resolve: () => void;
}

export class BatchReader {
  private readonly client: Client;
  private readonly handler: ReadHandler;
  /** With those who wait for them. */
  private wanted = new Map<string, Round | undefined>();
  private sending = false;
  /** Fewer once an answer was too large. */
  private batch = BATCH;

  constructor(client: Client, handler: ReadHandler) {
    this.client = client;
    this.handler = handler;
  }

  /**
   * Asks for a node, once if it is asked for again before the request leaves. Then it comes behind what was asked for meanwhile: its
   * parent, if both were deleted and made again.
   */
  read(path: string): void {
    const round = this.wanted.get(path);
    this.wanted.delete(path);
    this.want(path, round);
  }

  /** Asks for nodes. Resolves when these are answered, whatever else is asked for meanwhile. One at a time. */
  readAll(paths: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const round = { pending: paths.length, resolve };
      for (const path of paths) this.want(path, round);
    });
  }

  private want(path: string, round: Round | undefined): void {
    this.wanted.set(path, round);
    if (this.sending) return;
    this.sending = true;
    queueMicrotask(() => void this.send());
  }

  private async send(): Promise<void> {
    while (this.wanted.size > 0) {
      const all = [...this.wanted];
      this.wanted = new Map();
      for (let i = 0; i < all.length; ) {
        const next = i + this.batch;
        void this.readAnswered(all.slice(i, next));
        i = next;
        await this.client.drained();
      }
    }
    this.sending = false;
  }

  private async readAnswered(wanted: readonly (readonly [string, Round | undefined])[]): Promise<void> {
    await this.readTogether(wanted.map(([path]) => path));
    for (const [, round] of wanted) if (round !== undefined && --round.pending === 0) round.resolve();
  }

  private async readTogether(paths: readonly string[]): Promise<void> {
    const { batch } = this;
    try {
      const results = await this.client.multiRead(paths.map((path) => ({ op: 'getData', path }) as const));
      for (const [i, result] of results.entries()) {
        const path = paths[i] as string;
        if (!isKeeperError(result)) this.handler.onRead(path, result);
        else if (isKeeperError(result, 'NoNode')) this.handler.onRead(path, null);
        else this.handler.onFailure(path, result);
      }
    } catch (error) {
      const isRefused = isKeeperError(error, 'MarshallingError');
      // Others that were on their way fail of the same answer.
      if ((isRefused || costConnection(error)) && this.batch === batch) this.batch = Math.ceil(batch / 2);
      if (isRefused && paths.length > 1) {
        const half = Math.ceil(paths.length / 2);
        await Promise.all([this.readTogether(paths.slice(0, half)), this.readTogether(paths.slice(half))]);
      } else for (const path of paths) this.handler.onFailure(path, error);
    }
  }
}

/** Whether the connection was lost by an answer that is larger than the client takes. */
function costConnection(error: unknown): boolean {
  return isKeeperError(error, 'ConnectionLoss') && error.message.includes('maxFrame');
}
