// The client: every operation of the protocol as a promise, on one session that survives lost connections.

import { EventEmitter } from 'node:events';
import {
  type Acl,
  CreateMode,
  ErrorCode,
  isEphemeral,
  isSequential,
  OPEN_ACL_UNSAFE,
  parentPath,
  type Stat,
  WatcherType,
} from '#protocol';
import {
  bytesOf,
  type CreateOptions,
  type CreateSettings,
  checkData,
  checkPath,
  checkSettings,
  type Data,
  type ReadOptions,
  type VersionOptions,
  type WatchOptions,
} from './arguments.js';
import { checkOptions } from './check-options.js';
import { parseConnectString } from './connect-string.js';
import { isKeeperError, KeeperError } from './errors.js';
import { EventStream } from './event-stream.js';
import { limited, sharedLimit, timeoutRefusal } from './limits.js';
import {
  checkOperation,
  multiRead,
  type ReadOperation,
  type ReadResult,
  readOperation,
  type SubOperation,
  transaction,
} from './multi.js';
import { onAbort } from './on-abort.js';
import type { CallOptions, ClientOptions, Credential } from './options.js';
import { openPersistentWatch, type PersistentWatchHandle } from './persistent-watch.js';
import { createProtected } from './protected-create.js';
import type { ClientIdentity, CreatedNode, NodeAcl, NodeChildren, NodeData, Request } from './requests.js';
import * as requests from './requests.js';
import { exponentialBackoff, withRetry } from './retry.js';
import { CONNECT_LIMIT, isRead, Session } from './session.js';
import type { SessionState, StateChange } from './states.js';
import { Transaction } from './transaction.js';
import { deleteRecursive } from './tree.js';
import type { PersistentWatcher, WatchEvent, Watcher } from './watch-events.js';
import type { WatchKind, WatchRegistration } from './watch-registry.js';
import { WatchStream } from './watch-stream.js';

/** Where every server keeps the ensemble's configuration, whatever the chroot. */
const CONFIG_NODE = '/zookeeper/config';
const STREAM_LIMIT = 10_000;
/** So many changes of state wait for who does not read them. */
const UNREAD_STATES = 100;
/** As Node's, Bun's and Deno's `console.log` know it. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
/** Of a protected create, unless a policy is set. */
const PROTECT_RETRY = exponentialBackoff(50, 10, 2000);
/** The same where the request may be larger than the server takes: each try then costs all calls the connection. */
const LARGE_PROTECT_RETRY = exponentialBackoff(50, 5, 2000);
/** Bytes of data that every server takes. */
const SURELY_TAKEN = 1024;

export interface ClientEvents {
  /** Every change, those below included. */
  state: [change: StateChange];
  /** There is a session: the first one, or one in place of an expired one. */
  connected: [change: StateChange];
  /** The connection is lost; the session may live on. */
  suspended: [change: StateChange];
  /** The session of before is served again. */
  reconnected: [change: StateChange];
  /** The session is gone, with its ephemeral nodes and one-shot watches. */
  expired: [change: StateChange];
  authFailed: [change: StateChange];
  closed: [change: StateChange];
  /** Of reads made with `watch: true`. */
  watch: [event: WatchEvent];
  /** What a watcher or a listener of another event has thrown; without a listener it becomes an uncaught exception. */
  watcherError: [error: unknown];
}

/** The kinds of watch to check or remove; `persistent` and `persistentRecursive` need a 3.9 server. */
export type WatcherTypeName = keyof typeof WatcherType;

export interface ReconfigOptions extends CallOptions {
  /** Servers to add or change, as `server.1=…` lines separated by commas. */
  readonly joining?: string | undefined;
  /** Ids of servers to remove, separated by commas. */
  readonly leaving?: string | undefined;
  /** All members, instead of the two above. */
  readonly members?: string | undefined;
  /** Only if the current configuration has this version. */
  readonly fromConfig?: bigint | undefined;
}

export interface StreamOptions extends Pick<CallOptions, 'signal' | 'timeout'> {
  /** Also everything below the node. False. */
  readonly recursive?: boolean | undefined;
  /** Unread events; beyond, a `resync` event takes their place. 10 000. */
  readonly limit?: number | undefined;
}

export class Client extends EventEmitter<ClientEvents> {
  private readonly session: Session;
  private readonly options: ClientOptions;
  private readonly stateStreams = new Set<EventStream<StateChange>>();
  /** Who waits to be connected. */
  private readonly stateWaiters = new Set<() => void>();
  private readonly defaultWatcher: Watcher;
  private view: Client | undefined;

