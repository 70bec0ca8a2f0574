// Puts the parts of a standalone server together: the only file that knows all of them.

import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { ServerConfig } from './config/index.js';
import { Database } from './database.js';
import { type Logger, silentLogger } from './log.js';
import type { ClientConnection } from './net/client-connection.js';
import { ClientPort } from './net/client-port.js';
import { ConnectionThrottle } from './net/connection-throttle.js';
import type { Client } from './request/client.js';
import { ContainerManager } from './request/containers.js';
import type { PendingWrite } from './request/fifo.js';
import type { AuthRules } from './request/identity.js';
import { Preparer } from './request/prepare.js';
import { RequestProcessor } from './request/processor.js';
import { Reads } from './request/reads.js';
import { ServerStats } from './server-stats.js';
import { firstSessionId } from './session/session-id.js';
import { Session, SessionTable } from './session/session-table.js';
import { type DataDir, mayStartEmpty, openDataDir } from './storage/data-dir.js';
import { type DataLock, lockDataDir } from './storage/data-lock.js';
import type { Disk } from './storage/disk.js';
import { StorageError } from './storage/errors.js';
import { nodeDisk } from './storage/node-disk.js';
import { recover } from './storage/recovery.js';
import { writeSnapshot } from './storage/snapshot-writer.js';
import { type LogBatch, TxnLog } from './storage/txn-log.js';

const EXPIRY_CHECK_MS = 100;
const SESSIONLESS_CHECK_MS = 1000;
const HOUR_MS = 3_600_000;
const CONTAINER_STEP_MS = 100;

export interface ServerOptions {
  readonly logger?: Logger;
  readonly disk?: Disk;
  /** Called when the server cannot go on: nothing more is acknowledged, and the process has to end. */
  readonly onFatal?: (error: Error) => void;
}

/** A server with its data recovered. `listen` opens it to clients. */
export class StandaloneServer {
  readonly config: ServerConfig;
  readonly dirs: DataDir;
  readonly database: Database;
  readonly sessions: SessionTable<Client>;
  readonly processor: RequestProcessor;
  readonly port: ClientPort;
  readonly stats = new ServerStats();
  readonly startedAt = Date.now();
  readonly logger: Logger;
  /** Set by the admin side: four-letter words and audit. */
  isCommand: (word: number) => boolean = () => false;
  runCommand: (connection: ClientConnection, word: number, rest: Buffer) => void = () => {};
  onWrite: ((write: PendingWrite, error: number) => void) | undefined;
  /** The port that clients connect to, once it is open. */
  boundPort = 0;

  private readonly disk: Disk;
  private readonly log: TxnLog;
  private readonly containers: ContainerManager;
  private readonly onFatal: (error: Error) => void;
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  private snapshotting: Promise<void> | null = null;
  private txnsSinceSnapshot = 0;
  private bytesSinceSnapshot = 0;
  private snapshotAfterTxns = 0;
  private snapshotAfterBytes = 0;
  private nextId: bigint;
  private lock: DataLock | undefined;
  private flushScheduled = false;
  private failed = false;
  private stopping = false;

