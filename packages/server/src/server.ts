// What every server has, standalone or of an ensemble: its database and log, snapshots, the client port, statistics, and the end.

import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import type { ServerConfig } from './config/index.js';
import { Database } from './database.js';
import type { EnsembleView } from './ensemble-view.js';
import { type Logger, silentLogger } from './log.js';
import { NamespaceStats } from './namespace-stats.js';
import type { ClientConnection } from './net/client-connection.js';
import { ClientPort } from './net/client-port.js';
import { ConnectionThrottle } from './net/connection-throttle.js';
import { type Network, nodeNetwork, openWhile } from './net/network.js';
import { monitorPauses } from './pause-monitor.js';
import type { SessionOwner } from './request/client.js';
import type { PendingWrite } from './request/fifo.js';
import type { AuthRules } from './request/identity.js';
import { type PrepareOptions, Preparer } from './request/prepare.js';
import type { ProcessorHooks, ProcessorOptions } from './request/processor.js';
import { Reads } from './request/reads.js';
import { nodeRuntime, type Runtime, type Timer } from './runtime.js';
import { ServerStats } from './server-stats.js';
import { firstSessionId } from './session/session-id.js';
import type { SessionTable } from './session/session-table.js';
import { COUNTS_MS, SparingLogger } from './sparing-log.js';
import { type DataDir, mayStartEmpty, openDataDir, removeTemporary } from './storage/data-dir.js';
import { type DataLock, lockDataDirs } from './storage/data-lock.js';
import type { Disk } from './storage/disk.js';
import { joinedEpoch } from './storage/epochs.js';
import { nodeDisk } from './storage/node-disk.js';
import { purge } from './storage/purge.js';
import { type Recovered, recover } from './storage/recovery.js';
import { finishReplacing } from './storage/rewrite.js';
import { writeSnapshot } from './storage/snapshot-writer.js';
import { type LogBatch, TxnLog } from './storage/txn-log.js';
import type { SnapshotSource } from './tree/snapshot-source.js';

/** A port that a reconfiguration moved to and that is taken is tried again so often. */
const PORT_AGAIN_MS = 250;
const SESSIONLESS_CHECK_MS = 1000;
const HOUR_MS = 3_600_000;

export interface ServerOptions {
  readonly logger?: Logger;
  readonly disk?: Disk;
  readonly network?: Network;
  readonly runtime?: Runtime;
  /** See TxnLogOptions. In simulations, where clients are few, fewer entries are to set out beside a write than in earnest. */
  readonly writtenTogether?: number;
  /** Called when the server cannot go on: nothing more is acknowledged, and the process has to end. */
  readonly onFatal?: (error: Error) => void;
}

/** What is told of what clients do; the admin side writes it down. */
export interface AuditLog {
  /** A write was decided; `entry` is its log entry. */
  write(write: PendingWrite, error: number, entry: Buffer): void;
  /** A node went with its session. */
  ephemeralDeleted(session: bigint, path: string): void;
}

/** A data directory with what was recovered from it. */
export interface Opened {
  readonly dirs: DataDir;
  readonly database: Database;
  readonly recovered: Recovered;
  readonly lock: DataLock | undefined;
  /** Whether a database that was found empty may count as one. */
  readonly trusted: boolean;
  /** Milliseconds that recovery took, and those of them until the snapshot was read. */
  readonly initTime: number;
  readonly snapshotTime: number;
}

/** An empty database. */
export function newDatabase(config: ServerConfig, runtime: Runtime): Database {
  return new Database({
    seed: Math.floor(runtime.random() * 2 ** 53),
    extendedTypesEnabled: config.extendedTypesEnabled,
    digestEnabled: config.digestEnabled,
  });
}

/**
 * Takes the data directory and recovers what is in it. `prepare` is called before anything is read.
 * @throws StorageError if the data cannot be used, saying why and what to do
 */
