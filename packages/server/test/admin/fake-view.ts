// A server to look at, in the state in which the outputs of Apache's server were recorded. Tests change its fields.
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type {
  Authorization,
  CommandFailure,
  ConfView,
  ConnectionSession,
  ConnectionView,
  Counts,
  DigestEntry,
  ServerView,
  SnapshotStream,
  SummaryView,
} from '../../dist/admin/server-view.js';
import type { EnsembleView } from '../../dist/ensemble-view.js';

process.env.TZ = 'UTC'; // the recorded dates are of this zone

export interface Recorded {
  readonly words: Readonly<Record<string, string>>;
  readonly http: Readonly<Record<string, string>>;
}

/** What Apache's server answered. */
export const recorded = JSON.parse(
  readFileSync(new URL('../../test/admin/fixtures/apache-3.8.0.json', import.meta.url), 'utf8'),
) as Recorded;

export const A = 0x100006773ec0000n;
export const B = 0x100006773ec0001n;
const EARLIER = 6_856_000;
const LATER = 6_860_000;
const WALL_AT_ZERO = Date.parse('2026-11-21T03:33:05.500Z') - EARLIER;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const sessionOfA: ConnectionSession = {
  id: A,
  timeout: 10_000,
  lastOperation: 'SETD',
  established: 1795231978534,
  lastCxid: 0x96,
  lastZxid: 0x94,
  lastResponseAt: 6848828,
  lastLatency: 0,
  minLatency: 0,
  avgLatency: 0,
  maxLatency: 13,
};

export const sessionOfB: ConnectionSession = {
  id: B,
  timeout: 6000,
  lastOperation: 'GETC',
  established: 1795231978547,
  lastCxid: 3,
  lastZxid: 8,
  lastResponseAt: 6848642,
  lastLatency: 1,
  minLatency: 0,
  avgLatency: 1,
  maxLatency: 5,
};

export function connection(port: number, received: number, sent: number, session?: ConnectionSession): ConnectionView {
  return {
    identity: port,
    remote: `127.0.0.1:${port}`,
    secure: false,
    outstanding: 0,
    packetsReceived: received,
    packetsSent: sent,
    deadline: LATER,
    session,
  };
}

/** Such a connection after crst. */
export function afterReset(c: ConnectionView): ConnectionView {
  const { session } = c;
  const none = { lastResponseAt: 0, lastLatency: 0, minLatency: 0, avgLatency: 0, maxLatency: 0 };
  const reset = session && { ...session, ...none, lastOperation: 'NA', lastCxid: -1, lastZxid: -1 };
  return { ...c, packetsReceived: 0, packetsSent: 0, session: reset };
}

export class FakeView implements ServerView {
  version = '3.8.0, built on 2024-12-29 17:54 UTC';
  serving = true;
  readOnly = false;
  /** Undefined: as serving. */
  isActive: boolean | undefined;
  ensemble: EnsembleView | undefined;
  state: ServerView['state'] = 'standalone';
  traceMask = 306n;
  conf: ConfView = {
    clientPort: 3340,
    secureClientPort: -1,
    clientAddress: { host: '127.0.0.1', port: 3340 },
    snapshotDir: '/var/lib/zookeeper/data/version-2',
    logDir: '/var/lib/zookeeper/log/version-2',
    tickTime: 2000,
    maxClientCnxns: 0,
    minSessionTimeout: 4000,
    maxSessionTimeout: 40000,
    clientPortListenBacklog: -1,
    serverId: 0,
    text: 'tickTime=2000\ndataDir=/var/lib/zookeeper/data\ndataLogDir=/var/lib/zookeeper/log\nclientPort=3340\nclientPortAddress=127.0.0.1\nadmin.serverPort=3341\nadmin.serverAddress=127.0.0.1\nmaxClientCnxns=0\n4lw.commands.whitelist=*\nextendedTypesEnabled=true\n',
  };
  now: Mutable<Counts> = {
    packetsReceived: 156,
    packetsSent: 155,
    minLatency: 0,
    avgLatency: 0.80645,
    maxLatency: 13.4,
    outstanding: 0,
    zxid: 0x94,
    connections: 3,
    globalSessions: 2,
    localSessions: 0,
    nodes: 11,
    ephemerals: 3,
    watches: 4,
    approximateDataSize: 92,
    lastResponseSize: 84,
    minResponseSize: 16,
    maxResponseSize: 93,
    authFailed: 0,
    fsyncThresholdExceeded: 0,
    dropProbability: 0,
    handshakes: 0,
    uptime: 69268,
  };
  counters = new Map<string, number>();
  summaries = new Map<string, SummaryView>();
  table: ConnectionView[] = [connection(53492, 4, 4, sessionOfB), connection(53486, 151, 151, sessionOfA)];
  watched: [string, bigint[]][] = [
    ['/w1', [B, A]],
    ['/w2', [A]],
  ];
  authorization: Authorization = 'allowed';
  notReady: string | undefined;
  local: [number, bigint[]][] = [];
  // In no order: those who print sort.
  global: [number, bigint[]][] = [
    [LATER, [A]],
    [EARLIER, [B]],
  ];
  calls: string[] = [];
  snapshotsTellZxid = true;
  snapshot?: () => Promise<SnapshotStream>;
  restore?: (snapshot: Readable) => Promise<number>;

