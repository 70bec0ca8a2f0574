// A node that outlives its session for a while: servers delete it when it was not touched for its time to live.
// Source: PersistentTtlNode of Apache Curator.

import { clearInterval, setInterval } from 'node:timers';
import { type Client, type Data, isKeeperError, MAX_DELAY } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nodeName } from '../base/paths.js';
import { persist } from '../base/persist.js';
import { onClientEnd } from '../base/session-hub.js';
import { startOrClose, unlessAborted, type WaitOptions } from '../base/wait.js';
import { PersistentNode } from './persistent-node.js';

const RECIPE = 'PersistentTtlNode';

export interface PersistentTtlNodeOptions {
  readonly data?: Data | undefined;
  /** Name of the child that is touched; `touch` if not given. */
  readonly childName?: string | undefined;
  /** How often it is touched within a time to live; 2 if not given. */
  readonly touchesPerTtl?: number | undefined;
}

/**
 * The node is a container with one child that has a time to live. As long as this runs the child is touched; afterwards the
 * server deletes it, and then the container. Needs a server with `extendedTypesEnabled`. That the node cannot be kept is told by
 * the event `error`.
 */
export class PersistentTtlNode extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
  readonly path: string;
  private readonly client: Client;
  private readonly ttl: number;
  private readonly life: Lifecycle;
  private readonly node: PersistentNode;
  private readonly child: string;
  private readonly period: number;
  private timer: ReturnType<typeof setInterval> | undefined;
  private forgetEnd: () => void = () => {};
  private touching: Promise<void> | undefined;

  /** @param ttl milliseconds; @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, ttl: number, options: PersistentTtlNodeOptions = {}) {
    super();
    const { data = '', childName = 'touch', touchesPerTtl = 2 } = options;
    this.node = new PersistentNode(client, path, { mode: 'container', data, deleteOnClose: false }, RECIPE);
    if (!(Number.isInteger(ttl) && ttl > 0 && touchesPerTtl >= 1)) {
      throw new RecipeError('BadArgument', RECIPE, path, `cannot be touched ${touchesPerTtl} times in ${ttl} ms`);
    }
    this.node.on('error', (error) => this.fail(error));
    this.life = new Lifecycle(RECIPE, path);
    this.path = path;
    this.client = client.untimed;
    this.ttl = ttl;
    this.child = join(path, nodeName(RECIPE, path, childName));
    this.period = Math.min(ttl / touchesPerTtl, MAX_DELAY); // a longer time to live has more touches
  }

  /** Resolves when the node and its child are there. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    await this.node.start();
    await unlessAborted(this.touch(), this.life.signal);
    this.life.check();
    this.timer = setInterval(() => {
      // A touch that fails is made up for by the next one.
      this.touching ??= this.touch()
        .catch(() => {})
        .finally(() => {
          this.touching = undefined;
        });
    }, this.period);
    // Nothing can be touched any more, and the timer would keep the process alive.
    this.forgetEnd = onClientEnd(this.client, () => clearInterval(this.timer));
  }

  get data(): Data {
    return this.node.data;
  }

  setData(data: Data, wait: WaitOptions = {}): Promise<void> {
    return this.node.setData(data, wait);
  }

  /** Stops touching it. The end of the client does so, too. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    clearInterval(this.timer);
    this.forgetEnd();
    await this.node.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async touch(): Promise<void> {
    try {
      await persist(() => this.client.setData(this.child, ''));
    } catch (error) {
      if (!isKeeperError(error, 'NoNode')) throw error;
      const settings = { mode: 'persistentWithTtl', ttl: this.ttl } as const;
      await persist(() => this.client.create(this.child, settings)).catch((failure) => {
        if (!isKeeperError(failure, 'NodeExists')) throw failure;
      });
    }
  }
}
