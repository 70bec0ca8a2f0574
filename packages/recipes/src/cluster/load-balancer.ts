// Soft load balancing: the server with the fewest clients, by counts that are nodes and so go with their clients.

import { randomUUID } from 'node:crypto';
import { type Client, isKeeperError } from '@nodekeeper/client';
import { createOnce, giveUp } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nameOf, nodeName, parentOf, recipePath } from '../base/paths.js';
import { deleteSoon } from '../base/persist.js';
import { jsonSerializer } from '../base/serializer.js';
import { Tenure } from '../base/tenure.js';
import { AnyOf, Limit, startOrClose, unlessAborted, type WaitOptions } from '../base/wait.js';
import { Cache, type CachedNode } from '../caches/cache.js';
import { PathChildrenCache } from '../caches/views.js';
import { PersistentNode } from '../nodes/persistent-node.js';

const RECIPE = 'LoadBalancer';

export interface ServerInfo {
  readonly address: string;
  /** How much more it can bear than one with weight 1. */
  readonly weight: number;
}

export interface BalancedServer extends ServerInfo {
  readonly id: string;
  /** Clients that have chosen it, as this process sees it. */
  readonly clients: number;
}

/** A server that is offered as long as this is not closed. */
export interface Offer extends AsyncDisposable {
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A server that was chosen, and is counted as used until `release`. */
export interface Assignment extends AsyncDisposable {
  readonly server: BalancedServer;
  /** Aborted when the count is lost with the session; then choose again, or go on uncounted. */
  readonly signal: AbortSignal;
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface LoadBalancerEvents {
  /** Servers or counts have changed. */
  change: [];
}

const serializer = jsonSerializer<ServerInfo>();

/**
 * Servers are ephemeral nodes below `servers`, their clients ephemeral nodes below `clients/<server>`. Each process chooses
 * by what it sees: two that choose at the same time can choose the same one, so the load is even only nearly.
 */
export class LoadBalancer extends RecipeEmitter<LoadBalancerEvents> implements AsyncDisposable {
  readonly path: string;
  private readonly client: Client;
  private readonly life: Lifecycle;
  private readonly offered: PathChildrenCache<ServerInfo>;
  private readonly used: Cache;
  /** Choices of this process that the cache does not show yet. */
  private readonly pending = new Map<string, number>();

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string) {
    super();
    this.path = recipePath(RECIPE, path);
    this.client = client.untimed;
    this.life = new Lifecycle(RECIPE, path);
    this.offered = new PathChildrenCache(client, join(path, 'servers'), { serializer });
    this.used = new Cache(client, join(path, 'clients'), { maxDepth: 2 }, RECIPE);
    for (const cache of [this.offered, this.used] as Pick<Cache, 'on'>[]) {
      for (const event of ['created', 'changed', 'deleted'] as const) cache.on(event, () => this.tell('change'));
      cache.on('error', (error) => this.fail(error));
    }
  }

  /** Resolves when the servers and their counts are known. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    const begin = () => Promise.all([this.offered.start(), this.used.start()]);
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, begin);
    return this;
  }

  /** Offers a server. It need not be started for that. */
  async offer(id: string, address: string, weight = 1, wait: WaitOptions = {}): Promise<Offer> {
    if (!(weight > 0)) throw new RecipeError('BadArgument', RECIPE, this.path, `a weight cannot be ${weight}`);
    const path = join(join(this.path, 'servers'), nodeName(RECIPE, this.path, id));
    const data = serializer.serialize({ address, weight });
    const node = new PersistentNode(this.client, path, { data }, RECIPE);
    node.on('error', (error) => this.fail(error));
    return node.start(wait);
  }

  /** The least loaded first. */
  get servers(): readonly BalancedServer[] {
    const found: BalancedServer[] = [];
    for (const [id, node] of this.offered.current) {
      const info = infoOf(node);
      if (info !== undefined) found.push({ id, ...info, clients: this.clientsOf(id) });
    }
    return found.sort((a, b) => a.clients / a.weight - b.clients / b.weight);
  }