export async function openData(
  config: ServerConfig,
  options: ServerOptions,
  prepare: (database: Database) => void = () => {},
  recoverBy: typeof recover = recover,
): Promise<Opened> {
  const { logger = silentLogger, disk = nodeDisk, runtime = nodeRuntime } = options;
  for (const warning of config.warnings) logger.warn({}, warning);
  const dirs = openDataDir(disk, config.dataDir, config.dataLogDir, config.dataDirAutocreate);
  const lock = disk === nodeDisk ? await lockDataDirs([config.dataDir, config.dataLogDir]) : undefined;
  try {
    removeTemporary(disk, dirs);
    const began = runtime.now();
    // A member that has followed had a snapshot at least: emptied since, it may have forgotten what it acknowledged.
    const mayBeNew = config.ensemble === undefined || !(joinedEpoch(disk, dirs) > 0);
    const trusted = mayStartEmpty(disk, dirs, config.dbAutocreate && mayBeNew);
    const database = newDatabase(config, runtime);
    finishReplacing(disk, dirs);
    prepare(database);
    let loadedAt = began;
    database.onSnapshotLoaded = () => {
      loadedAt = runtime.now();
    };
    const recovered = await recoverInto(database, dirs, disk, config, logger, recoverBy);
    database.onSnapshotLoaded = undefined;
    const initTime = runtime.now() - began;
    logger.info(
      { zxid: `0x${recovered.lastZxid.toString(16)}`, nodes: database.tree.store.count, replayed: recovered.replayed },
      `data recovered in ${Math.round(initTime)} ms`,
    );
    return { dirs, database, recovered, lock, trusted, initTime, snapshotTime: loadedAt - began };
  } catch (e) {
    await lock?.release();
    throw e;
  }
}

/** Makes a server of its data; if that fails, another one may have them. */
export async function serverOf<T>(opened: Opened, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (e) {
    await opened.lock?.release();
    throw e;
  }
}

/** Fills the database from what is on disk. */
export async function recoverInto(
  database: Database,
  dirs: DataDir,
  disk: Disk,
  config: ServerConfig,
  logger: Logger,
  recoverBy: typeof recover = recover,
): Promise<Recovered> {
  const recovered = await recoverBy(disk, dirs, database, {
    maxEntry: config.maxEntry,
    trustEmptySnapshot: config.snapshotTrustEmpty,
    onWarning: (message) => logger.warn({}, message),
  });
  const unlisted = database.tree.finishLoading();
  if (unlisted > 0)
    logger.error(
      { nodes: unlisted },
      'nodes have no access control list, in snapshot and log: only super users may use them',
    );
  const { digestComparedFrom, digestsPassedOver } = database.tree;
  const isKnown = Number.isFinite(digestComparedFrom);
  if (isKnown ? digestComparedFrom > recovered.lastZxid : digestsPassedOver > 0) {
    // A copy of a data directory in use, or the power failed on a member that had applied what its own disk did not have yet.
    const upTo = isKnown ? { upTo: `0x${digestComparedFrom.toString(16)}` } : {};
    logger.warn(
      { zxid: `0x${recovered.lastZxid.toString(16)}`, ...upTo },
      'the snapshot was written while transactions came that are not in the log: some of what they did may be here, some not',
    );
  }
  if (database.tree.digestMismatches > 0) {
    logger.error({ mismatches: database.tree.digestMismatches }, 'the tree did not match the digests in the log');
  }
  return recovered;
}

export abstract class Server {
  readonly id: number;
  readonly config: ServerConfig;
  readonly dirs: DataDir;
  database: Database;
  readonly port: ClientPort;
  readonly stats = new ServerStats();
  readonly namespaces = new NamespaceStats();
  /** Since when it serves as what it is, in monotonic milliseconds: a clock that is set makes it no older. */
  servingSince: number;
  readonly logger: Logger;
  /** For what others do at the ports, which can be much. */
  readonly portLogger: SparingLogger;
  readonly runtime: Runtime;
  readonly network: Network;
  /** Set by the admin side: four-letter words and audit. */
  isCommand: (word: number) => boolean = () => false;
  runCommand: (connection: ClientConnection, word: number, rest: Buffer) => void = () => {};
  audit: AuditLog | undefined;
  /** The port that clients connect to, once it is open; -1 if there is none. */
  boundPort = -1;
  /** Likewise, over TLS. */
  boundSecurePort = -1;
  /** What Apache's `Mode:` says: standalone, leader, follower, observer … */
  abstract readonly mode: string;

