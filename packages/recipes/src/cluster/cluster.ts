// The members of a cluster: who they are, how they are, who came and who went.

import { type Client, type EventStream, onAbort } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nodeName, recipePath } from '../base/paths.js';
import { jsonSerializer, type Serializer } from '../base/serializer.js';
import { everyChange } from '../base/unread.js';
import { startOrClose, type WaitOptions } from '../base/wait.js';
import { Cache, type CachedNode } from '../caches/cache.js';
import { PersistentNode } from '../nodes/persistent-node.js';

const RECIPE = 'Cluster';

/** What a member says of itself. */
export interface MemberReport {
  /** `starting`, `ready`, `draining` … as the program likes. */
  readonly state: string;
  /** As the program measures it. */
  readonly load: number;
  /** Where it can be reached, for example. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A part of it; what is undefined stays as it was. */
export type MemberUpdate = { readonly [K in keyof MemberReport]?: MemberReport[K] | undefined };

export interface Member extends MemberReport {
  readonly id: string;
  /** When its session here began, by the server's clock. */
  readonly since: Date;
}

export type ClusterChange =
  | { readonly type: 'joined' | 'left' | 'updated'; readonly member: Member }
  /** What this process sees may be old, until `current` follows. */
  | { readonly type: 'stale' | 'current' };

export interface ClusterEvents {
  change: [change: ClusterChange];
}

export interface ClusterOptions {
  /** Takes part under this id; without one it only looks on. */
  readonly id?: string | undefined;
  readonly report?: MemberUpdate | undefined;
}

/** Follows the members, and is one of them if it has an id. A member is there as long as its session. */
export class Cluster extends RecipeEmitter<ClusterEvents> implements AsyncDisposable {
  readonly path: string;
  readonly id: string | undefined;
  private readonly life: Lifecycle;
  private readonly cache: Cache<MemberReport>;
  private readonly node: PersistentNode | undefined;
  private own: MemberReport;
  /** How many there were when there were most. */
  private mostMembers = 0;

  /** @throws RecipeError BadPath, BadArgument */
  constructor(client: Client, path: string, { id, report = {} }: ClusterOptions = {}) {
    super();
    this.path = recipePath(RECIPE, path);
    this.id = id === undefined ? undefined : nodeName(RECIPE, path, id);
    this.life = new Lifecycle(RECIPE, path);
    this.own = updated({ state: 'ready', load: 0, metadata: {} }, report);
    this.cache = new Cache<MemberReport>(client, path, { maxDepth: 1, serializer: REPORT }, RECIPE);
    this.node =
      id === undefined ? undefined : new PersistentNode(client, join(path, id), { data: this.data() }, RECIPE);
    this.node?.on('error', (error) => this.fail(error));
    this.listen();
  }

  /** Resolves when the members are known, this one being there. Rejects with AlreadyStarted, Closed, or the server's error. */
  async start(wait: WaitOptions = {}): Promise<this> {
    this.life.start();
    await startOrClose(this, wait, { recipe: RECIPE, path: this.path }, () => this.begin());
    return this;
  }

  private async begin(): Promise<void> {
    await this.node?.start();
    await this.cache.start();
  }

  /** By id. */
  get members(): ReadonlyMap<string, Member> {
    const found = new Map<string, Member>();
    for (const [id, node] of this.cache.children(this.path)) found.set(id, memberOf(this.path, node));
    return found;
  }

  /** The one with the least load of those in this state. */
  leastLoaded(state = 'ready'): Member | undefined {
    let best: Member | undefined;
    for (const member of this.members.values()) {
      if (member.state === state && (best === undefined || member.load < best.load)) best = member;
    }
    return best;
  }

  /** Tells the others how this member is; what is left out stays as it was. If that fails it is not part of later reports. */
  async report(report: MemberUpdate, wait: WaitOptions = {}): Promise<void> {
    this.life.check();
    const before = this.own;
    const own = updated(before, report);
    this.own = own;
    try {
      await this.node?.setData(this.data(), wait);
    } catch (error) {
      if (this.own === own) this.own = before;
      throw error;
    }
  }

  /**
   * Changes from now on, until it is closed. When more than 10,000 are left unread, and as many more as there have been members, the
   * reader gets an Overflow, and no more.
   */
  changes(): EventStream<ClusterChange> {
    this.life.check();
    return this.streamOf(
      'change',
      everyChange({ recipe: RECIPE, path: this.path }, () => this.mostMembers),
    );
  }

  /** Leaves. */
  async close(): Promise<void> {
    if (!this.life.close()) return;
    await this.node?.close();
    await this.cache.close();
    this.endStreams();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private data(): Uint8Array {
    return REPORT.serialize(this.own);
  }

  private listen(): void {
    const told = (type: 'joined' | 'left' | 'updated') => (node: CachedNode<MemberReport>) => {
      if (node.path !== this.path) this.tell('change', { type, member: memberOf(this.path, node) });
    };
    this.cache.on('created', () => {
      this.mostMembers = Math.max(this.mostMembers, this.cache.size);
    });
    this.cache.on('created', told('joined'));
    this.cache.on('deleted', told('left'));
    this.cache.on('changed', told('updated'));
    this.cache.on('state', ({ state }) => {
      if (state === 'suspended') this.tell('change', { type: 'stale' });
    });
    this.cache.on('current', () => this.tell('change', { type: 'current' }));
    onAbort(this.cache.closed, () => this.endStreams()); // also with the client
    this.cache.on('error', (error) => this.fail(error));
  }
}

const json = jsonSerializer<Partial<MemberReport> | null>();

/** Nodes of other programs may hold anything. */
const REPORT: Serializer<MemberReport> = {
  serialize: (report) => json.serialize(report),
  deserialize(bytes) {
    let known: Partial<MemberReport> = {};
    try {
      known = json.deserialize(bytes) ?? {};
    } catch {
      known = { metadata: { data: bytes.toString() } };
    }
    const { state = '', load = 0, metadata = {} } = known;
    return { state, load, metadata };
  },
};

function updated(before: MemberReport, { state, load, metadata }: MemberUpdate): MemberReport {
  return { state: state ?? before.state, load: load ?? before.load, metadata: metadata ?? before.metadata };
}

function memberOf(path: string, node: CachedNode<MemberReport>): Member {
  return { id: node.path.slice(path.length + 1), since: new Date(node.stat.ctime), ...node.value };
}
