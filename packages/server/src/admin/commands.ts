// What the HTTP admin server's commands answer: Apache's names, aliases and fields. Payload first, then `command` and `error`.

import type { ClientConnection } from '../net/client-connection.js';
import type { StandaloneServer } from '../server.js';
import { dirSize } from '../storage/data-dir.js';
import { nodeDisk } from '../storage/node-disk.js';
import { environment } from './environment.js';
import { hex } from './four-letter.js';
import { collectMetrics, flatMetrics, nodeCount, round, versionText } from './metrics.js';
import { shortOpName } from './op-names.js';

export type Payload = Record<string, unknown>;
type Command = (server: StandaloneServer, query: Readonly<Record<string, string | undefined>>) => Payload;

let traceMask = 306;

const NAMES: readonly (readonly [names: readonly string[], run: Command])[] = [
  [['configuration', 'conf', 'config'], configuration],
  [['connections', 'cons'], (server) => ({ connections: connections(server, longForm), secure_connections: [] })],
  [
    ['connection_stat_reset', 'crst'],
    (server) => {
      for (const c of server.port.connections) c.resetStats();
      return {};
    },
  ],
  [
    ['dirs'],
    (server) => ({
      datadir_size: dirSize(nodeDisk, server.dirs.snapshots),
      logdir_size: dirSize(nodeDisk, server.dirs.logs),
    }),
  ],
  [['dump'], dump],
  [['environment', 'env', 'envi'], () => Object.fromEntries(environment())],
  [['get_trace_mask', 'gtmk'], () => ({ tracemask: traceMask })],
  [
    ['hash'],
    (server) => ({
      digests: server.database.tree.digestLog.map(({ zxid, digest }) => ({
        zxid,
        digest: Number(digest),
        digest_version: 2,
      })),
    }),
  ],
  [['initial_configuration', 'icfg'], (server) => ({ initial_configuration: server.config.text })],
  [['is_read_only', 'isro'], () => ({ read_only: false })],
  [
    ['last_snapshot', 'lsnp'],
    (server) => ({
      zxid: hex(server.stats.lastSnapshot.zxid),
      timestamp: Math.floor(server.stats.lastSnapshot.at / 1000),
    }),
  ],
  [['leader', 'lead'], () => ({ error: 'server is not initialized' })],
  [['monitor', 'mntr'], (server) => Object.fromEntries(flatMetrics(collectMetrics(server)))],
  [['observer_connection_stat_reset', 'orst'], () => ({})],
  [['observers', 'obsr'], () => ({ synced_observers: 0, observers: [] })],
  [['ruok'], () => ({})],
  [['server_stats', 'srvr'], serverStats],
  [
    ['set_trace_mask', 'stmk'],
    (_server, query) => {
      const mask = Number(query.traceMask);
      if (query.traceMask === undefined || !Number.isInteger(mask)) {
        return { error: 'setTraceMask requires long traceMask argument' };
      }
      traceMask = mask;
      return { tracemask: mask };
    },
  ],
  [
    ['stats', 'stat'],
    (server) => ({ ...serverStats(server), connections: connections(server, shortForm), secure_connections: [] }),
  ],
  [
    ['stat_reset', 'srst'],
    (server) => {
      server.resetStats();
      return {};
    },
  ],
  [['system_properties', 'sysp'], () => ({ 'node.version': process.version, 'user.dir': process.cwd() })],
  [['voting_view'], () => ({ current_config: {} })],
  [['watches', 'wchc'], (server) => ({ session_id_to_watched_paths: bySession(server) })],
  [['watches_by_path', 'wchp'], (server) => ({ path_to_session_ids: byPath(server) })],
  [['watch_summary', 'wchs'], watchSummary],
  [['zabstate'], () => ({ voting: false, zabstate: '' })],
];

const byName = new Map(
  NAMES.flatMap(([names, run]) => names.map((name) => [name, { primary: names[0] as string, run }] as const)),
);

/** The commands' primary names, in order. */
export const commandNames: readonly string[] = NAMES.map(([names]) => names[0] as string).sort();

/** Runs a command by any of its names. */
export function runAdminCommand(
  server: StandaloneServer,
  name: string,
  query: Readonly<Record<string, string | undefined>>,
): Payload {
  const command = byName.get(name);
  if (command === undefined) return { command: name, error: `Unknown command: ${name}` };
  const { error = null, ...payload } = command.run(server, query);
  return { ...payload, command: command.primary, error };
}

