// Four-letter words: asked with four bytes on the client port, answered with text, then the connection is closed. Outputs are
// Apache's, byte for byte; those that can be long are made piece by piece.

import type { ClientConnection } from '../net/client-connection.js';
import type { Server } from '../server.js';
import { longLine, shortLine } from './connection-text.js';
import { confLines, proposalLine } from './ensemble-fields.js';
import { environment } from './environment.js';
import { bareHex, hex, JavaDouble, javaDate } from './java-text.js';
import { largestLatency, leastLatency } from './metrics.js';
import { mntrText } from './mntr.js';
import { type Pieces, sendPieces } from './pieces.js';
import { type ConnectionView, endsSessions, type ServerView } from './server-view.js';
import { viewOf } from './view-of-server.js';
import { collectBySession, countWatchingSessions } from './watch-tables.js';

const WORDS = 'conf cons crst dirs dump envi gtmk hash isro mntr ruok srst srvr stat stmk wchc wchp wchs'.split(' ');
/** What a telnet client sends when its user interrupts it (IAC IP IAC DO), under the name Apache gives it. */
const TELNET_CLOSE = 'telnet close';
const TELNET_CLOSE_CODE = -720899;
/** Words that need no running server. */
const ALWAYS_ANSWERED = new Set(['ruok', 'envi', 'gtmk', 'stmk']);
const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests';

const byCode = new Map<number, string>(WORDS.map((word) => [Buffer.from(word).readInt32BE(0), word]));
byCode.set(TELNET_CLOSE_CODE, TELNET_CLOSE);

/** Whether the first four bytes of a connection, as a big-endian number, are a word. Whether it is allowed is another matter. */
export function isFourLetterWord(code: number): boolean {
  return byCode.has(code);
}

/**
 * The words that the option 4lw.commands.whitelist allows; `srvr` always is one of them.
 * @param names its elements; `*` stands for all words
 */
export function allowedWords(names: Iterable<string>): ReadonlySet<string> {
  const allowed = new Set<string>(['srvr']);
  for (const name of names) {
    if (name === '*') return new Set(byCode.values());
    allowed.add(name);
  }
  return allowed;
}

export interface WordRequest {
  /** The word's four bytes as a big-endian number. */
  readonly code: number;
  /** What came behind the word. */
  readonly rest: Buffer;
  /** The identity of the connection that asks; see {@link ConnectionView}. */
  readonly asking: unknown;
}

/**
 * Answers a word: with a text, or with pieces if it may be long; undefined if the connection is closed without an answer.
 * @throws RangeError if the code is no word
 */
export function runFourLetterWord(
  request: WordRequest,
  view: ServerView,
  allowed: ReadonlySet<string>,
): string | Pieces | undefined {
  const word = byCode.get(request.code);
  if (word === undefined) throw new RangeError(`not a four-letter word: ${request.code}`);
  if (!allowed.has(word)) return `${word} is not executed because it is not in the whitelist.\n`;
  if (!view.serving && !ALWAYS_ANSWERED.has(word)) return notServing(word);
  const { asking, rest } = request;
  switch (word) {
    case 'ruok':
      return 'imok';
    case 'isro':
      return view.readOnly ? 'ro' : 'rw';
    case 'srvr':
      return `${versionLine(view)}${readOnlyLine(view)}${counters(view)}`;
    case 'stat':
      return stat(view, asking);
    case 'conf':
      return conf(view);
    case 'cons':
      return cons(view, asking);
    case 'crst':
      view.resetConnectionStats();
      return 'Connection stats reset.\n';
    case 'srst':
      view.resetStats();
      return 'Server stats reset.\n';
    case 'dump':
      return dump(view);
    case 'envi':
      return `Environment:\n${environment(view.version)
        .map(([name, value]) => `${name}=${value}\n`)
        .join('')}`;
    case 'dirs': {
      const { snapshots, logs } = view.dirSizes();
      return `datadir_size: ${snapshots}\nlogdir_size: ${logs}\n`;
    }
    case 'wchs':
      return watchSummary(view);
    case 'wchc':
      return watchesBySession(view);
    case 'wchp':
      return watchesByPath(view);
    case 'mntr':
      return mntrText(view);
    case 'hash':
      return hash(view);
    case 'gtmk':
      return String(view.traceMask);
    case 'stmk':
      if (rest.length < 8) return undefined;
      view.traceMask = rest.readBigInt64BE(0);
      return String(view.traceMask);
    default:
      return undefined; // telnet close
  }
}