  /** Chooses the least loaded server; waits until there is one. Rejects with Timeout, the signal's reason, NotStarted, Closed. */
  async choose(options: WaitOptions = {}): Promise<Assignment> {
    this.life.check();
    using limit = new Limit(options, { recipe: RECIPE, path: this.path });
    for (;;) {
      const server = await this.firstServer(limit.signal);
      const assignment = await this.assign(server, limit.signal);
      if (assignment !== undefined) return assignment;
    }
  }

  async close(): Promise<void> {
    if (!this.life.close()) return;
    await Promise.all([this.offered.close(), this.used.close()]);
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private clientsOf(id: string): number {
    const counted = this.used.childNames(join(this.used.path, id)).length;
    return counted + (this.pending.get(id) ?? 0);
  }

  private async firstServer(signal: AbortSignal): Promise<BalancedServer> {
    using over = new AnyOf(this.life.signal, this.offered.closed, signal);
    for (;;) {
      const [server] = this.servers;
      if (server !== undefined) return server;
      let listener: () => void = () => {};
      const changed = new Promise<void>((resolve) => {
        listener = resolve;
      });
      this.once('change', listener as never);
      try {
        await unlessAborted(changed, over.signal);
      } finally {
        this.removeListener('change', listener as never);
      }
    }
  }

  /** Undefined if the session has ended on the way. */
  private async assign(server: BalancedServer, signal: AbortSignal): Promise<Assignment | undefined> {
    this.pending.set(server.id, (this.pending.get(server.id) ?? 0) + 1);
    const parent = join(this.used.path, server.id);
    const creating = createOnce(this.client, parent, randomUUID(), { mode: 'ephemeral' });
    try {
      const { path, stat } = await unlessAborted(creating, signal);
      const seat = { path, token: stat.czxid, session: stat.ephemeralOwner };
      const tenure = new Tenure(this.client, seat, { recipe: RECIPE, path: this.path });
      this.untilShown(server.id, path, tenure.over);
      if (!tenure.isLost) return new Choice(this.client, server, tenure);
      void deleteSoon(this.client, path); // should the session live on
      return undefined;
    } catch (error) {
      this.forgetPending(server.id);
      await giveUp(this.client, creating);
      if (isKeeperError(error, 'SessionExpired') && !this.client.isOver) return undefined;
      throw error;
    }
  }

  /** Counts it as pending until the cache has it, or it is over. */
  private untilShown(id: string, path: string, over: AbortSignal): void {
    if (over.aborted || this.used.get(path) !== undefined) {
      this.forgetPending(id);
      return;
    }
    const stop = (): void => {
      this.used.removeListener('created', onCreated);
      this.used.removeListener('state', stop);
      over.removeEventListener('abort', stop);
      this.forgetPending(id);
    };
    const onCreated = (node: CachedNode<unknown>): void => {
      if (nameOf(node.path) === nameOf(path) && parentOf(node.path) === parentOf(path)) stop();
    };
    this.used.on('created', onCreated);
    over.addEventListener('abort', stop);
    this.used.on('state', stop); // what was lost with a connection is not waited for
  }

  private forgetPending(id: string): void {
    const left = (this.pending.get(id) ?? 0) - 1;
    if (left > 0) this.pending.set(id, left);
    else this.pending.delete(id);
  }
}

/** Undefined if the node holds something else: nobody can be sent there. */
function infoOf(node: CachedNode<Partial<ServerInfo> | null>): ServerInfo | undefined {
  try {
    const { address = '', weight = 1 } = node.value ?? {};
    return address === '' ? undefined : { address, weight };
  } catch {
    return undefined;
  }
}

class Choice implements Assignment {
  readonly server: BalancedServer;
  private readonly client: Client;
  private readonly tenure: Tenure;
  private isReleased = false;

  constructor(client: Client, server: BalancedServer, tenure: Tenure) {
    this.client = client;
    this.server = server;
    this.tenure = tenure;
    tenure.signal.addEventListener('abort', () => void deleteSoon(client, tenure.seat.path), { once: true });
  }

  get signal(): AbortSignal {
    return this.tenure.signal;
  }

  async release(): Promise<void> {
    if (this.isReleased) throw new RecipeError('NotHeld', RECIPE, this.tenure.seat.path, 'it was released before');
    this.isReleased = true;
    this.tenure.end();
    await deleteSoon(this.client, this.tenure.seat.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isReleased) await this.release();
  }
}
