// Membership in a group, and who else is in it. Source: GroupMember of Apache Curator.

import type { Client, Data } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { startOrClose, type WaitOptions } from '../base/wait.js';
import { PathChildrenCache } from '../caches/views.js';
import { PersistentNode } from './persistent-node.js';

const RECIPE = 'GroupMember';

export interface GroupEvents {
  joined: [id: string, data: Buffer | null];
  left: [id: string];
  changed: [id: string, data: Buffer | null];
}

/** Is in the group from `start` to `close`, over ends of sessions. Ids are the names of the group's children. */
export class GroupMember extends RecipeEmitter<GroupEvents> implements AsyncDisposable {
  readonly path: string;
  readonly id: string;
  private readonly life: Lifecycle;
  private readonly node: PersistentNode;
  private readonly cache: PathChildrenCache;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, id: string, data: Data = '') {
    super();
    this.path = recipePath(RECIPE, path);
    this.id = nodeName(RECIPE, path, id);
    this.life = new Lifecycle(RECIPE, path);
    this.node = new PersistentNode(client, join(path, id), { data }, RECIPE);
    this.cache = new PathChildrenCache(client, path);
    const ids = (node: { readonly path: string }): string => node.path.slice(path.length + 1);
    this.cache.on('created', (node) => {
      if (node.path !== path) this.tell('joined', ids(node), node.data);
    });
    this.cache.on('changed', (node) => {
      if (node.path !== path) this.tell('changed', ids(node), node.data);
    });
    this.cache.on('deleted', (node) => {
      if (node.path !== path) this.tell('left', ids(node));
    });
    this.cache.on('error', (error) => this.fail(error));
    this.node.on('error', (error) => this.fail(error));
  }

  /** Resolves when this member is in and the others are known. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    await this.node.start();
    await this.cache.start();
  }

  /** What the others know of this member. */
  async setThisData(data: Data, wait: WaitOptions = {}): Promise<void> {
    this.life.check();
    await this.node.setData(data, wait);
  }

  /** Ids and data of the members, this one included. */
  getCurrentMembers(): Map<string, Buffer | null> {
    const members = new Map<string, Buffer | null>();
    for (const [id, { data }] of this.cache.current) members.set(id, data);
    if (!members.has(this.id)) {
      const { data } = this.node;
      members.set(this.id, data === null ? null : Buffer.from(data as string));
    }
    return members;
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    await this.node.close();
    await this.cache.close();
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
