// What the HTTP admin server's commands answer: Apache's names, aliases and fields. Payload first, then `command` and `error`.

import type { Readable } from 'node:stream';
import type { Identity } from '../request/identity.js';
import { interestOps } from './connection-text.js';
import {
  leaderFields,
  observerFields,
  proposalFields,
  resetObserverCounts,
  votingView,
  zabState,
} from './ensemble-fields.js';
import { environment } from './environment.js';
import { type Json, LazyArray, LazyObject } from './jackson.js';
import { bareHex, hex, JavaDouble } from './java-text.js';
import type { LongKind } from './long-answers.js';
import { largestLatency, leastLatency, metricRows } from './metrics.js';
import { withPauses } from './pieces.js';
import type { RateLimit } from './rate-limit.js';
import { type ConnectionView, endsSessions, type ServerView } from './server-view.js';
import { systemProperties, withoutSecrets } from './system-properties.js';
import { collectBySession, countWatchingSessions } from './watch-tables.js';

/** What the query string says; the first value of each name. */
export type Query = Readonly<Record<string, string | undefined>>;

export interface CommandReply {
  readonly status: number;
  readonly payload: { readonly [name: string]: Json };
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent instead of the payload. */
  readonly stream?: Readable;
}

/** What is on and how often it may be called: options of 3.9's snapshot and restore. */
export interface CommandLimits {
  readonly snapshotEnabled: boolean;
  readonly restoreEnabled: boolean;
  readonly snapshotRate: RateLimit;
  readonly restoreRate: RateLimit;
}

export interface CommandRequest {
  readonly query: Query;
  /** The header Authorization. */
  readonly authorization: string | undefined;
  readonly remoteAddress: string;
  /** What the client's certificate proves. */
  readonly identities: readonly Identity[];
  readonly body: Readable | undefined;
}

type Fields = { readonly [name: string]: Json };

interface Command {
  readonly names: readonly [string, ...string[]];
  /** Whether it runs while there is nothing to tell of. */
  readonly always?: boolean;
  /** If it tells of every connection, session or watch. */
  readonly long?: LongKind;
  readonly run: (view: ServerView, query: Query) => Fields | Promise<Fields>;
}

const COMMANDS: readonly Command[] = [
  { names: ['configuration', 'conf', 'config'], run: configuration },
  {
    names: ['connection_stat_reset', 'crst'],
    run: (view) => {
      view.resetConnectionStats();
      return {};
    },
  },
  {
    names: ['connections', 'cons'],
    long: 'connections',
    run: (view) => ({
      connections: connections(view, longForm, false),
      secure_connections: connections(view, longForm, true),
    }),
  },
  {
    names: ['dirs'],
    run: (view) => {
      const { snapshots, logs } = view.dirSizes();
      return { datadir_size: snapshots, logdir_size: logs };
    },
  },
  { names: ['dump'], long: 'tables', run: dump },
  {
    names: ['environment', 'env', 'envi'],
    always: true,
    run: (view) => Object.fromEntries(environment(view.version)),
  },
  { names: ['get_trace_mask', 'gtmk'], always: true, run: (view) => ({ tracemask: view.traceMask }) },
  {
    names: ['hash'],
    run: (view) => ({
      digests: Array.from(view.digests(), ({ zxid, digest }) => ({ zxid, digest, digest_version: 2 })),
    }),
  },
  {
    names: ['initial_configuration', 'icfg'],
    run: (view) => ({ initial_configuration: withoutSecrets(view.conf.text) }),
  },
  { names: ['is_read_only', 'isro'], run: (view) => ({ read_only: view.readOnly }) },
  {
    names: ['last_snapshot', 'lsnp'],
    run: (view) => {
      const { zxid, at } = view.lastSnapshot();
      return { zxid: bareHex(zxid), timestamp: Math.floor(at / 1000) };
    },
  },
  { names: ['leader', 'lead'], run: leaderFields },
  { names: ['monitor', 'mntr'], run: (view) => Object.fromEntries(metricRows(view)) },
  {
    names: ['observer_connection_stat_reset', 'orst'],
    run: (view) => {
      resetObserverCounts(view);
      return {};
    },
  },
  { names: ['observers', 'obsr'], run: observerFields },
  { names: ['ruok'], run: () => ({}) },
  { names: ['server_stats', 'srvr'], run: serverStats },
  { names: ['set_trace_mask', 'stmk'], always: true, run: setTraceMask },
  {
    names: ['stat_reset', 'srst'],
    run: (view) => {
      view.resetStats();
      return {};
    },
  },
  {
    names: ['stats', 'stat'],
    long: 'connections',
    run: (view) => ({
      ...serverStats(view),
      connections: connections(view, shortForm, false),
      secure_connections: connections(view, shortForm, true),
    }),
  },
  { names: ['system_properties', 'sysp'], always: true, run: ({ conf }) => systemProperties(conf.text) },
  { names: ['voting_view'], run: votingView },
  { names: ['watch_summary', 'wchs'], run: watchSummary },
  {
    names: ['watches', 'wchc'],
    long: 'tables',
    run: async (view) => {
      const bySession = await withPauses(collectBySession(view));
      return { session_id_to_watched_paths: new LazyObject(keyed(bySession)) };
    },
  },
  {
    names: ['watches_by_path', 'wchp'],
    long: 'tables',
    run: (view) => ({ path_to_session_ids: new LazyObject(sessionsByPath(view)) }),
  },
  { names: ['zabstate'], always: true, run: zabState },
];