function configuration({ config, dirs, boundPort }: StandaloneServer): Payload {
  return {
    client_port: boundPort,
    data_dir: dirs.snapshots,
    data_log_dir: dirs.logs,
    tick_time: config.tickTime,
    max_client_cnxns: config.maxClientCnxns,
    min_session_timeout: config.minSessionTimeout,
    max_session_timeout: config.maxSessionTimeout,
    server_id: 0,
    client_port_listen_backlog: config.clientPortListenBacklog ?? -1,
  };
}

function serverStats(server: StandaloneServer): Payload {
  const { stats, port, processor, dirs } = server;
  const response = {
    last_buffer_size: stats.lastResponseSize,
    min_buffer_size: stats.minResponseSize,
    max_buffer_size: stats.maxResponseSize,
  };
  return {
    version: versionText(),
    read_only: false,
    server_stats: {
      packets_sent: port.stats.packetsSent,
      packets_received: port.stats.packetsReceived,
      fsync_threshold_exceed_count: stats.fsyncThresholdExceeded,
      client_response_stats: response,
      data_dir_size: dirSize(nodeDisk, dirs.snapshots),
      log_dir_size: dirSize(nodeDisk, dirs.logs),
      provider_null: false,
      server_state: 'standalone',
      last_processed_zxid: server.lastZxid,
      outstanding_requests: processor.outstanding,
      avg_latency: round(stats.latency.average),
      max_latency: Math.max(0, Math.floor(stats.latency.max)),
      min_latency: Math.max(0, Math.floor(stats.latency.min)),
      num_alive_client_connections: port.connections.size,
      uptime: Date.now() - server.startedAt,
      auth_failed_count: port.stats.authFailed,
      non_mtlsremote_conn_count: 0,
      non_mtlslocal_conn_count: 0,
    },
    client_response: response,
    node_count: nodeCount(server),
  };
}

function connections(server: StandaloneServer, form: (c: ClientConnection) => Payload): Payload[] {
  return Array.from(server.port.connections, form);
}

function shortForm(c: ClientConnection): Payload {
  return {
    remote_socket_address: `${c.remoteAddress}:${c.remotePort}`,
    interest_ops: 1,
    outstanding_requests: c.outstanding,
    packets_received: c.packetsReceived,
    packets_sent: c.packetsSent,
  };
}

function longForm(c: ClientConnection): Payload {
  const { session } = c;
  if (session === undefined) return shortForm(c);
  return {
    ...shortForm(c),
    session_id: Number(session.id),
    last_operation: shortOpName(c.lastOp),
    established: c.established,
    session_timeout: session.timeout,
    last_cxid: c.lastCxid,
    last_zxid: c.lastZxid,
    last_response_time: c.lastResponseAt,
    last_latency: Math.floor(c.lastLatency),
    min_latency: Math.max(0, Math.floor(c.minLatency)),
    avg_latency: c.answeredCount === 0 ? 0 : Math.floor(c.totalLatency / c.answeredCount),
    max_latency: Math.floor(c.maxLatency),
  };
}

function dump(server: StandaloneServer): Payload {
  const wall = Date.now() - performance.now();
  const expiry: Record<string, number[]> = {};
  for (const [deadline, bucket] of server.sessions.expiryBuckets()) {
    expiry[Math.round(wall + deadline)] = Array.from(bucket, (s) => Number(s.id));
  }
  const ephemerals: Record<string, string[]> = {};
  for (const owner of server.database.tree.ephemeralOwners()) {
    ephemerals[String(owner)] = server.database.tree.ephemeralPaths(owner);
  }
  return { expiry_time_to_session_ids: expiry, session_id_to_ephemeral_paths: ephemerals };
}

function bySession(server: StandaloneServer): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (const [path, watchers] of server.database.tree.watches.byPath()) {
    for (const w of watchers) {
      const id = String((w as ClientConnection).session?.id ?? 0);
      out[id] ??= [];
      out[id].push(path);
    }
  }
  return out;
}

function byPath(server: StandaloneServer): Record<string, number[]> {
  const out: Record<string, number[]> = {};
  for (const [path, watchers] of server.database.tree.watches.byPath()) {
    out[path] = Array.from(watchers, (w) => Number((w as ClientConnection).session?.id ?? 0));
  }
  return out;
}

function watchSummary(server: StandaloneServer): Payload {
  const { watches } = server.database.tree;
  const watchers = new Set<unknown>();
  for (const [, at] of watches.byPath()) for (const w of at) watchers.add(w);
  return {
    num_connections: watchers.size,
    num_paths: watches.dataPathCount,
    num_total_watches: watches.dataWatchCount,
  };
}