  private constructor(
    config: ServerConfig,
    dirs: DataDir,
    database: Database,
    lastZxid: number,
    options: ServerOptions,
  ) {
    this.config = config;
    this.dirs = dirs;
    this.database = database;
    this.logger = options.logger ?? silentLogger;
    this.disk = options.disk ?? nodeDisk;
    this.onFatal = options.onFatal ?? ((error) => this.die(error));
    this.nextId = firstSessionId(config.serverId, Date.now());
    const { tree } = database;
    const auth: AuthRules = {
      skipAcl: config.skipAcl,
      digestEnabled: config.digestAuthEnabled,
      extraSchemes: new Set(config.extraSchemes),
    };
    const { extendedTypesEnabled } = config;
    const maxLength = config.juteMaxBuffer + config.juteMaxBufferExtraSize;
    this.sessions = new SessionTable(config.tickTime);
    this.log = new TxnLog(
      this.disk,
      dirs.logs,
      lastZxid,
      {
        preAllocBytes: config.preAllocBytes,
        forceSync: config.forceSync,
        sizeLimitBytes: config.txnLogSizeLimit,
        flushDelayMs: config.flushDelay,
        maxBatchSize: config.maxBatchSize,
      },
      {
        onDurable: (batch) => this.commit(batch),
        onFatal: (error) => this.fail(error),
        onSync: (ms, entries) => this.onSync(ms, entries),
      },
      () => performance.now(),
    );
    const preparer = new Preparer(tree, {
      auth,
      extendedTypesEnabled,
      enforceQuota: config.enforceQuota,
      digestEnabled: config.digestEnabled,
      closeSessionTxnEnabled: config.closeSessionTxnEnabled,
      reconfigEnabled: config.reconfigEnabled,
      onQuotaExceeded: (message) => this.logger.warn({}, message),
    });
    this.processor = new RequestProcessor(
      tree,
      this.sessions,
      preparer,
      new Reads(tree, auth, extendedTypesEnabled, maxLength),
      { append: (entry, zxid) => this.log.append(entry, zxid) },
      {
        onSessionGone: (_session, client) => client?.close('session closed'),
        onAnswered: (isWrite, latency) => this.stats.onAnswered(isWrite, latency),
        onWrite: (write, error) => this.onWrite?.(write, error),
      },
      { extendedTypesEnabled, maxLength },
    );
    this.containers = new ContainerManager(tree, this.processor, config.containerMaxNeverUsedInterval);
    this.port = new ClientPort(
      {
        tree,
        sessions: this.sessions,
        processor: this.processor,
        auth,
        authSettings: {
          digestEnabled: config.digestAuthEnabled,
          digestAlg: config.digestAlg,
          superDigest: config.superDigest,
        },
        extendedTypes: extendedTypesEnabled,
        requiredSchemes: config.requiredSchemes,
        throttle: new ConnectionThrottle(config.connectionThrottle, Math.random),
      },
      {
        maxBuffer: config.juteMaxBuffer,
        maxClientCnxns: config.maxClientCnxns,
        maxCnxns: config.maxCnxns,
        minSessionTimeout: config.minSessionTimeout,
        maxSessionTimeout: config.maxSessionTimeout,
        globalOutstandingLimit: config.globalOutstandingLimit,
        sessionlessTimeout: config.sessionlessCnxnTimeout,
        backlog: config.clientPortListenBacklog,
        keepAlive: config.clientTcpKeepAlive,
        requestLimit: config.requestThrottleMaxRequests,
      },
      {
        onResponse: (bytes) => this.stats.onResponse(bytes),
        isCommand: (word) => this.isCommand(word),
        runCommand: (connection, word, rest) => this.runCommand(connection, word, rest),
        onAbort: (connection, reason) =>
          this.logger.warn(
            { client: `${connection.remoteAddress}:${connection.remotePort}` },
            `connection closed: ${reason}`,
          ),
        onRejected: (address, reason) => this.logger.warn({ client: address }, `connection refused: ${reason}`),
        nextSessionId: () => this.newSessionId(),
        readClocks: () => this.readClocks(),
        endTurn: () => this.flushLog(),
      },
    );
  }

  /**
   * Recovers the data and prepares a server.
   * @throws StorageError if the data cannot be used, saying why and what to do
   */
  static async open(config: ServerConfig, options: ServerOptions = {}): Promise<StandaloneServer> {
    const logger = options.logger ?? silentLogger;
    const disk = options.disk ?? nodeDisk;
    for (const warning of config.warnings) logger.warn({}, warning);
    const dirs = openDataDir(disk, config.dataDir, config.dataLogDir, config.dataDirAutocreate);
    const lock = disk === nodeDisk ? await lockDataDir(config.dataDir) : undefined;
    try {
      return await StandaloneServer.recovered(config, options, dirs, lock);
    } catch (e) {
      await lock?.release();
      throw e;
    }
  }