  get active(): boolean {
    return this.isActive ?? this.serving;
  }
  counts(): Counts {
    return this.now;
  }
  counter(name: string): number | undefined {
    return this.counters.get(name);
  }
  summary(name: string): SummaryView | undefined {
    return this.summaries.get(name);
  }
  sets = new Map<string, (readonly [string, SummaryView])[]>();
  numbers = new Map<string, (readonly [string, number])[]>();
  summarySet(name: string): Iterable<readonly [string, SummaryView]> {
    return this.sets.get(name) ?? [];
  }
  numberSet(name: string): Iterable<readonly [string, number]> {
    return this.numbers.get(name) ?? [];
  }
  // The recorded server has the two the wrong way round, as all had up to 3.8.3.
  dirSizes(): { snapshots: number; logs: number } {
    return { snapshots: 67108880, logs: 457 };
  }
  lastSnapshot(): { zxid: number; at: number } {
    return { zxid: 0, at: 1795231909_700 };
  }
  digests(): Iterable<DigestEntry> {
    return [{ zxid: 128, digest: 14808826009n }];
  }
  connections(): Iterable<ConnectionView> {
    return this.table;
  }
  expiryBuckets(which: 'local' | 'global'): Iterable<readonly [number, Iterable<bigint>]> {
    return which === 'local' ? this.local : this.global;
  }
  globalSessions(): Iterable<readonly [bigint, number]> {
    return [
      [B, 6000],
      [A, 10_000],
    ];
  }
  ephemeralOwners(): Iterable<bigint> {
    return [B, A];
  }
  ephemeralPaths(owner: bigint): Iterable<string> {
    return owner === A ? ['/w1/eph', '/w2/eph3'] : ['/w1/eph2'];
  }
  *watchesByPath(): Generator<readonly [string, Iterable<bigint>]> {
    yield* this.watched;
  }
  get watchedPaths(): number {
    return this.watched.length;
  }
  get dataWatches(): number {
    return this.watched.reduce((sum, [, ids]) => sum + ids.length, 0);
  }
  wallClock(monotonic: number): number {
    return WALL_AT_ZERO + monotonic;
  }
  onAnswered(): void {
    this.now.packetsSent++;
  }
  resetStats(): void {
    this.calls.push('resetStats');
  }
  resetConnectionStats(): void {
    this.calls.push('resetConnectionStats');
  }
  onCommandFailed(what: CommandFailure): void {
    this.calls.push(what);
  }
  async whyNotReady(): Promise<string | undefined> {
    return this.notReady;
  }
  authorize(header: string, remoteAddress: string): Authorization {
    this.calls.push(`authorize ${header} from ${remoteAddress}`);
    return this.authorization;
  }
}