const SNAPSHOT = { names: ['snapshot', 'snap'] } as const;
const RESTORE = { names: ['restore', 'rest'] } as const;

const byName = new Map(COMMANDS.flatMap((command) => command.names.map((name) => [name, command] as const)));

/** The commands' primary names, sorted. */
export const commandNames: readonly string[] = [...COMMANDS, SNAPSHOT, RESTORE].map(({ names }) => names[0]).sort();

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests';

const NO_LAST_ZXID = 'serializeLastProcessedZxid.enabled and digest.enabled have to be true for this';
/** Apache's server lets one member of an ensemble have data of its own; here no two servers disagree about history. */
const ENSEMBLE =
  'A member of an ensemble takes its data from the leader. Put the snapshot alone into the data directory of every server instead';

/** Whether a name is one of the command that takes a body. */
export function isRestore(name: string): boolean {
  return (RESTORE.names as readonly string[]).includes(name);
}

/** Of which kind the command's answers are, if only few are to be made at a time. */
export function longKind(name: string): LongKind | undefined {
  return byName.get(name)?.long;
}

/** Runs a command by any of its names. Errors are told in the reply. */
export async function runAdminCommand(
  view: ServerView,
  limits: CommandLimits,
  name: string,
  request: CommandRequest,
): Promise<CommandReply> {
  if ((SNAPSHOT.names as readonly string[]).includes(name)) return snapshot(view, limits, name, request);
  if (isRestore(name)) return restore(view, limits, name, request);
  const command = byName.get(name);
  if (command === undefined) return failed(200, name, `Unknown command: ${name}`);
  if (!view.active && command.always !== true) return failed(200, name, NOT_SERVING);
  const fields = await command.run(view, request.query);
  const end = { command: command.names[0], error: null };
  // An error of the command's own stands where the command put it, before its name.
  return { status: 200, payload: { ...fields, ...end, ...fields } };
}

export function failed(status: number, command: string, error: string | null): CommandReply {
  return { status, payload: { command, error } };
}

// ---- snapshot and restore (3.9) ----

/** Why such a command is not run; undefined if it is. Apache's status codes and texts. */
function refusal(view: ServerView, name: string, request: CommandRequest): CommandReply | undefined {
  if (!view.active) return failed(200, name, NOT_SERVING);
  if (request.authorization === undefined) return failed(401, name, 'Auth info is missing for the command');
  const authorization = view.authorize(request.authorization, request.remoteAddress, request.identities);
  if (authorization === 'not authenticated') return failed(401, name, 'Not authenticated');
  return authorization === 'not authorized' ? failed(403, name, 'Not authorized') : undefined;
}