  private static async recovered(
    config: ServerConfig,
    options: ServerOptions,
    dirs: DataDir,
    lock: DataLock | undefined,
  ): Promise<StandaloneServer> {
    const logger = options.logger ?? silentLogger;
    const disk = options.disk ?? nodeDisk;
    const began = performance.now();
    const trusted = mayStartEmpty(disk, dirs, config.dbAutocreate);
    const database = new Database({
      seed: randomInt(2 ** 31),
      extendedTypesEnabled: config.extendedTypesEnabled,
      digestEnabled: config.digestEnabled,
    });
    const recovered = await recover(disk, dirs, database, {
      maxEntry: config.juteMaxBuffer + config.juteMaxBufferExtraSize,
      trustEmptySnapshot: config.snapshotTrustEmpty,
      onWarning: (message) => logger.warn({}, message),
    });
    if (recovered.fresh && !trusted) {
      throw new StorageError(
        dirs.snapshots,
        undefined,
        'there is no database, and none may be made',
        "Create a file 'initialize' in the data directory if this is a new server, or set db.autocreate=true",
      );
    }
    database.tree.finishLoading();
    if (database.tree.digestMismatches > 0) {
      logger.error({ mismatches: database.tree.digestMismatches }, 'the tree did not match the digests in the log');
    }
    const server = new StandaloneServer(config, dirs, database, recovered.lastZxid, options);
    server.lock = lock;
    const initTime = performance.now() - began;
    server.stats.dbInitTime.add(initTime);
    server.takeOverSessions();
    if (recovered.fresh) await server.writeSnapshot();
    else server.stats.lastSnapshot = { zxid: recovered.snapshotZxid, at: Date.now() };
    logger.info(
      { zxid: `0x${recovered.lastZxid.toString(16)}`, nodes: database.tree.store.count, replayed: recovered.replayed },
      `data recovered in ${Math.round(initTime)} ms`,
    );
    if (recovered.replayed > 0) server.startSnapshot();
    return server;
  }

  /** Opens the client port; resolves with its number. Rejects with the system's error, EADDRINUSE among them. */
  async listen(): Promise<number> {
    const port = await this.port.listen(this.config.clientPort, this.config.clientPortAddress);
    this.boundPort = port;
    this.every(EXPIRY_CHECK_MS, () => {
      this.stats.staleSessionsExpired += this.processor.expireSessions();
    });
    this.every(SESSIONLESS_CHECK_MS, () => this.port.reapSessionless());
    this.every(this.config.containerCheckInterval, () => this.containers.collect(this.processor.wallTime));
    const perStep = Math.max(1, Math.floor((this.config.containerMaxPerMinute * CONTAINER_STEP_MS) / 60_000));
    this.every(CONTAINER_STEP_MS, () => this.containers.deleteSome(perStep));
    if (this.config.purgeIntervalHours > 0) {
      this.purge();
      this.every(this.config.purgeIntervalHours * HOUR_MS, () => this.purge());
    }
    return port;
  }

  /** Stops: clients are told by closing, everything acknowledged is on disk. */
  async close(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    for (const timer of this.timers) clearInterval(timer);
    await this.port.close();
    await this.log.close().catch((error: Error) => {
      if (!this.failed) throw error; // otherwise onFatal was told
    });
    await this.snapshotting;
    await this.lock?.release();
  }

  /** The last zxid of which the effects are visible. */
  get lastZxid(): number {
    return this.database.tree.lastProcessedZxid;
  }

  /** Begins the counts of srvr anew. */
  resetStats(): void {
    this.stats.reset();
    this.port.stats.packetsReceived = 0;
    this.port.stats.packetsSent = 0;
  }

  /** Why a write could not be served now; undefined if it could. */
  get notReady(): string | undefined {
    if (this.failed) return 'the server has failed';
    return this.stopping ? 'the server is stopping' : this.boundPort === 0 ? 'the client port is not open' : undefined;
  }

  /** Begins a snapshot unless one is being written. */
  startSnapshot(): void {
    if (this.snapshotting !== null) return;
    this.snapshotting = this.writeSnapshot()
      .catch((error: Error) => {
        this.stats.snapshotErrors++;
        this.logger.error(
          { error: error.message },
          'a snapshot could not be written; the log is kept, the next one will be tried',
        );
      })
      .finally(() => {
        this.snapshotting = null;
      });
  }

