// Hierarchical names that stand for addresses, which come and go.

import { randomUUID } from 'node:crypto';
import { type Client, type EventStream, isKeeperError, onAbort } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { persistUntil } from '../base/persist.js';
import { jsonSerializer } from '../base/serializer.js';
import { LATEST } from '../base/unread.js';
import { type WaitOptions, withLimit } from '../base/wait.js';
import { PathChildrenCache } from '../caches/views.js';
import { PersistentNode } from '../nodes/persistent-node.js';

const RECIPE = 'NameService';
/** Nodes of addresses; names below a name cannot begin so. */
const ADDRESS = '@';

/** Where something can be reached. */
export interface Address {
  readonly address: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const serializer = jsonSerializer<Partial<Address> | null>();

/** An address that a name has as long as this is not closed. */
export interface Binding extends AsyncDisposable {
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Names are like `eu/db/main`: each part is a node, and the addresses of a name are ephemeral nodes below it. That an address
 * cannot be kept, in a later session for one, is told by the event `error`.
 */
export class NameService extends RecipeEmitter<Record<never, never>> {
  readonly path: string;
  private readonly client: Client;

  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string) {
    super();
    this.path = recipePath(RECIPE, path);
    this.client = client.untimed;
  }

  /** Resolves when the name has the address, which it keeps over ends of sessions until the binding is closed. */
  async bind(
    name: string,
    address: string,
    metadata: Record<string, string> = {},
    wait: WaitOptions = {},
  ): Promise<Binding> {
    const data = serializer.serialize({ address, metadata });
    const node = new PersistentNode(this.client, join(this.pathOf(name), ADDRESS + randomUUID()), { data }, RECIPE);
    node.on('error', (error) => this.fail(error));
    return node.start(wait);
  }

  /** The addresses of a name, in no order; none if there is no such name. */
  async resolve(name: string, wait: WaitOptions = {}): Promise<Address[]> {
    const path = this.pathOf(name);
    return withLimit(wait, { recipe: RECIPE, path }, async (signal) => {
      const names = (await this.children(path, signal)).filter((child) => child.startsWith(ADDRESS));
      const found = await Promise.all(names.map((child) => this.read(join(path, child), signal)));
      return found.flatMap((address) => (address === undefined ? [] : [address]));
    });
  }

  /** The names directly below a name, or the topmost ones. */
  async list(name = '', wait: WaitOptions = {}): Promise<string[]> {
    const path = name === '' ? this.path : this.pathOf(name);
    const names = await withLimit(wait, { recipe: RECIPE, path }, (signal) => this.children(path, signal));
    return names.filter((child) => !child.startsWith(ADDRESS)).sort();
  }

  /** Follows a name. Resolves when its addresses are known. */
  async follow(name: string, wait: WaitOptions = {}): Promise<ResolvedName> {
    return new ResolvedName(this.client, this.pathOf(name), name).start(wait);
  }

  private pathOf(name: string): string {
    const parts = name.split('/');
    for (const part of parts) {
      if (part === '' || part.startsWith(ADDRESS)) {
        throw new RecipeError('BadArgument', RECIPE, this.path, `no name: '${name}'`);
      }
      nodeName(RECIPE, this.path, part);
    }
    return join(this.path, name);
  }

  private async children(path: string, signal: AbortSignal | undefined): Promise<string[]> {
    try {
      return (await persistUntil(this.client, () => this.client.getChildren(path), signal)).children;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }

  private async read(path: string, signal: AbortSignal | undefined): Promise<Address | undefined> {
    try {
      const { data } = await persistUntil(this.client, () => this.client.getData(path), signal);
      return addressOf(() => serializer.deserialize(data ?? Buffer.alloc(0)));
    } catch (error) {
      if (isKeeperError(error, 'NoNode') || isKeeperError(error, 'NoAuth')) return undefined; // others shall not suffer
      throw error;
    }
  }
}

export interface ResolvedNameEvents {
  /** All addresses, after changes: those that are seen at the same moment are told together. */
  change: [addresses: readonly Address[]];
}

/** The addresses of a name as they are. */
export class ResolvedName extends RecipeEmitter<ResolvedNameEvents> implements AsyncDisposable {
  readonly name: string;
  private readonly cache: PathChildrenCache<Partial<Address> | null>;
  private readonly path: string;
  private isToBeTold = false;

  constructor(client: Client, path: string, name: string) {
    super();
    this.name = name;
    this.path = path;
    this.cache = new PathChildrenCache(client, path, { serializer });
    onAbort(this.cache.closed, () => this.endStreams()); // also with the client
  }

  async start(wait: WaitOptions = {}): Promise<this> {
    this.cache.on('error', (error) => {
      const isOfAddress = isKeeperError(error, 'NoAuth') && error.path !== this.path;
      if (!isOfAddress) this.fail(error);
    });
    await this.cache.start(wait);
    const onEvent = ({ path }: { readonly path: string }): void => {
      if (path.startsWith(join(this.path, ADDRESS))) this.changed();
    };
    for (const event of ['created', 'changed', 'deleted'] as const) this.cache.on(event, onEvent);
    return this;
  }

  get addresses(): readonly Address[] {
    const found: Address[] = [];
    for (const [child, node] of this.cache.current) {
      const address = child.startsWith(ADDRESS) ? addressOf(() => node.value) : undefined;
      if (address !== undefined) found.push(address);
    }
    return found;
  }

  /** Of very many addresses that come or go together, the list is not made again for each. */
  private changed(): void {
    if (this.isToBeTold) return;
    this.isToBeTold = true;
    queueMicrotask(() => {
      this.isToBeTold = false;
      if (!this.cache.closed.aborted) this.tell('change', this.addresses);
    });
  }

  /** The addresses after changes from now on, until it is closed. Of more than 100 that were not read the oldest go. */
  changes(): EventStream<readonly Address[]> {
    return this.streamOf('change', LATEST);
  }

  async close(): Promise<void> {
    await this.cache.close();
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Undefined if the node holds something else, which is nowhere to go. */
function addressOf(read: () => Partial<Address> | null): Address | undefined {
  try {
    const { address = '', metadata = {} } = read() ?? {};
    return address === '' ? undefined : { address, metadata };
  } catch {
    return undefined;
  }
}