  readonly disk: Disk;
  log: TxnLog;
  readonly auth: AuthRules;
  readonly processorOptions: ProcessorOptions;
  readonly processorHooks: ProcessorHooks;
  private readonly writtenTogether: number | undefined;
  protected readonly onFatal: (error: Error) => void;
  private readonly timers: Timer[] = [];
  snapshotting: Promise<void> | null = null;
  private snapshotSource: SnapshotSource | null = null;
  private givingUpSnapshot = false;
  private txnsSinceSnapshot = 0;
  private bytesSinceSnapshot = 0;
  private snapshotAfterTxns = 0;
  private snapshotAfterBytes = 0;
  /** So much came while one was written that another follows at once: a start is to read little of the log, also after a burst. */
  private snapshotDue = false;
  private nextId: bigint;
  private readonly lock: DataLock | undefined;
  /** Client ports that are being opened and moved, one after the other; null before: they are opened where they are to be then. */
  private moving: Promise<void> | null = null;
  private listening = false;
  /** What is under way on the disk, beside the log and the snapshots that are due. */
  protected busy: Promise<void> = Promise.resolve();
  protected failed = false;
  stopping = false;

  /** @param id the server's id, 1 for a standalone server; it is part of session ids */
  protected constructor(config: ServerConfig, opened: Opened, options: ServerOptions, id: number) {
    this.id = id;
    this.config = config;
    this.dirs = opened.dirs;
    this.database = opened.database;
    this.followDatabase();
    this.lock = opened.lock;
    this.logger = options.logger ?? silentLogger;
    this.portLogger = new SparingLogger(this.logger);
    this.disk = options.disk ?? nodeDisk;
    this.runtime = options.runtime ?? nodeRuntime;
    this.network = options.network ?? nodeNetwork;
    this.onFatal = options.onFatal ?? ((error) => this.die(error));
    this.servingSince = this.runtime.now();
    this.nextId = firstSessionId(id, this.runtime.wallTime());
    this.stats.dbInitTime.add(opened.initTime);
    this.stats.startupSnapshotTime.add(opened.snapshotTime);
    this.stats.startupTxnsTime.add(opened.initTime - opened.snapshotTime);
    this.stats.startupTxns.add(opened.recovered.replayed);
    this.drawSnapshotLimits();
    this.countReplayed(opened.recovered);
    this.auth = {
      skipAcl: config.skipAcl,
      digestEnabled: config.digestAuthEnabled,
      extraSchemes: new Set(config.extraSchemes),
      anySaslUser: config.anySaslUser,
    };
    this.processorOptions = {
      extendedTypesEnabled: config.extendedTypesEnabled,
      maxLength: config.maxEntry,
      localSessions: config.ensemble?.localSessions ?? false,
      upgradeLocalSessions: config.ensemble?.upgradeLocalSessions ?? false,
      keepsRequests: config.auditEnabled,
      largeThreshold: config.largeRequestThreshold,
      eagerAcl: config.eagerAclCheck ? this.auth : undefined,
      staleConnectionCheck: config.requestThrottle.staleConnectionCheck,
      staleLatencyCheck: config.requestThrottle.staleLatencyCheck,
    };
    this.processorHooks = {
      onSessionGone: (_session, owner) => owner?.close('session closed'),
      onAnswered: (isWrite, latency) => this.stats.onAnswered(isWrite, latency),
      onApplied: (madeAt, wallTime) => this.stats.propagationLatency.addSince(madeAt, wallTime),
      onWrite: (write, error, buf, start, end) => this.audit?.write(write, error, buf.subarray(start, end)),
      onStaleReply: () => {
        this.stats.staleReplies++;
      },
    };
    this.writtenTogether = options.writtenTogether;
    this.log = this.openLog(opened.recovered.lastZxid);
    this.port = new ClientPort(
      {
        network: this.network,
        runtime: this.runtime,
        auth: this.auth,
        authSettings: {
          digestEnabled: config.digestAuthEnabled,
          digestAlg: config.digestAlg,
          superDigest: config.superDigest,
          ensembleNames: config.ensembleNames,
        },
        extendedTypes: config.extendedTypesEnabled,
        requiredSchemes: config.requiredSchemes,
        throttle: new ConnectionThrottle(config.connectionThrottle, () => this.runtime.random()),
        requestThrottle: config.requestThrottle,
        tls: config.tls,
        sasl: config.sasl,
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
        largeRequestThreshold: config.largeRequestThreshold,
        largeRequestMaxBytes: config.largeRequestMaxBytes,
        dropsHandshakesEarly: config.dropsHandshakesEarly,
      },
      {
        onResponse: (bytes) => this.stats.onResponse(bytes),
        isCommand: (word) => this.isCommand(word),
        runCommand: (connection, word, rest) => this.runCommand(connection, word, rest),
        onAbort: (connection, reason) => this.warnOf(connection, `connection closed: ${reason}`),
        onSaslFailed: (connection, reason) => this.warnOf(connection, `SASL failed: ${reason}`),
        onRejected: (address, reason) => this.portLogger.warn({ client: address }, `connection refused: ${reason}`),
        onCertificates: (path, error) => {
          if (error === undefined) this.logger.info({ path }, 'certificates read again');
          else this.logger.error({ error: error.message }, 'certificates could not be read again; the old ones stay');
        },
        onAdmitted: (waited) => this.stats.requestQueueTime.add(waited),
        nextSessionId: () => this.newSessionId(),
        endTurn: () => this.log.endTurn(),
        onFault: (error) => this.fail(error),
      },
    );
  }