/** The words of one server's client port. */
export class FourLetterWords {
  private readonly server: Server;
  private readonly allowed: ReadonlySet<string>;

  constructor(server: Server) {
    this.server = server;
    this.allowed = allowedWords(server.config.fourLetterWords);
  }

  isCommand(code: number): boolean {
    return isFourLetterWord(code);
  }

  /** Answers and closes. `rest` is what came behind the word. */
  run(connection: ClientConnection, code: number, rest: Buffer): void {
    const view = viewOf(this.server);
    const { socket } = connection;
    const answer = runFourLetterWord({ code, rest, asking: connection }, view, this.allowed);
    if (answer === undefined) {
      socket.destroySoon();
    } else if (typeof answer === 'string') {
      view.onAnswered(); // an answer does not count itself
      socket.write(Buffer.from(answer));
      socket.destroySoon();
    } else {
      sendPieces(answer, socket, (error) => {
        view.onAnswered();
        socket.destroy();
        if (error !== undefined) this.server.logger.warn({ error: error.message }, 'a four-letter word was cut off');
      });
    }
  }
}

function notServing(word: string): string {
  if (word === 'isro') return 'null';
  return word === 'hash' ? NOT_SERVING : `${NOT_SERVING}\n`;
}

function versionLine(view: ServerView): string {
  return `Zookeeper version: ${view.version}\n`;
}

function readOnlyLine(view: ServerView): string {
  return view.readOnly ? 'READ-ONLY mode; serving only read-only clients\n' : '';
}

function counters(view: ServerView): string {
  const c = view.counts();
  return [
    `Latency min/avg/max: ${leastLatency(c)}/${JavaDouble.average(c.avgLatency)}/${largestLatency(c)}`,
    `Received: ${c.packetsReceived}`,
    `Sent: ${c.packetsSent}`,
    `Connections: ${c.connections}`,
    `Outstanding: ${c.outstanding}`,
    `Zxid: ${hex(c.zxid)}`,
    `Mode: ${view.state}`,
    `Node count: ${c.nodes}`,
    proposalLine(view),
  ].join('\n');
}

function* stat(view: ServerView, asking: unknown): Pieces {
  yield `${versionLine(view)}${readOnlyLine(view)}Clients:\n`;
  for (const c of view.connections()) yield `${shortLine(c, asking)}\n`;
  yield `\n${counters(view)}`;
}

function* cons(view: ServerView, asking: unknown): Pieces {
  for (const c of view.connections()) yield `${longLine(c, asking)}\n`;
  yield '\n';
}

function conf(view: ServerView): string {
  const { conf } = view;
  const { snapshots, logs } = view.dirSizes();
  return [
    `clientPort=${conf.clientPort}`,
    `secureClientPort=${conf.secureClientPort}`,
    `dataDir=${conf.snapshotDir}`,
    `dataDirSize=${snapshots}`,
    `dataLogDir=${conf.logDir}`,
    `dataLogSize=${logs}`,
    `tickTime=${conf.tickTime}`,
    `maxClientCnxns=${conf.maxClientCnxns}`,
    `minSessionTimeout=${conf.minSessionTimeout}`,
    `maxSessionTimeout=${conf.maxSessionTimeout}`,
    `clientPortListenBacklog=${conf.clientPortListenBacklog}`,
    `serverId=${conf.serverId}`,
    confLines(view),
  ].join('\n');
}