  private async writeSnapshot(): Promise<void> {
    this.txnsSinceSnapshot = 0;
    this.bytesSinceSnapshot = 0;
    const { snapCount, snapSizeLimit } = this.config;
    const half = Math.floor(snapCount / 2);
    this.snapshotAfterTxns = half + randomInt(Math.max(1, half));
    this.snapshotAfterBytes = snapSizeLimit <= 0 ? Number.POSITIVE_INFINITY : (snapSizeLimit / 2) * (1 + Math.random());
    const began = performance.now();
    const source = this.database.snapshot();
    try {
      const { file, bytes } = await writeSnapshot(this.disk, this.dirs.snapshots, source, {
        compression: this.config.snapshotCompression,
        digestEnabled: this.config.digestEnabled,
        serializeLastProcessedZxid: this.config.serializeLastProcessedZxid,
      });
      const ms = performance.now() - began;
      this.stats.snapshotTime.add(ms);
      this.stats.lastSnapshot = { zxid: source.zxid, at: Date.now() };
      this.logger.info({ file, bytes, ms: Math.round(ms) }, 'snapshot written');
    } finally {
      source.end();
    }
  }

  private takeOverSessions(): void {
    this.readClocks();
    const { tree, sessionTimeouts } = this.database;
    for (const [id, timeout] of sessionTimeouts) {
      this.sessions.track(id, timeout, this.processor.now).committed = true;
    }
    this.database.listener = {
      onSessionCreated: (id, timeout) => {
        this.sessions.get(id) ?? this.sessions.track(id, timeout, this.processor.now);
      },
      onSessionClosed: (id) => this.sessions.remove(id),
    };
    // Ephemerals whose session is not known any more go, through the log like everything else.
    for (const owner of [...tree.ephemeralOwners()]) {
      if (!sessionTimeouts.has(owner)) this.processor.closeSession(new Session<Client>(owner, 0));
    }
    this.log.flush();
  }

  private newSessionId(): bigint {
    while (this.sessions.get(this.nextId) !== undefined) this.nextId++;
    return this.nextId++;
  }

  private readClocks(): void {
    this.processor.now = performance.now();
    this.processor.wallTime = Date.now();
  }

  /** An idle log is written once everything that arrived together has been read: one sync for all of it. */
  private flushLog(): void {
    if (this.flushScheduled || this.log.batch.count === 0) return;
    this.flushScheduled = true;
    setImmediate(() => {
      this.flushScheduled = false;
      this.log.flush();
    });
  }
  private commit(batch: LogBatch): void {
    if (this.failed) return;
    this.readClocks();
    try {
      this.processor.commit(batch.buf, batch.lastZxid);
    } catch (e) {
      this.fail(e as Error);
      return;
    }
    this.txnsSinceSnapshot += batch.count;
    this.bytesSinceSnapshot += batch.used;
    if (this.txnsSinceSnapshot > this.snapshotAfterTxns || this.bytesSinceSnapshot > this.snapshotAfterBytes) {
      this.log.roll();
      if (this.snapshotting === null) this.startSnapshot();
      else this.txnsSinceSnapshot = 0;
    }
    this.port.liftLimit();
    this.port.turns.flush();
  }

  private onSync(ms: number, entries: number): void {
    this.stats.fsyncTime.add(ms);
    this.stats.batchSize.add(entries);
    if (ms > this.config.fsyncWarningThreshold) {
      this.stats.fsyncThresholdExceeded++;
      this.logger.warn({ ms: Math.round(ms), entries }, 'writing the log was slow: the disk delays every write');
    }
  }

  private every(ms: number, action: () => void): void {
    const timer = setInterval(() => {
      this.readClocks();
      try {
        action();
      } catch (e) {
        this.fail(e as Error);
        return;
      }
      this.port.turns.flush();
    }, ms);
    this.timers.push(timer);
  }

  private purge(): void {
    const worker = new Worker(new URL('./storage/purge-worker.js', import.meta.url), {
      workerData: { dirs: this.dirs, retain: this.config.snapRetainCount },
    });
    worker.on('message', (deleted: string[]) => {
      if (deleted.length > 0) this.logger.info({ deleted }, 'old snapshots and logs purged');
    });
    worker.on('error', (error) => this.logger.error({ error: error.message }, 'purging failed'));
    worker.unref();
  }

  /** Nothing may be acknowledged after this. */
  private fail(error: Error): void {
    if (this.failed) return;
    this.failed = true;
    this.logger.error({ error: error.stack ?? error.message }, 'the server cannot go on');
    this.onFatal(error);
  }

  private die(error: Error): never {
    process.stderr.write(`nodekeeper: ${error.message}\n`);
    process.exit(1);
  }
}