  /**
   * Makes a client; {@link start} has it connect.
   * @param connectString `host:port,host:port/chroot`, or `dns-srv://name/chroot`
   * @param session of another client, of {@link untimed}
   * @throws TypeError if the string or an option cannot be used
   */
  constructor(connectString: string, options: ClientOptions = {}, session?: Session) {
    super();
    if (session === undefined) checkOptions(options);
    this.options = options;
    this.defaultWatcher = (event) => {
      this.guard(() => options.onEvent?.(event));
      this.tell('watch', event);
    };
    this.session =
      session ??
      new Session(parseConnectString(connectString), options, {
        onState: (change) => this.onState(change),
        onError: (error) => this.onWatcherError(error),
      });
  }

  /** What is printed of it: nothing secret. */
  [INSPECT](): object {
    return { client: { state: this.state, sessionId: this.sessionId } };
  }

  /**
   * This client without `requestTimeout`: one session for both, each with listeners of its own. For who goes on until there is
   * an answer, as recipes do, and must not be given an error for it.
   */
  get untimed(): Client {
    const { requestTimeout, ...options } = this.options;
    if (requestTimeout === undefined) return this;
    if (this.view === undefined) {
      this.view = new Client('', options, this.session);
      this.view.on('watcherError', (error) => this.onWatcherError(error));
    }
    return this.view;
  }

  get state(): SessionState {
    return this.session.state;
  }

  get isConnected(): boolean {
    return this.session.state === 'connected' || this.session.state === 'connectedReadOnly';
  }

  /** Whether the client is at its end: closed, refused, or expired and not to be renewed. Every further call is rejected. */
  get isOver(): boolean {
    return this.session.isOver;
  }

  /** 0n while there is no session. */
  get sessionId(): bigint {
    return this.session.id;
  }

  /** 16 bytes. */
  get sessionPassword(): Buffer {
    return this.session.password;
  }

  /** As negotiated, in milliseconds. */
  get sessionTimeout(): number {
    return this.session.timeout;
  }

  /**
   * `performance.now()` until which the session lives for certain, if clocks run alike: its time-out after the last request that
   * is answered was sent. While there is a connection it moves on.
   */
  get sessionSafeUntil(): number {
    return this.session.safeUntil;
  }

  /** Address of the server in use. */
  get server(): string | undefined {
    return this.session.server;
  }

  get chroot(): string {
    return this.session.chroot;
  }

  /** The last zxid that was seen. */
  get lastZxid(): number {
    return this.session.lastZxid;
  }

  /** Calls not answered yet. */
  get backlog(): number {
    return this.session.backlog;
  }

  // ---- the session ----

  /** Begins to connect. Calls made before there is a connection wait for it. */
  start(): this {
    this.session.start();
    return this;
  }

  /** Resolves when connected. Rejects when the client is at its end, or with OperationTimeout after `timeout` ms. */
  connected(options: CallOptions = {}): Promise<void> {
    const begin = (resolve: () => void, reject: (error: unknown) => void): (() => void) => {
      const check = (): void => {
        if (this.isConnected) resolve();
        else if (this.session.isOver) reject(this.session.endError('connect'));
      };
      this.stateWaiters.add(check);
      check();
      return () => this.stateWaiters.delete(check);
    };
    return limited('connect', options, begin, () => this.session.problem?.message);
  }

  /**
   * Every change of state from now on, until the client is closed or `signal` is aborted. Of more than 100 that were not
   * read the oldest go.
   */
  states({ signal }: Pick<CallOptions, 'signal'> = {}): AsyncIterableIterator<StateChange, undefined> {
    let forget: (() => void) | undefined;
    const onReturn = (): void => {
      forget?.();
      this.stateStreams.delete(stream);
    };
    const stream = new EventStream<StateChange>(onReturn, { limit: UNREAD_STATES });
    if (this.session.isOver || signal?.aborted) {
      stream.end();
      return stream;
    }
    this.stateStreams.add(stream);
    forget = signal && onAbort(signal, () => void stream.return());
    return stream;
  }

  /** Calls `listener` with the events of reads made with `watch: true`. Returns what stops that. */
  onEvent(listener: Watcher): () => void {
    this.on('watch', listener);
    return () => this.removeListener('watch', listener);
  }