// Heads with counts come first, so the rows are fixed before anything is sent; their text is made as it leaves.
function* dump(view: ServerView): Pieces {
  const sessions = sessionSets(view);
  const owners = [...view.ephemeralOwners()];
  const connections = connectionsByDeadline(view);

  yield 'SessionTracker dump:\n';
  for (const lines of sessions) yield* lines;
  yield `ephemeral nodes dump:\nSessions with Ephemerals (${owners.length}):\n`;
  for (const owner of owners) {
    yield `${hex(owner)}:\n`;
    for (const path of view.ephemeralPaths(owner)) yield `\t${path}\n`;
  }
  const total = connections.reduce((sum, [, at]) => sum + at.length, 0);
  yield `Connections dump:\nConnections Sets (${connections.length})/(${total}):\n`;
  for (const [deadline, at] of connections) {
    yield `${at.length} expire at ${javaDate(view.wallClock(deadline))}:\n`;
    for (const c of at) yield `\tip: /${c.remote} sessionId: ${hex(c.session?.id ?? 0n)}\n`;
  }
}

/** What ends sessions shows them by their deadlines; a learner knows of the global ones only that they are there. */
function sessionSets(view: ServerView): Pieces[] {
  const local = view.ensemble?.localSessions === true;
  const sets = local ? [bucketLines(view, 'local', 'Local Session Sets')] : [];
  const global = endsSessions(view)
    ? bucketLines(view, 'global', local ? 'Global Session Sets' : 'Session Sets')
    : timeoutLines(view);
  return [...sets, global];
}

function bucketLines(view: ServerView, which: 'local' | 'global', head: string): Pieces {
  const buckets = Array.from(view.expiryBuckets(which), ([deadline, ids]) => [deadline, [...ids]] as const);
  buckets.sort(([a], [b]) => a - b);
  return (function* () {
    yield `${head} (${buckets.length})/(${buckets.reduce((sum, [, ids]) => sum + ids.length, 0)}):\n`;
    for (const [deadline, ids] of buckets) {
      yield `${ids.length} expire at ${javaDate(view.wallClock(deadline))}:\n`;
      for (const id of ids) yield `\t${hex(id)}\n`;
    }
  })();
}

function timeoutLines(view: ServerView): Pieces {
  const sessions = [...view.globalSessions()].sort(([a], [b]) => Number(a - b));
  return (function* () {
    yield `Global Sessions(${sessions.length}):\n`;
    for (const [id, timeout] of sessions) yield `${hex(id)}\t${timeout}ms\n`;
  })();
}

function connectionsByDeadline(view: ServerView): [number, ConnectionView[]][] {
  const byDeadline = new Map<number, ConnectionView[]>();
  for (const c of view.connections()) {
    const at = byDeadline.get(c.deadline);
    if (at === undefined) byDeadline.set(c.deadline, [c]);
    else at.push(c);
  }
  return [...byDeadline].sort(([a], [b]) => a - b);
}

function* watchSummary(view: ServerView): Pieces {
  const connections = yield* countWatchingSessions(view);
  yield `${connections} connections watching ${view.watchedPaths} paths\nTotal watches:${view.dataWatches}\n`;
}

function* watchesBySession(view: ServerView): Pieces {
  const bySession = yield* collectBySession(view);
  for (const [id, paths] of bySession) {
    yield `${hex(id)}\n`;
    for (const path of paths) yield `\t${path}\n`;
  }
  yield '\n';
}

function* watchesByPath(view: ServerView): Pieces {
  for (const [path, sessions] of view.watchesByPath()) {
    yield `${path}\n`;
    for (const id of sessions) yield `\t${hex(id)}\n`;
  }
  yield '\n';
}

function hash(view: ServerView): string {
  let text = '';
  for (const { zxid, digest } of view.digests()) text += `${bareHex(zxid)}: ${digest}\n`;
  return text;
}