  /** The entries of the batch are durable. */
  protected abstract onDurable(batch: LogBatch): void;

  openLog(lastZxid: number): TxnLog {
    const { config } = this;
    return new TxnLog(
      this.disk,
      this.dirs.logs,
      lastZxid,
      {
        preAllocBytes: config.preAllocBytes,
        forceSync: config.forceSync,
        sizeLimitBytes: config.txnLogSizeLimit,
        flushDelayMs: config.flushDelay,
        idleFlushMs: config.maxWriteQueuePollTime,
        maxBatchSize: config.maxBatchSize,
        writtenTogether: this.writtenTogether,
      },
      {
        onDurable: (batch) => this.guard(() => this.onDurable(batch)),
        onFatal: (error) => this.fail(error),
        onSync: (ms, entries) => this.onSync(ms, entries),
      },
      this.runtime,
    );
  }

  newReads(): Reads {
    const { extendedTypesEnabled, maxLength } = this.processorOptions;
    return new Reads(this.database.tree, this.auth, extendedTypesEnabled, maxLength, this.namespaces);
  }

  /** @param reconfigure what a reconfiguration leads to; undefined where there are no members */
  newPreparer(reconfigure?: PrepareOptions['reconfigure']): Preparer {
    const { config } = this;
    return new Preparer(this.database.tree, {
      auth: this.auth,
      extendedTypesEnabled: config.extendedTypesEnabled,
      enforceQuota: config.enforceQuota,
      digestEnabled: config.digestEnabled,
      closeSessionTxnEnabled: config.closeSessionTxnEnabled,
      reconfigEnabled: config.reconfigEnabled,
      ...(reconfigure === undefined ? {} : { reconfigure }),
      maxEntry: config.maxEntry,
      onQuotaExceeded: (path, message, refused) => {
        this.logger.warn({}, message);
        if (refused) this.namespaces.quotaExceeded(path);
      },
    });
  }