  /**
   * Presents an identity, now and after every reconnect. Rejects with AuthFailed if the server refuses it; the server then
   * closes the connection, and the session goes on without that identity.
   */
  addAuth(scheme: string, auth: string | Uint8Array, options?: CallOptions): Promise<void> {
    const credential: Credential = { scheme, auth };
    return this.session.addAuth(credential, this.shared(options));
  }

  /**
   * Takes another list of servers, and moves there if the load is to be spread anew. The chroot stays.
   * @throws TypeError if the string cannot be used
   */
  updateServerList(connectString: string): void {
    this.session.updateServerList(connectString);
  }

  /** Resolves when a caller that produces calls faster than the server answers should go on. */
  drained(options?: CallOptions): Promise<void> {
    return this.session.drained(options);
  }

  /**
   * Ends the session, after the calls made before. Its ephemeral nodes are gone when this resolves, unless there is no
   * connection, or no answer within `timeout` ms (5000) or until `signal` is aborted: then they go when the session times out.
   */
  close({ timeout = 5000, signal }: Pick<CallOptions, 'timeout' | 'signal'> = {}): Promise<void> {
    const refused = timeoutRefusal('close', timeout);
    return refused === undefined ? this.session.close({ timeout, signal }) : Promise.reject(refused);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- nodes ----

  /** Rejects with NodeExists, NoNode (of the parent), NoChildrenForEphemerals, NoAuth, InvalidAcl … */
  create(path: string, options: CreateOptions = {}): Promise<CreatedNode> {
    // A program without types could mean the data, and get a node without any.
    if (typeof options !== 'object' || options === null || options instanceof Uint8Array) {
      const message = 'expected are a path and options: { data, mode, acl … }';
      return Promise.reject(new KeeperError(ErrorCode.BadArguments, 'create', path, { message }));
    }
    if (options.protect !== true && options.createParents !== true) return this.createOnce(path, options, options);
    const call = this.shared(options);
    const make = (): Promise<CreatedNode> =>
      options.protect === true ? this.createMarked(path, options, call) : this.createOnce(path, options, call);
    return options.createParents === true ? this.withParents(path, options.acl, call, make) : make();
  }

  private createOnce(path: string, settings: CreateSettings, call: CallOptions): Promise<CreatedNode> {
    const mode = CreateMode[settings.mode ?? 'persistent'];
    const { acl = OPEN_ACL_UNSAFE, ttl } = settings;
    const data = bytesOf(settings.data);
    return this.run('create', path, call, isSequential(mode), (serverPath) => {
      checkSettings(path, settings);
      return requests.create(serverPath, data, acl, mode, ttl ?? -1, this.visible);
    });
  }

  private createMarked(path: string, options: CreateOptions, call: CallOptions): Promise<CreatedNode> {
    const target = {
      session: () => this.sessionId,
      create: (at: string) => this.createOnce(at, options, { signal: call.signal, timeout: call.timeout }),
      sync: (at: string) => this.sync(at, call),
      getChildren: (at: string) => this.getChildren(at, call),
      getStat: (at: string) => this.exists(at, call),
    };
    const mode = CreateMode[options.mode ?? 'persistent'];
    const isLarge = (options.data?.length ?? 0) > SURELY_TAKEN;
    const policy = options.retry ?? this.options.retry ?? (isLarge ? LARGE_PROTECT_RETRY : PROTECT_RETRY);
    return createProtected(target, path, isEphemeral(mode), policy, call);
  }

  private async withParents<T>(
    path: string,
    acl: readonly Acl[] | undefined,
    call: CallOptions,
    make: () => Promise<T>,
  ): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (!isKeeperError(error, 'NoNode')) throw error;
      await this.ensure(parentPath(path), acl ?? OPEN_ACL_UNSAFE, call);
      return make();
    }
  }

  /** Has a persistent node at `path` and at everything above it. */
  async ensurePath(path: string, options: CallOptions & { readonly acl?: readonly Acl[] } = {}): Promise<void> {
    await this.ensure(path, options.acl ?? OPEN_ACL_UNSAFE, this.shared(options));
  }

  private async ensure(path: string, acl: readonly Acl[], call: CallOptions): Promise<void> {
    const names = this.serverPath('create', path).split('/').slice(1);
    const paths = names.map((_, i) => `/${names.slice(0, i + 1).join('/')}`).filter((at) => at !== '/');
    for (let isComplete = false; !isComplete; ) {
      // Upwards first: mostly all but the last names are there, and often one may not create at the top.
      let at = paths.length - 1;
      while (at >= 0 && !(await this.make(paths[at] as string, acl, call))) at--;
      isComplete = true;
      for (const path of paths.slice(at + 1)) isComplete &&= await this.make(path, acl, call);
    }
  }

  /** Has a persistent node at a path of the server. False if its parent is missing. */
  private async make(at: string, acl: readonly Acl[], call: CallOptions): Promise<boolean> {
    const request = requests.create(at, new Uint8Array(0), acl, CreateMode.persistent, -1, this.visible);
    try {
      await this.send(request, call);
    } catch (error) {
      if (isKeeperError(error, 'NoNode')) return false;
      if (isKeeperError(error, 'NodeExists')) return true;
      // Who may not create there is not told whether there is anything to create.
      if (!isKeeperError(error, 'NoAuth') || (await this.send(requests.exists(at, undefined), call)) === null)
        throw error;
    }
    return true;
  }

  /** Rejects with NoNode, BadVersion, NotEmpty … */
  delete(path: string, options: VersionOptions & CallOptions = {}): Promise<void> {
    return this.run('delete', path, options, false, (p) => requests.remove(p, options.version ?? -1));
  }

  /** Deletes the node and everything below it; also succeeds if it is not there. Resolves with the number deleted. */
  deleteRecursive(path: string, options: CallOptions = {}): Promise<number> {
    return deleteRecursive(this, path, this.shared(options));
  }

  /** The Stat of the node, or null if there is none. The watch then waits for its creation. */
  exists(path: string, options: ReadOptions = {}): Promise<Stat | null> {
    return this.run('exists', path, options, false, (p) => requests.exists(p, this.registration('exists', p, options)));
  }

  getData(path: string, options: ReadOptions = {}): Promise<NodeData> {
    return this.run('getData', path, options, false, (p) => requests.getData(p, this.registration('data', p, options)));
  }

  setData(path: string, data: Data, options: VersionOptions & CallOptions = {}): Promise<Stat> {
    const bytes = bytesOf(data);
    return this.run('setData', path, options, false, (p) => {
      checkData('setData', path, data);
      return requests.setData(p, bytes, options.version ?? -1);
    });
  }

  getChildren(path: string, options: ReadOptions = {}): Promise<NodeChildren> {
    return this.run('getChildren', path, options, false, (p) =>
      requests.getChildren(p, this.registration('children', p, options)),
    );
  }

  getACL(path: string, options: CallOptions = {}): Promise<NodeAcl> {
    return this.run('getACL', path, options, false, requests.getAcl);
  }

  /** `version` is compared with the Stat's `aversion`. */
  setACL(path: string, acl: readonly Acl[], options: VersionOptions & CallOptions = {}): Promise<Stat> {
    return this.run('setACL', path, options, false, (p) => requests.setAcl(p, acl, options.version ?? -1));
  }

  /** Has the server in use catch up with the leader, so that reads after it see all writes before it. */
  sync(path = '/', options: CallOptions = {}): Promise<void> {
    return this.run('sync', path, options, false, requests.sync);
  }

  /** Full paths of this session's ephemeral nodes whose path begins with `prefix`. Needs a 3.6 server. */
  getEphemerals(prefix = '/', options: CallOptions = {}): Promise<string[]> {
    const { chroot } = this.session;
    // The server compares letters: /application begins with /app, too.
    const visible = (path: string): string | undefined =>
      path === chroot || path.startsWith(`${chroot}/`) ? this.visible(path) : undefined;
    return this.run('getEphemerals', prefix, options, false, (p) => requests.getEphemerals(p, visible));
  }

  /** The number of nodes below, at all depths. Needs a 3.6 server. */
  getAllChildrenNumber(path: string, options: CallOptions = {}): Promise<number> {
    return this.run('getAllChildrenNumber', path, options, false, requests.getAllChildrenNumber);
  }

  /** The identities that the server has for this connection. Needs a 3.7 server. */
  whoAmI(options: CallOptions = {}): Promise<ClientIdentity[]> {
    return this.send(requests.whoAmI(), options);
  }

  /** Rejects with NoNode or BadVersion. Sent as a transaction, as a check on its own stops some of Apache's servers. */
  async check(path: string, options: VersionOptions & CallOptions = {}): Promise<void> {
    const serverPath = this.serverPath('check', path);
    const operation = checkOperation(path, serverPath, options.version ?? -1);
    await this.send(transaction([operation], this.visible), options);
  }

  // ---- several at once ----

  transaction(): Transaction {
    return new Transaction({
      serverPath: (operation, path, isSequentialName) => this.serverPath(operation, path, isSequentialName),
      commit: (operations: readonly SubOperation[], options) =>
        this.send(transaction(operations, this.visible), options),
    });
  }

  /** Reads that are answered together; one that fails gives its error in place. Needs a 3.6 server. */
  async multiRead<const O extends readonly ReadOperation[]>(
    operations: O,
    options: CallOptions = {},
  ): Promise<{ -readonly [I in keyof O]: ReadResult<O[I]> }> {
    const all = operations.map(({ op, path }) => readOperation(op, path, this.serverPath(op, path)));
    const results: unknown = await this.send(multiRead(all), options);
    return results as { -readonly [I in keyof O]: ReadResult<O[I]> };
  }

  // ---- watches ----

  /**
   * Watches a node, or with `recursive` everything from it on, as a stream to read with `for await`. A `resync` event tells
   * that some may have been missed. What is called after this is answered after the watch is set. `signal` ends the stream,
   * `timeout` is for the setting of the watch. Needs a 3.6 server.
   */
  watch(path: string, { recursive = false, signal, timeout, limit = STREAM_LIMIT }: StreamOptions = {}): WatchStream {
    const serverPath = this.serverPath('addWatch', path);
    return new WatchStream(path, recursive, limit, signal, (deliver) =>
      openPersistentWatch(this.session, serverPath, recursive, deliver, this.shared({ timeout })),
    );
  }

  /** The same with a callback. Resolves when the watch is set, with what removes it. */
  async addWatch(
    path: string,
    listener: PersistentWatcher,
    { recursive = false, ...options }: CallOptions & { readonly recursive?: boolean | undefined } = {},
  ): Promise<PersistentWatchHandle> {
    const serverPath = this.serverPath('addWatch', path);
    const handle = openPersistentWatch(this.session, serverPath, recursive, listener, this.shared(options));
    await handle.ready;
    return handle;
  }

  /** Rejects with NoWatcher if the server has no watch of this connection there. */
  checkWatches(path: string, type: WatcherTypeName = 'any', options: CallOptions = {}): Promise<void> {
    return this.run('checkWatches', path, options, false, (p) => requests.checkWatches(p, WatcherType[type]));
  }

  /**
   * Removes one-shot watches: one watcher, or all of the path. Rejects with NoWatcher if there is none. Streams and
   * callbacks of persistent watches are closed by themselves.
   */
  async removeWatches(
    path: string,
    {
      type = 'any',
      watcher,
      ...options
    }: CallOptions & {
      type?: 'data' | 'children' | 'any' | undefined;
      watcher?: Watcher | undefined;
    } = {},
  ): Promise<void> {
    const serverPath = this.serverPath('removeWatches', path);
    const kinds: WatchKind[] =
      type === 'any' ? ['data', 'exists', 'children'] : type === 'data' ? ['data', 'exists'] : ['children'];
    const { watches } = this.session;
    const all = watches.countOneShot(serverPath, kinds, undefined);
    const meant = watches.countOneShot(serverPath, kinds, watcher);
    // The server knows one watch of a path, however many watchers stand behind it here; and servers before 3.9 would take
    // a persistent one away as well. What then stays there finds nobody here.
    if (watches.hasPersistent(serverPath) || meant < all) {
      if (meant === 0) throw new KeeperError(ErrorCode.NoWatcher, 'removeWatches', path);
      watches.removeOneShot(serverPath, kinds, watcher);
      return;
    }
    let isRemoved = false;
    const remove = (): void => {
      if (!isRemoved) watches.removeOneShot(serverPath, kinds, watcher);
      isRemoved = true;
    };
    const onAnswer = (): void => {
      remove();
      this.session.rearmPath(serverPath); // those of reads that were under way
    };
    try {
      await this.send(requests.removeWatches(serverPath, WatcherType[type], onAnswer), options);
    } finally {
      remove();
    }
  }

  // ---- the ensemble ----

  /** The ensemble's configuration as text. */
  getConfig(options: ReadOptions = {}): Promise<NodeData> {
    return this.send(requests.getData(CONFIG_NODE, this.registration('data', CONFIG_NODE, options)), options);
  }

  /** Changes the ensemble's members. Resolves with the new configuration. */
  reconfig({ joining, leaving, members, fromConfig = -1n, ...options }: ReconfigOptions): Promise<NodeData> {
    const request = requests.reconfig(joining ?? null, leaving ?? null, members ?? null, fromConfig);
    return this.send(request, options);
  }

  // ---- how calls are made ----

  private run<T>(
    operation: string,
    path: string,
    options: CallOptions,
    isSequentialName: boolean,
    build: (serverPath: string) => Request<T>,
  ): Promise<T> {
    let request: Request<T>;
    try {
      request = build(this.serverPath(operation, path, isSequentialName));
    } catch (error) {
      return Promise.reject(error);
    }
    return this.send(request, options);
  }

  private send<T>(request: Request<T>, options: CallOptions | undefined): Promise<T> {
    const policy = options?.retry ?? (isRead(request.op) ? this.options.retry : undefined);
    if (policy === undefined) return this.session.call(request, this.timed(options));
    const call = this.shared(options);
    const isRetryable = (error: unknown): boolean =>
      isTransient(error) || (isRead(request.op) && isKeeperError(error, 'SessionExpired') && !this.isOver);
    return withRetry(policy, isRetryable, () => this.session.call(request, call), call);
  }

  private timed(options: CallOptions | undefined): CallOptions | undefined {
    const { requestTimeout } = this.options;
    if (requestTimeout === undefined || options?.timeout !== undefined) return options;
    return { ...options, timeout: requestTimeout };
  }

  private shared(options: CallOptions | undefined): CallOptions {
    return sharedLimit(options, this.options.requestTimeout);
  }

  private serverPath(operation: string, path: string, isSequentialName = false): string {
    checkPath(operation, path, isSequentialName);
    const { chroot } = this.session;
    if (chroot === '') return path;
    return path === '/' && !isSequentialName ? chroot : chroot + path;
  }

  private readonly visible = (path: string): string => {
    const { chroot } = this.session;
    if (chroot === '') return path;
    return path === chroot ? '/' : path.slice(chroot.length);
  };

  private registration(kind: WatchKind, path: string, { watch, watcher }: WatchOptions): WatchRegistration | undefined {
    if (watcher !== undefined) return { kind, path, watcher };
    return watch === true ? { kind, path, watcher: this.defaultWatcher } : undefined;
  }

  private onState(change: StateChange): void {
    this.view?.onState(change);
    for (const stream of this.stateStreams) stream.push(change);
    this.tell('state', change);
    switch (change.state) {
      case 'connected':
      case 'connectedReadOnly':
        this.tell(change.isNewSession ? 'connected' : 'reconnected', change);
        break;
      case 'suspended':
      case 'expired':
      case 'authFailed':
      case 'closed':
        this.tell(change.state, change);
        break;
      case 'connecting':
        break;
    }
    for (const check of [...this.stateWaiters]) check();
    if (this.session.isOver) for (const stream of [...this.stateStreams]) stream.end();
  }

  /** What a listener throws must keep neither the session nor other listeners from their work. */
  private tell<K extends Exclude<keyof ClientEvents, 'watcherError'>>(event: K, ...told: ClientEvents[K]): void {
    for (const listener of (this as EventEmitter).rawListeners(event)) this.guard(() => listener.apply(this, told));
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.onWatcherError(error);
    }
  }

  private onWatcherError(error: unknown): void {
    if (this.listenerCount('watcherError') > 0) {
      queueMicrotask(() => this.emit('watcherError', error));
      return;
    }
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Failures that another try can mend: no connection, a server too busy to begin, or no longer the session's own. */
function isTransient(error: unknown): boolean {
  const names = ['ConnectionLoss', 'ThrottledOp', 'SessionMoved'] as const;
  return names.some((name) => isKeeperError(error, name));
}

/**
 * Connects: resolves with a client that has a session.
 * Rejects with AuthFailed, or with OperationTimeout if there is no session after `timeout` ms (15 000); nothing is left then.
 */
export async function connect(
  connectString: string,
  { timeout = CONNECT_LIMIT, signal, ...options }: ClientOptions & Pick<CallOptions, 'timeout' | 'signal'> = {},
): Promise<Client> {
  const client = new Client(connectString, options).start();
  try {
    await client.connected({ timeout, signal });
    return client;
  } catch (error) {
    await client.close({ timeout: 0 });
    throw error;
  }
}
