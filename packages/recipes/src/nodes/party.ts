// A pool of participants who come and go. Source: Party, ShallowParty of kazoo, with its layout.

import { randomUUID } from 'node:crypto';
import { type Client, isKeeperError } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { persistUntil } from '../base/persist.js';
import { unlessAborted, type WaitOptions, type Who, withLimit } from '../base/wait.js';
import { PersistentNode } from './persistent-node.js';

const MARK = '__party__';

/** That it cannot go on taking part, in a later session for one, is told by the event `error`. */
abstract class BaseParty extends RecipeEmitter<Record<never, never>> implements AsyncDisposable {
  readonly path: string;
  protected readonly client: Client;
  private readonly who: Who;
  private readonly newNode: () => PersistentNode;
  private node: PersistentNode | undefined;
  /** While it takes part: settles when others can see it. */
  private joined: Promise<void> | undefined;

  constructor(recipe: string, client: Client, path: string, name: string, data: string) {
    super();
    this.path = recipePath(recipe, path);
    this.who = { recipe, path };
    this.client = client.untimed;
    this.newNode = () => new PersistentNode(client, join(path, nodeName(recipe, path, name)), { data }, recipe);
    this.newNode();
  }

  get isParticipating(): boolean {
    return this.node !== undefined;
  }

  /** Takes part, also in later sessions, until `leave`. Resolves when others can see it; again is no error. */
  async join(wait: WaitOptions = {}): Promise<void> {
    const { joined } = this;
    if (joined === undefined) {
      this.joined = this.enter(wait);
      await this.joined;
    } else await withLimit(wait, this.who, (signal) => unlessAborted(joined, signal));
  }

  private async enter(wait: WaitOptions): Promise<void> {
    const node = this.newNode();
    this.node = node;
    node.on('error', (error) => this.fail(error));
    try {
      await node.start(wait);
    } catch (error) {
      // It may have been left meanwhile, and joined again.
      if (this.node === node) {
        this.node = undefined;
        this.joined = undefined;
      }
      throw error;
    }
  }

  /** Resolves with whether it took part. */
  async leave(): Promise<boolean> {
    const { node } = this;
    this.node = undefined;
    this.joined = undefined;
    await node?.close();
    return node !== undefined;
  }

  /** Identifiers of all participants, those with the same one as often as they take part. */
  members(wait: WaitOptions = {}): Promise<string[]> {
    return withLimit(wait, this.who, (signal) => this.identifiers(signal));
  }

  async size(wait: WaitOptions = {}): Promise<number> {
    return (await withLimit(wait, this.who, (signal) => this.children(signal))).length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave().then(() => {});
  }

  protected abstract identifiers(signal: AbortSignal | undefined): Promise<string[]>;

  protected async children(signal: AbortSignal | undefined): Promise<string[]> {
    try {
      return (await persistUntil(this.client, () => this.client.getChildren(this.path), signal)).children;
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return [];
      throw error;
    }
  }
}

/** Identifiers are the nodes' data. */
export class Party extends BaseParty {
  /** @throws RecipeError BadPath */
  constructor(client: Client, path: string, identifier = '') {
    super('Party', client, path, newId() + MARK, identifier);
  }

  protected async identifiers(signal: AbortSignal | undefined): Promise<string[]> {
    const names = await this.children(signal);
    const data = await Promise.all(names.map((name) => this.identifierOf(name, signal)));
    return data.filter((identifier) => identifier !== undefined);
  }

  protected override async children(signal: AbortSignal | undefined): Promise<string[]> {
    return (await super.children(signal)).filter((name) => name.includes(MARK));
  }

  private async identifierOf(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    try {
      const { data } = await persistUntil(this.client, () => this.client.getData(join(this.path, name)), signal);
      return data?.toString() ?? '';
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return undefined;
      throw error;
    }
  }
}

/** Identifiers are part of the nodes' names, so that one request finds all. */
export class ShallowParty extends BaseParty {
  /** @throws RecipeError BadPath, BadArgument if the identifier cannot be part of a name */
  constructor(client: Client, path: string, identifier = '') {
    super('ShallowParty', client, path, `${newId()}-${identifier}`, identifier);
  }

  protected async identifiers(signal: AbortSignal | undefined): Promise<string[]> {
    return (await this.children(signal)).map((name) => name.slice(name.indexOf('-') + 1));
  }
}

function newId(): string {
  return randomUUID().replaceAll('-', '');
}