  /** To be called when the database is another one. */
  protected followDatabase(): void {
    const { database, namespaces, stats } = this;
    database.onWritten = (buf, start, end, bytes) => namespaces.written(buf, start, end, bytes);
    database.onTriggered = (eventType, watchers) => stats.onTriggered(eventType, watchers);
    if (this.config.auditEnabled)
      this.database.onEphemeralDeleted = (session, path) => this.audit?.ephemeralDeleted(session, path);
  }

  /** Makes the session table follow the transactions. */
  followSessions(sessions: SessionTable<SessionOwner>): void {
    this.database.listener = {
      onSessionCreated: (id, timeout) => {
        sessions.get(id) ?? sessions.track(id, timeout, this.port.now);
      },
      onSessionClosed: (id) => sessions.remove(id),
    };
  }

  /** Where clients are waited for; without a port where they are not, or only over TLS. */
  protected clientAddress(): { readonly port: number | undefined; readonly host: string | undefined } {
    return { port: this.config.clientPort, host: this.config.clientPortAddress };
  }

  /** Opens the client ports; resolves with {@link boundPort}. Rejects with the system's error, EADDRINUSE among them. */
  async listen(): Promise<number> {
    const opened = this.listenForClients();
    // What is told meanwhile of other places for them is done after that.
    this.moving = opened.catch(() => {});
    await opened;
    this.listening = true;
    this.every(SESSIONLESS_CHECK_MS, () => this.port.reapSessionless());
    this.every(COUNTS_MS, () => this.portLogger.tellCounts());
    const { pauseMonitor } = this.config;
    if (pauseMonitor !== undefined)
      this.timers.push(monitorPauses(pauseMonitor, this.runtime, this.logger, this.stats.pauseTime));
    if (this.config.purgeIntervalHours > 0) {
      this.purge();
      this.every(this.config.purgeIntervalHours * HOUR_MS, () => this.purge());
    }
    return this.boundPort;
  }

  private async listenForClients(): Promise<void> {
    const { portUnification, secureClientPort, secureClientPortAddress } = this.config;
    const { port, host } = this.clientAddress();
    if (secureClientPort !== undefined) {
      this.boundSecurePort = await this.port.listen(secureClientPort, secureClientPortAddress, 'tls');
    }
    if (port !== undefined) this.boundPort = await this.port.listen(port, host, portUnification ? 'either' : 'plain');
  }

  /** Takes clients at the address that {@link clientAddress} says now; those that are connected stay. */
  protected moveClientPort(): void {
    this.moving &&= this.moving.then(() => this.openClientPort());
  }

  /** Tries until the port is open, or another one is to be. */
  private async openClientPort(): Promise<void> {
    const { port, host } = this.clientAddress();
    if (port === undefined) return;
    const isWanted = (): boolean => {
      const now = this.clientAddress();
      return !this.stopping && now.port === port && now.host === host;
    };
    const open = (): Promise<number> => this.port.move(port, host, this.config.portUnification ? 'either' : 'plain');
    const bound = await openWhile(isWanted, open, this.runtime, PORT_AGAIN_MS, (error) =>
      this.logger.error(
        { port, error: error.message },
        'the new client port cannot be opened: no new client is taken until it can',
      ),
    );
    if (bound === undefined) return;
    this.boundPort = bound;
    if (this.stopping) await this.port.close(); // once more: this port was not there yet
    this.logger.info({ port: bound }, 'clients are taken at another port now');
  }

  /** Stops: clients are told by closing, everything acknowledged is on disk. */
  async close(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    for (const timer of this.timers) timer.cancel();
    this.portLogger.tellCounts();
    await this.port.close();
    await this.log.close().catch((error: Error) => {
      if (!this.failed) throw error; // otherwise onFatal was told
    });
    // The log has all of it: a snapshot of a large tree would hold up the end for seconds.
    if (this.snapshotting !== null) await this.giveUpSnapshot();
    await this.busy;
    await this.lock?.release();
  }

