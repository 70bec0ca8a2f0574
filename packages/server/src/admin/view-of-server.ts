// A running server as the admin side sees it.

import { createReadStream, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { EventType } from '@nodekeeper/protocol';
import type { EnsembleView } from '../ensemble-view.js';
import { authenticate } from '../net/auth.js';
import type { ClientConnection } from '../net/client-connection.js';
import { bracketed, javaAddress } from '../quorum/java-address.js';
import { allows, type Identity } from '../request/identity.js';
import type { Server } from '../server.js';
import { dirSize } from '../storage/data-dir.js';
import { parseSnapshotName, sortedSnapshots } from '../storage/file-names.js';
import { nodeDisk } from '../storage/node-disk.js';
import { ROOT } from '../tree/node-store.js';
import { BUILD_DATE, FULL_VERSION } from '../version.js';
import { ensembleCounter, ensembleSummary } from './ensemble-metrics.js';
import { shortOpName } from './op-names.js';
import { quotaGauge } from './quota-metrics.js';
import { Readiness } from './readiness.js';
import type {
  Authorization,
  CommandFailure,
  ConfView,
  ConnectionSession,
  ConnectionView,
  Counts,
  ServerView,
  SnapshotStream,
  SummaryView,
} from './server-view.js';

const DEFAULT_TRACE_MASK = 306n;
const PERMISSION_BITS = [1, 2, 4, 8, 16];
/** What stands in `lastOp` when nothing does. */
const NO_OPERATION = -1_000;

const views = new WeakMap<Server, ServerView>();

/** The one view of a server: words and HTTP commands share what it keeps. */
export function viewOf(server: Server): ServerView {
  let view = views.get(server);
  if (view === undefined) {
    view = new RunningView(server);
    views.set(server, view);
  }
  return view;
}

class RunningView implements ServerView {
  private readonly server: Server;
  readonly version = `${FULL_VERSION}, built on ${BUILD_DATE}`;
  traceMask = DEFAULT_TRACE_MASK;

  private readonly readiness = new Readiness(() => performance.now());
  restore?: (snapshot: Readable) => Promise<number>;

  constructor(server: Server) {
    this.server = server;
    if (server.restore !== undefined) this.restore = (snapshot) => server.restore?.(snapshot) as Promise<number>;
  }

  get state(): string {
    return this.server.mode;
  }

  get readOnly(): boolean {
    return this.server.port.readOnly;
  }

  get serving(): boolean {
    return this.server.notReady === undefined;
  }

  get active(): boolean {
    return this.serving || this.server.ensembleView?.part !== undefined;
  }

  get ensemble(): EnsembleView | undefined {
    return this.server.ensembleView;
  }

  get conf(): ConfView {
    const { config, dirs, boundPort, boundSecurePort } = this.server;
    return {
      clientPort: boundPort,
      secureClientPort: boundSecurePort,
      clientAddress:
        boundPort < 0 ? undefined : { host: javaAddress(config.clientPortAddress ?? '0.0.0.0'), port: boundPort },
      snapshotDir: resolve(dirs.snapshots),
      logDir: resolve(dirs.logs),
      tickTime: config.tickTime,
      maxClientCnxns: config.maxClientCnxns,
      minSessionTimeout: config.minSessionTimeout,
      maxSessionTimeout: config.maxSessionTimeout,
      clientPortListenBacklog: config.clientPortListenBacklog ?? -1,
      // Apache's standalone server says 0, though its session ids begin with 1.
      serverId: this.server.mode === 'standalone' ? 0 : this.server.id,
      text: config.text,
    };
  }

  counts(): Counts {
    const { stats, port, database, runtime, servingSince } = this.server;
    const { tree } = database;
    const { serving } = port;
    return {
      packetsReceived: port.stats.packetsReceived,
      packetsSent: port.stats.packetsSent,
      minLatency: stats.latency.min,
      avgLatency: stats.latency.average,
      maxLatency: stats.latency.max,
      outstanding: serving?.processor.outstanding ?? 0,
      zxid: this.server.lastZxid,
      connections: port.connections.size,
      globalSessions: database.sessionTimeouts.size,
      localSessions: this.localSessions,
      nodes: tree.store.count + 1,
      ephemerals: tree.ephemeralCount,
      watches: tree.watches.count,
      approximateDataSize: tree.store.dataBytes + tree.store.pathBytes,
      lastResponseSize: withoutPrefix(stats.lastResponseSize),
      minResponseSize: withoutPrefix(stats.minResponseSize),
      maxResponseSize: withoutPrefix(stats.maxResponseSize),
      authFailed: port.stats.authFailed,
      fsyncThresholdExceeded: stats.fsyncThresholdExceeded,
      dropProbability: port.dropProbability,
      handshakes: port.handshakes,
      uptime: runtime.now() - servingSince,
    };
  }

  private get localSessions(): number {
    if (this.ensemble?.localSessions !== true) return 0;
    let count = 0;
    for (const { local } of this.server.port.serving?.sessions.values() ?? []) if (local) count++;
    return count;
  }

  counter(name: string): number | undefined {
    const { stats, port, database } = this.server;
    switch (name) {
      case 'bytes_received_count':
        return port.stats.bytesReceived;
      case 'watch_bytes':
        return port.stats.watchBytes;
      case 'response_bytes':
        return port.stats.bytesSent;
      case 'connection_request_count':
        return port.stats.connectionRequests;
      case 'connection_drop_count':
        return port.stats.dropped;
      case 'connection_revalidate_count':
        return port.stats.revalidations;
      case 'connection_rejected':
        return port.stats.rejected;
      case 'sessionless_connections_expired':
        return port.stats.sessionlessExpired;
      case 'ensemble_auth_success':
        return port.stats.ensembleNamesRight;
      case 'ensemble_auth_fail':
        return port.stats.ensembleNamesWrong;
      case 'ensemble_auth_skip':
        return port.stats.ensembleNamesSkipped;
      case 'unsuccessful_handshake':
        return port.stats.handshakesFailed;
      case 'tls_handshake_exceeded':
        return port.stats.handshakesRefused;
      case 'cnxn_closed_without_zk_server_running':
        return port.stats.droppedEarly;
      case 'large_requests_rejected':
        return port.stats.largeRequestsRejected;
      case 'request_throttle_wait_count':
        return port.throttler?.waitCount;
      case 'stale_requests':
        return port.throttler?.staleRequests;
      case 'stale_requests_dropped':
        return port.throttler?.staleRequestsDropped;
      case 'stale_replies':
        return stats.staleReplies;
      case 'throttled_ops':
        return port.throttler?.throttledOps;
      case 'stale_sessions_expired':
        return stats.staleSessionsExpired;
      case 'digest_mismatches_count':
        return database.tree.digestMismatches;
      case 'snapshot_error_count':
        return stats.snapshotErrors;
      case 'snapshot_rate_limited_count':
        return stats.snapshotsRateLimited;
      case 'restore_error_count':
        return stats.restoreErrors;
      case 'restore_rate_limited_count':
        return stats.restoresRateLimited;
      default:
        return this.ensemble === undefined ? undefined : ensembleCounter(name, this.ensemble.stats);
    }
  }

  summary(name: string): SummaryView | undefined {
    const { stats } = this.server;
    switch (name) {
      case 'readlatency':
        return stats.readLatency;
      case 'updatelatency':
        return stats.updateLatency;
      case 'fsynctime':
        return stats.fsyncTime;
      case 'jvm_pause_time_ms':
        return stats.pauseTime;
      case 'snapshottime':
        return stats.snapshotTime;
      case 'request_throttle_queue_time_ms':
        return stats.requestQueueTime;
      case 'sync_processor_batch_size':
        return stats.batchSize;
      case 'restore_time':
        return stats.restoreTime;
      case 'startup_snap_load_time':
        return stats.startupSnapshotTime;
      case 'startup_txns_load_time':
        return stats.startupTxnsTime;
      case 'startup_txns_loaded':
        return stats.startupTxns;
      case 'dbinittime':
        return stats.dbInitTime;
      case 'node_created_watch_count':
        return stats.watchesTriggered.get(EventType.nodeCreated);
      case 'node_deleted_watch_count':
        return stats.watchesTriggered.get(EventType.nodeDeleted);
      case 'node_changed_watch_count':
        return stats.watchesTriggered.get(EventType.nodeDataChanged);
      case 'node_children_watch_count':
        return stats.watchesTriggered.get(EventType.nodeChildrenChanged);
      case 'propagation_latency':
        return stats.propagationLatency;
      default:
        return this.ensemble === undefined ? undefined : ensembleSummary(name, this.ensemble.stats);
    }
  }

  *summarySet(name: string): Generator<readonly [string, SummaryView]> {
    if (name === 'ack_latency') {
      for (const [id, series] of this.ensemble?.stats.ackLatency ?? []) yield [String(id), series];
      return;
    }
    if (name !== 'read_per_namespace' && name !== 'write_per_namespace') return;
    for (const namespace of this.server.namespaces.values()) {
      const series = name === 'read_per_namespace' ? namespace.reads : namespace.writes;
      if (series !== undefined) yield [namespace.name, series];
    }
  }

  numberSet(name: string): Iterable<readonly [string, number]> {
    const { tree } = this.server.database;
    return name === 'quota_exceeded_error_per_namespace' ? this.quotasExceeded() : quotaGauge(tree, name);
  }

  private *quotasExceeded(): Generator<readonly [string, number]> {
    for (const { name, quotaExceeded } of this.server.namespaces.values()) {
      if (quotaExceeded !== undefined) yield [name, quotaExceeded];
    }
  }

  dirSizes(): { snapshots: number; logs: number } {
    const { dirs } = this.server;
    return { snapshots: dirSize(nodeDisk, dirs.snapshots), logs: dirSize(nodeDisk, dirs.logs) };
  }

  lastSnapshot(): { readonly zxid: number; readonly at: number } {
    const { stats, dirs } = this.server;
    return stats.lastSnapshot ?? newestSnapshot(dirs.snapshots) ?? { zxid: -1, at: -1 };
  }

  digests(): Iterable<{ zxid: number; digest: bigint }> {
    return this.server.database.tree.digestLog;
  }

  *connections(): Generator<ConnectionView> {
    const interval = this.server.config.sessionlessCnxnTimeout;
    for (const c of this.server.port.connections) yield connectionView(c, interval);
  }

  *expiryBuckets(which: 'local' | 'global'): Generator<readonly [number, Iterable<bigint>]> {
    // A leader has sessions though it may serve no clients.
    const { leading } = this.ensemble?.part ?? {};
    const buckets = leading?.expiryBuckets() ?? this.server.port.serving?.sessions.expiryBuckets() ?? [];
    for (const [deadline, sessions] of buckets) {
      const found = [...ids(sessions, which === 'local')];
      if (found.length > 0) yield [deadline, found];
    }
  }

  globalSessions(): Iterable<readonly [bigint, number]> {
    return this.server.database.sessionTimeouts;
  }

  ephemeralOwners(): Iterable<bigint> {
    return this.server.database.tree.ephemeralOwners();
  }

  /** One by one, of what is there by then: who asks may take their time. */
  *ephemeralPaths(owner: bigint): Generator<string> {
    const { tree } = this.server.database;
    for (const id of tree.ephemeralIds(owner) ?? []) yield tree.store.path(id);
  }

  *watchesByPath(): Generator<readonly [string, Iterable<bigint>]> {
    for (const [path, watchers] of this.server.database.tree.watches.byPath()) {
      yield [path, sessionsOf(watchers as Iterable<ClientConnection>)];
    }
  }

  get watchedPaths(): number {
    return this.server.database.tree.watches.dataPathCount;
  }

  get dataWatches(): number {
    return this.server.database.tree.watches.dataWatchCount;
  }

  wallClock(monotonic: number): number {
    return Date.now() - performance.now() + monotonic;
  }

  onAnswered(): void {
    this.server.port.stats.packetsSent++;
  }

  resetStats(): void {
    this.server.resetStats();
  }

  resetConnectionStats(): void {
    for (const c of this.server.port.connections) {
      c.resetStats();
      c.lastOp = NO_OPERATION;
      c.lastCxid = -1;
      c.lastZxid = -1;
      c.lastResponseAt = 0;
    }
  }

  async whyNotReady(): Promise<string | undefined> {
    const { server } = this;
    const { serving } = server.port;
    if (server.notReady !== undefined || serving === null) return server.notReady ?? 'clients are not served';
    const tried = await this.readiness.whyNot({
      on: serving.processor,
      probe: (done) => server.guard(() => serving.processor.probe(done)),
    });
    return server.notReady ?? tried;
  }

  onCommandFailed(what: CommandFailure): void {
    const { stats } = this.server;
    if (what === 'snapshotRateLimited') stats.snapshotsRateLimited++;
    else if (what === 'snapshotFailed') stats.snapshotErrors++;
    else if (what === 'restoreRateLimited') stats.restoresRateLimited++;
    else stats.restoreErrors++;
  }

  get snapshotsTellZxid(): boolean {
    const { serializeLastProcessedZxid, digestEnabled } = this.server.config;
    return serializeLastProcessedZxid && digestEnabled; // without digests no trailers are written
  }

  async snapshot(): Promise<SnapshotStream> {
    const { server } = this;
    const file = await server.takeSnapshot();
    const path = join(server.dirs.snapshots, file);
    return {
      zxid: parseSnapshotName(file)?.zxid ?? 0,
      size: server.disk.size(path) ?? 0,
      open: () => createReadStream(path),
    };
  }

  // `<scheme> <token>`: who this proves has to have each permission on the root. Scheme x509 goes by the client's certificate.
  authorize(header: string, remoteAddress: string, byCertificate: readonly Identity[]): Authorization {
    const parts = header.split(' ');
    const [scheme = '', token] = parts;
    if (parts.length > 2) return 'not authenticated';
    const { port, database } = this.server;
    const given = token === undefined ? null : Buffer.from(token);
    const identities = authenticate(port.authSettings, scheme, given, remoteAddress, byCertificate);
    if (identities === null) return 'not authenticated';
    const aclId = database.tree.aclOf(ROOT);
    const list = database.tree.acls.get(aclId);
    const every = PERMISSION_BITS.every((bit) => allows(port.auth, aclId, list, bit, identities));
    return every ? 'allowed' : 'not authorized';
  }
}

/** The one that a server has begun from that has not written any yet. */
function newestSnapshot(dir: string): { readonly zxid: number; readonly at: number } | undefined {
  const newest = sortedSnapshots(nodeDisk.list(dir))[0];
  const file = newest && statSync(join(dir, newest.file), { throwIfNoEntry: false });
  return newest && file && { zxid: newest.zxid, at: file.mtimeMs };
}

/** Apache's sizes of replies do not count the length in front. */
function withoutPrefix(bytes: number): number {
  return bytes < 0 ? bytes : bytes - 4;
}

function* ids(
  sessions: Iterable<{ readonly id: bigint; readonly local: boolean }>,
  whichLocal: boolean,
): Generator<bigint> {
  for (const { id, local } of sessions) if (local === whichLocal) yield id;
}

function* sessionsOf(watchers: Iterable<ClientConnection>): Generator<bigint> {
  for (const { session } of watchers) yield session?.id ?? 0n;
}

/** Deadlines of connections are rounded up to whole intervals, as Apache keeps them. */
function connectionView(c: ClientConnection, interval: number): ConnectionView {
  const end = c.session?.deadline ?? c.openedAt + interval;
  return {
    identity: c,
    remote: `${bracketed(c.remoteAddress)}:${c.remotePort}`,
    secure: c.secure,
    outstanding: c.outstanding,
    packetsReceived: c.packetsReceived,
    packetsSent: c.packetsSent,
    deadline: Math.ceil(end / interval) * interval,
    session: c.session === undefined ? undefined : sessionView(c, c.session.id, c.session.timeout),
  };
}

function sessionView(c: ClientConnection, id: bigint, timeout: number): ConnectionSession {
  const sinceStart = Date.now() - performance.now();
  return {
    id,
    timeout,
    lastOperation: shortOpName(c.lastOp),
    established: c.established,
    lastCxid: c.lastCxid,
    lastZxid: c.lastZxid,
    lastResponseAt: c.lastResponseAt === 0 ? 0 : Math.max(0, Math.floor(c.lastResponseAt - sinceStart)),
    lastLatency: Math.floor(c.lastLatency),
    minLatency: Math.max(0, Math.floor(c.minLatency)),
    avgLatency: c.answeredCount === 0 ? 0 : Math.floor(c.totalLatency / c.answeredCount),
    maxLatency: Math.floor(c.maxLatency),
  };
}
