// Four-letter words: asked with four bytes on the client port, answered with text, then the connection is closed. Outputs are
// Apache's; those that can be long are made piece by piece, as fast as they are taken.

import { Readable } from 'node:stream';
import type { ClientConnection } from '../net/client-connection.js';
import type { StandaloneServer } from '../server.js';
import { dirSize } from '../storage/data-dir.js';
import { nodeDisk } from '../storage/node-disk.js';
import { environment } from './environment.js';
import { javaDate } from './java-date.js';
import { collectMetrics, flatMetrics, javaDouble, nodeCount, round, versionText } from './metrics.js';
import { shortOpName } from './op-names.js';

type Lines = Iterable<string>;

const WORDS = 'conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs'.split(' ');
/** What a telnet client sends to close. */
const TELNET_CLOSE = -720899;
const DEFAULT_TRACE_MASK = 306n;

export class FourLetterWords {
  private readonly server: StandaloneServer;
  private readonly byCode = new Map<number, string>(WORDS.map((word) => [Buffer.from(word).readInt32BE(0), word]));
  private readonly allowed: ReadonlySet<string>;
  private traceMask = DEFAULT_TRACE_MASK;

  constructor(server: StandaloneServer) {
    this.server = server;
    const { fourLetterWords } = server.config;
    this.allowed = new Set(fourLetterWords.includes('*') ? WORDS : fourLetterWords);
  }

  isCommand(code: number): boolean {
    return code === TELNET_CLOSE || this.byCode.has(code);
  }

  /** Answers and closes. `rest` is what came behind the word. */
  run(connection: ClientConnection, code: number, rest: Buffer): void {
    const word = this.byCode.get(code);
    const { socket } = connection;
    if (word === undefined) {
      socket.end();
      return;
    }
    this.server.port.stats.packetsSent++;
    if (!this.allowed.has(word)) {
      socket.end(`${word} is not executed because it is not in the whitelist.\n`);
      return;
    }
    const lines = this.answer(word, connection, rest);
    if (typeof lines === 'string') socket.end(lines);
    else Readable.from(lines).pipe(socket);
  }

  private answer(word: string, connection: ClientConnection, rest: Buffer): string | Lines {
    switch (word) {
      case 'ruok':
        return 'imok';
      case 'isro':
        return 'rw';
      case 'srvr':
        return `${this.versionLine()}${this.counters()}`;
      case 'stat':
        return this.stat(connection);
      case 'conf':
        return this.conf();
      case 'cons':
        return this.cons(connection);
      case 'crst':
        for (const c of this.server.port.connections) c.resetStats();
        return 'Connection stats reset.\n';
      case 'srst':
        this.server.resetStats();
        return 'Server stats reset.\n';
      case 'dump':
        return this.dump();
      case 'envi':
        return `Environment:\n${environment()
          .map(([k, v]) => `${k}=${v}\n`)
          .join('')}`;
      case 'wchs': {
        const { watches } = this.server.database.tree;
        const watchers = new Set<unknown>();
        for (const [, at] of watches.byPath()) for (const w of at) watchers.add(w);
        return `${watchers.size} connections watching ${watches.dataPathCount} paths\nTotal watches:${watches.dataWatchCount}\n`;
      }
      case 'wchc':
        return this.watchesBySession();
      case 'wchp':
        return this.watchesByPath();
      case 'dirs': {
        const { dirs } = this.server;
        return `datadir_size: ${dirSize(nodeDisk, dirs.snapshots)}\nlogdir_size: ${dirSize(nodeDisk, dirs.logs)}\n`;
      }
      case 'hash':
        return this.server.database.tree.digestLog
          .map(({ zxid, digest }) => `${zxid.toString(16)}: ${digest}\n`)
          .join('');
      case 'gtmk':
        return String(this.traceMask);
      case 'stmk':
        if (rest.length >= 8) this.traceMask = rest.readBigInt64BE(0);
        return String(this.traceMask);
      default:
        return this.mntr();
    }
  }

  private versionLine(): string {
    return `Zookeeper version: ${versionText()}\n`;
  }

  private counters(): string {
    const { stats, port, processor } = this.server;
    const { latency } = stats;
    return [
      `Latency min/avg/max: ${Math.max(0, Math.floor(latency.min))}/${javaDouble(round(latency.average))}/${Math.max(0, Math.floor(latency.max))}`,
      `Received: ${port.stats.packetsReceived}`,
      `Sent: ${port.stats.packetsSent}`,
      `Connections: ${port.connections.size}`,
      `Outstanding: ${processor.outstanding}`,
      `Zxid: 0x${this.server.lastZxid.toString(16)}`,
      'Mode: standalone',
      `Node count: ${nodeCount(this.server)}`,
      '',
    ].join('\n');
  }

  private *stat(self: ClientConnection): Lines {
    yield `${this.versionLine()}Clients:\n`;
    for (const c of this.server.port.connections) yield `${shortLine(c, self)}\n`;
    yield `\n${this.counters()}`;
  }

  private *cons(self: ClientConnection): Lines {
    for (const c of this.server.port.connections) yield `${longLine(c, self)}\n`;
    yield '\n';
  }