  /** The last zxid of which the effects are visible. */
  get lastZxid(): number {
    return this.database.tree.lastProcessedZxid;
  }

  /** Its part in an ensemble; undefined for a standalone server. */
  get ensembleView(): EnsembleView | undefined {
    return undefined;
  }

  /** Ends a session as if its time were over. False if it is not known, or not this server's to end. */
  abstract expireSession(id: bigint): boolean;

  /** Begins all counts anew. */
  resetStats(): void {
    this.stats.reset();
    this.port.stats.reset();
    this.namespaces.reset();
  }

  /** Begins the counts of srvr anew: they are those of one role. */
  protected beginCounts(): void {
    this.servingSince = this.runtime.now();
    this.stats.beginCounts();
    this.port.stats.beginCounts();
  }

  /** Why a write could not be served now; undefined if it could. */
  get notReady(): string | undefined {
    if (this.failed) return 'the server has failed';
    if (this.stopping) return 'the server is stopping';
    if (!this.listening) return 'the client port is not open';
    return this.port.serving === null ? 'the server has no part in an ensemble now' : undefined;
  }

  /** Begins a snapshot unless one is being written. */
  startSnapshot(): void {
    if (this.snapshotting !== null) return;
    this.snapshotting = this.writeSnapshot()
      .then(() => {})
      .catch((error: Error) => {
        if (this.stopping) return;
        if (this.givingUpSnapshot) {
          this.logger.info({}, 'a snapshot was given up: the log is kept, another one follows when it is due');
          return;
        }
        this.stats.snapshotErrors++;
        this.logger.error(
          { error: error.message },
          'a snapshot could not be written; the log is kept, the next one will be tried',
        );
      })
      .finally(() => this.snapshotEnded());
  }

  private snapshotEnded(): void {
    this.snapshotting = null;
    // In a turn of its own: an operator who waits for a snapshot comes first, and has this one, too.
    this.runtime.soon(() => {
      if (this.snapshotDue && !this.stopping) this.startSnapshot();
    });
  }

  /** When the next snapshot is due: between half and all of the limits, so that the servers of an ensemble take turns. */
  private drawSnapshotLimits(): void {
    this.snapshotDue = false;
    this.txnsSinceSnapshot = 0;
    this.bytesSinceSnapshot = 0;
    const { snapCount, snapSizeLimit } = this.config;
    const half = Math.floor(snapCount / 2);
    const chance = this.runtime.random();
    this.snapshotAfterTxns = half + Math.floor(chance * Math.max(1, half));
    this.snapshotAfterBytes = snapSizeLimit <= 0 ? Number.POSITIVE_INFINITY : (snapSizeLimit / 2) * (1 + chance);
  }

  /** Writes a snapshot; resolves with the file's name. */
  async writeSnapshot(): Promise<string> {
    this.drawSnapshotLimits();
    const began = this.runtime.now();
    const source = this.database.snapshot();
    this.snapshotSource = source;
    try {
      const options = {
        compression: this.config.snapshotCompression,
        digestEnabled: this.config.digestEnabled,
        serializeLastProcessedZxid: this.config.serializeLastProcessedZxid,
      };
      const soon = (action: () => void): void => this.runtime.soon(action);
      const { file, bytes } = await writeSnapshot(this.disk, this.dirs.snapshots, source, options, soon);
      const ms = this.runtime.now() - began;
      this.stats.snapshotTime.add(ms);
      this.stats.lastSnapshot = { zxid: source.zxid, at: this.runtime.wallTime() };
      this.logger.info({ file, bytes, ms: Math.round(ms) }, 'snapshot written');
      return file;
    } finally {
      source.end();
      this.snapshotSource = null;
    }
  }