async function snapshot(
  view: ServerView,
  limits: CommandLimits,
  name: string,
  request: CommandRequest,
): Promise<CommandReply> {
  const refused = refusal(view, name, request);
  if (refused !== undefined) return refused;
  const command = SNAPSHOT.names[0];
  if (!limits.snapshotEnabled || view.snapshot === undefined) return failed(503, command, null);
  if (!view.snapshotsTellZxid) return failed(500, command, NO_LAST_ZXID);
  if (!limits.snapshotRate.allow()) {
    view.onCommandFailed('snapshotRateLimited');
    return failed(429, command, null);
  }
  try {
    const taken = await view.snapshot();
    const headers = { last_zxid: hex(taken.zxid), snapshot_size: String(taken.size) };
    const streaming = (request.query.streaming ?? 'true').toLowerCase() === 'true';
    const reply = { status: 200, payload: { command, error: null }, headers };
    return streaming ? { ...reply, stream: taken.open() } : reply;
  } catch (e) {
    view.onCommandFailed('snapshotFailed');
    return failed(500, command, (e as Error).message);
  }
}

async function restore(
  view: ServerView,
  limits: CommandLimits,
  name: string,
  request: CommandRequest,
): Promise<CommandReply> {
  const refused = refusal(view, name, request);
  if (refused !== undefined) return refused;
  const command = RESTORE.names[0];
  if (!limits.restoreEnabled) return failed(503, command, null);
  if (view.restore === undefined) return failed(503, command, ENSEMBLE);
  if (!view.snapshotsTellZxid) return failed(500, command, NO_LAST_ZXID);
  if (request.body === undefined) return failed(400, command, null);
  if (!limits.restoreRate.allow()) {
    view.onCommandFailed('restoreRateLimited');
    return failed(429, command, null);
  }
  try {
    const zxid = await view.restore(request.body);
    return { status: 200, payload: { last_zxid: zxid, command, error: null } };
  } catch (e) {
    view.onCommandFailed('restoreFailed');
    return failed(500, command, (e as Error).message);
  }
}

// ---- the others ----

function configuration({ conf }: ServerView): Fields {
  return {
    client_port: conf.clientPort,
    data_dir: conf.snapshotDir,
    data_log_dir: conf.logDir,
    tick_time: conf.tickTime,
    max_client_cnxns: conf.maxClientCnxns,
    min_session_timeout: conf.minSessionTimeout,
    max_session_timeout: conf.maxSessionTimeout,
    server_id: conf.serverId,
    client_port_listen_backlog: conf.clientPortListenBacklog,
  };
}

function serverStats(view: ServerView): Fields {
  const c = view.counts();
  const { snapshots, logs } = view.dirSizes();
  const response = {
    last_buffer_size: c.lastResponseSize,
    min_buffer_size: c.minResponseSize,
    max_buffer_size: c.maxResponseSize,
  };
  const proposals = proposalFields(view);
  return {
    version: view.version,
    read_only: view.readOnly,
    server_stats: {
      packets_sent: c.packetsSent,
      packets_received: c.packetsReceived,
      fsync_threshold_exceed_count: c.fsyncThresholdExceeded,
      client_response_stats: response,
      data_dir_size: snapshots,
      log_dir_size: logs,
      server_state: view.state,
      last_processed_zxid: c.zxid,
      outstanding_requests: c.outstanding,
      avg_latency: JavaDouble.average(c.avgLatency),
      max_latency: largestLatency(c),
      min_latency: leastLatency(c),
      num_alive_client_connections: c.connections,
      uptime: Math.floor(c.uptime),
      auth_failed_count: c.authFailed,
      non_mtlsremote_conn_count: 0,
      non_mtlslocal_conn_count: 0,
      provider_null: false,
    },
    client_response: response,
    ...(proposals === undefined ? {} : { proposal_stats: proposals }),
    node_count: c.nodes,
  };
}