  private conf(): string {
    const { config, dirs } = this.server;
    return [
      `clientPort=${this.server.boundPort}`,
      'secureClientPort=-1',
      `dataDir=${dirs.snapshots}`,
      `dataDirSize=${dirSize(nodeDisk, dirs.snapshots)}`,
      `dataLogDir=${dirs.logs}`,
      `dataLogSize=${dirSize(nodeDisk, dirs.logs)}`,
      `tickTime=${config.tickTime}`,
      `maxClientCnxns=${config.maxClientCnxns}`,
      `minSessionTimeout=${config.minSessionTimeout}`,
      `maxSessionTimeout=${config.maxSessionTimeout}`,
      `clientPortListenBacklog=${config.clientPortListenBacklog ?? -1}`,
      'serverId=0',
      '',
    ].join('\n');
  }

  private *dump(): Lines {
    const { sessions, database, port } = this.server;
    const { tree } = database;
    const wall = Date.now() - performance.now();
    const buckets = [...sessions.expiryBuckets()].sort(([a], [b]) => a - b);
    yield `SessionTracker dump:\nSession Sets (${buckets.length})/(${sessions.size}):\n`;
    for (const [deadline, bucket] of buckets) {
      const ids = [...bucket];
      yield `${ids.length} expire at ${javaDate(wall + deadline)}:\n`;
      for (const session of ids) yield `\t${hex(session.id)}\n`;
    }
    const owners = [...tree.ephemeralOwners()];
    yield `ephemeral nodes dump:\nSessions with Ephemerals (${owners.length}):\n`;
    for (const owner of owners) {
      yield `${hex(owner)}:\n`;
      for (const path of tree.ephemeralPaths(owner)) yield `\t${path}\n`;
    }
    const byDeadline = new Map<number, ClientConnection[]>();
    for (const c of port.connections) {
      const deadline = c.session?.deadline ?? c.openedAt + this.server.config.sessionlessCnxnTimeout;
      byDeadline.set(deadline, [...(byDeadline.get(deadline) ?? []), c]);
    }
    yield `Connections dump:\nConnections Sets (${byDeadline.size})/(${port.connections.size}):\n`;
    for (const [deadline, connections] of [...byDeadline].sort(([a], [b]) => a - b)) {
      yield `${connections.length} expire at ${javaDate(wall + deadline)}:\n`;
      for (const c of connections) {
        yield `\tip: /${c.remoteAddress}:${c.remotePort} sessionId: ${hex(c.session?.id ?? 0n)}\n`;
      }
    }
  }

  private *watchesBySession(): Lines {
    const paths = new Map<bigint, string[]>();
    for (const [path, watchers] of this.server.database.tree.watches.byPath()) {
      for (const watcher of watchers) {
        const id = (watcher as ClientConnection).session?.id ?? 0n;
        const known = paths.get(id);
        if (known === undefined) paths.set(id, [path]);
        else known.push(path);
      }
    }
    for (const [id, watched] of paths) {
      yield `${hex(id)}\n`;
      for (const path of watched) yield `\t${path}\n`;
    }
    yield '\n';
  }

  private *watchesByPath(): Lines {
    for (const [path, watchers] of this.server.database.tree.watches.byPath()) {
      yield `${path}\n`;
      for (const watcher of watchers) yield `\t${hex((watcher as ClientConnection).session?.id ?? 0n)}\n`;
    }
    yield '\n';
  }

  private mntr(): string {
    let text = '';
    for (const [key, value] of flatMetrics(collectMetrics(this.server))) {
      const double = key.startsWith('avg_') || key === 'connection_drop_probability';
      text += `zk_${key}\t${double && typeof value === 'number' ? javaDouble(value) : value}\n`;
    }
    return text;
  }
}

export function hex(n: bigint | number): string {
  return `0x${typeof n === 'number' ? (n < 0 ? 'ffffffffffffffff' : n.toString(16)) : BigInt.asUintN(64, n).toString(16)}`;
}

/** Interest as Java's selector has it: 1 while requests are read; 0 for the connection that asks. */
function interest(c: ClientConnection, self: ClientConnection): number {
  return c === self ? 0 : 1;
}

function shortLine(c: ClientConnection, self: ClientConnection): string {
  return ` /${c.remoteAddress}:${c.remotePort}[${interest(c, self)}](queued=${c.outstanding},recved=${c.packetsReceived},sent=${c.packetsSent})`;
}

function longLine(c: ClientConnection, self: ClientConnection): string {
  const short = shortLine(c, self);
  if (c.session === undefined) return short;
  const average = c.answeredCount === 0 ? 0 : Math.floor(c.totalLatency / c.answeredCount);
  return `${short.slice(0, -1)},sid=${hex(c.session.id)},lop=${shortOpName(c.lastOp)},est=${c.established},to=${c.session.timeout},lcxid=${hex(c.lastCxid)},lzxid=${hex(c.lastZxid)},lresp=${c.lastResponseAt},llat=${Math.floor(c.lastLatency)},minlat=${Math.max(0, Math.floor(c.minLatency))},avglat=${average},maxlat=${Math.floor(c.maxLatency)})`;
}