  /** Writes a snapshot for an operator, after one that is being written. Resolves with the file's name. */
  async takeSnapshot(): Promise<string> {
    while (this.snapshotting !== null) await this.snapshotting;
    const writing = this.writeSnapshot();
    this.snapshotting = writing
      .then(
        () => {},
        () => {}, // whoever asked is told
      )
      .finally(() => this.snapshotEnded());
    return writing;
  }

  /** Replaces the data by those of a snapshot; resolves with its last zxid. Only where no other server has a say in them. */
  restore?(snapshot: Readable): Promise<number>;

  /** Gives up the snapshot that is being written, if one is: what it is taken from is about to change otherwise than by commits. */
  async giveUpSnapshot(): Promise<void> {
    this.snapshotDue = false;
    this.snapshotSource?.giveUp();
    this.givingUpSnapshot = true;
    await this.snapshotting;
    this.givingUpSnapshot = false;
  }

  private newSessionId(): bigint {
    // Ids begin with the time, which may be set back; the client of a session that is over may still ask for it by its id.
    const id = this.database.freshSessionId(this.nextId);
    this.nextId = id + 1n;
    return id;
  }

  /** What the next start would replay counts for the next snapshot: else many short lives with few writes would add up. */
  protected countReplayed({ replayed, replayedBytes }: Recovered): void {
    this.txnsSinceSnapshot = replayed;
    this.bytesSinceSnapshot = replayedBytes;
  }

  /** Counts applied transactions; begins a snapshot and a new log when enough have come, if this is a moment for that. */
  protected countApplied(txns: number, bytes: number, maySnapshot = true): void {
    this.txnsSinceSnapshot += txns;
    this.bytesSinceSnapshot += bytes;
    if (!maySnapshot) return;
    if (this.txnsSinceSnapshot <= this.snapshotAfterTxns && this.bytesSinceSnapshot <= this.snapshotAfterBytes) return;
    this.log.roll();
    if (this.snapshotting === null) this.startSnapshot();
    else {
      this.snapshotDue = true;
      this.txnsSinceSnapshot = this.bytesSinceSnapshot = 0;
    }
  }

  private onSync(ms: number, entries: number): void {
    this.stats.fsyncTime.add(ms);
    this.stats.batchSize.add(entries);
    if (ms > this.config.fsyncWarningThreshold) {
      this.stats.fsyncThresholdExceeded++;
      this.logger.warn({ ms: Math.round(ms), entries }, 'writing the log was slow: the disk delays every write');
    }
  }

  private warnOf({ remoteAddress, remotePort }: ClientConnection, message: string): void {
    this.portLogger.warn({ client: `${remoteAddress}:${remotePort}` }, message, remoteAddress);
  }

  /** Does something at an interval until the server is closed. */
  protected every(ms: number, action: () => void): void {
    this.timers.push(this.runtime.every(ms, () => this.guard(action)));
  }

  /** Runs what an event asks for, as a turn; an error of ours ends the server. */
  guard(action: () => void): void {
    if (this.failed) return;
    try {
      this.port.beginTurn();
      action();
      this.port.liftLimit();
      this.port.turns.flush();
    } catch (e) {
      this.fail(e as Error);
    }
  }

  private purge(): void {
    const done = (deleted: string[]): void => {
      if (deleted.length > 0) this.logger.info({ deleted }, 'old snapshots and logs purged');
    };
    const failed = (error: Error): void => this.logger.error({ error: error.message }, 'purging failed');
    if (this.disk !== nodeDisk) {
      purge(this.disk, this.dirs, this.config.snapRetainCount).then(done, failed);
      return;
    }
    const worker = new Worker(new URL('./storage/purge-worker.js', import.meta.url), {
      workerData: { dirs: this.dirs, retain: this.config.snapRetainCount },
    });
    worker.on('message', done);
    worker.on('error', failed);
    worker.unref();
  }

  /** Nothing may be acknowledged after this. */
  fail(error: Error): void {
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