function setTraceMask(view: ServerView, { traceMask }: Query): Fields {
  const usage = 'setTraceMask requires long traceMask argument';
  if (traceMask === undefined) return { error: usage };
  const mask = parseJavaLong(traceMask);
  if (mask === undefined) return { error: `${usage}, got ${traceMask}` };
  view.traceMask = mask;
  return { tracemask: view.traceMask };
}

function parseJavaLong(text: string): bigint | undefined {
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text.replace('+', ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function connections(view: ServerView, form: (c: ConnectionView) => Fields, secure: boolean): LazyArray {
  return new LazyArray(mapped(only(view.connections(), secure), form));
}

function* only(all: Iterable<ConnectionView>, secure: boolean): Generator<ConnectionView> {
  for (const c of all) if (c.secure === secure) yield c;
}

function* mapped<T, U>(items: Iterable<T>, map: (item: T) => U): Generator<U> {
  for (const item of items) yield map(item);
}

function shortForm(c: ConnectionView): Fields {
  return {
    remote_socket_address: c.remote,
    interest_ops: interestOps(c, undefined),
    outstanding_requests: c.outstanding,
    packets_received: c.packetsReceived,
    packets_sent: c.packetsSent,
  };
}

function longForm(c: ConnectionView): Fields {
  const s = c.session;
  if (s === undefined) return shortForm(c);
  return {
    ...shortForm(c),
    session_id: javaLong(s.id),
    last_operation: s.lastOperation,
    established: s.established,
    session_timeout: s.timeout,
    last_cxid: s.lastCxid,
    last_zxid: s.lastZxid,
    last_response_time: s.lastResponseAt,
    last_latency: s.lastLatency,
    min_latency: s.minLatency,
    avg_latency: s.avgLatency,
    max_latency: s.maxLatency,
  };
}

function dump(view: ServerView): Fields {
  const buckets = [...sessionsByDeadline(view)].sort(([a], [b]) => a - b);
  return {
    expiry_time_to_session_ids: new LazyObject(
      mapped(
        buckets,
        ([deadline, ids]) => [String(Math.round(deadline)), new LazyArray(mapped(ids, javaLong))] as const,
      ),
    ),
    session_id_to_ephemeral_paths: new LazyObject(
      mapped(
        [...view.ephemeralOwners()],
        (id) => [String(javaLong(id)), new LazyArray(view.ephemeralPaths(id))] as const,
      ),
    ),
  };
}

/** The sessions that this server ends; a learner shows not even its local ones here. */
function sessionsByDeadline(view: ServerView): ReadonlyMap<number, readonly bigint[]> {
  const byDeadline = new Map<number, readonly bigint[]>();
  if (!endsSessions(view)) return byDeadline;
  for (const which of ['local', 'global'] as const) {
    for (const [deadline, ids] of view.expiryBuckets(which))
      byDeadline.set(deadline, [...(byDeadline.get(deadline) ?? []), ...ids]);
  }
  return byDeadline;
}

async function watchSummary(view: ServerView): Promise<Fields> {
  return {
    num_connections: await withPauses(countWatchingSessions(view)),
    num_paths: view.watchedPaths,
    num_total_watches: view.dataWatches,
  };
}

function* keyed(bySession: ReadonlyMap<bigint, readonly string[]>): Generator<readonly [string, Json]> {
  for (const [id, paths] of bySession) yield [String(javaLong(id)), paths];
}

function* sessionsByPath(view: ServerView): Generator<readonly [string, Json]> {
  for (const [path, ids] of view.watchesByPath()) yield [path, new LazyArray(mapped(ids, javaLong))];
}

/** A session id as Java's signed long has it. */
function javaLong(id: bigint): bigint {
  return BigInt.asIntN(64, id);
}
