// The part of the configuration that concerns the other servers: who they are, from zoo.cfg or the dynamic file, and the limits.

import { groupingProblem, type Member, parseMember, type QuorumConfig, quorumConfig } from '../quorum/quorum-config.js';
import { ConfigError, type Settings } from './parse.js';
import { parseProperties } from './properties.js';

/** So long at least a connection to the election port has to say whose it is, as it may come from far away. */
const LEAST_GREETING_MS = 1000;

/** Times in milliseconds unless they are ticks. */
export interface Ensemble {
  /** The members as the files have them. */
  readonly members: QuorumConfig;
  /** Where the members stand if not in zoo.cfg. */
  readonly dynamicConfigFile: string | undefined;
  /** Whether a member has its client port in its line. */
  readonly clientAddresses: boolean;
  /** Ticks for a follower to connect and catch up, and to answer. */
  readonly initLimit: number;
  readonly syncLimit: number;
  readonly connectTimeout: number;
  /** Whether servers tell each other all their addresses. */
  readonly multiAddress: boolean;
  /** How long one of several addresses may take to answer before the next is tried. */
  readonly addressTimeout: number;
  /** How long a learner tries to connect to its leader. */
  readonly leaderConnectTimeout: number;
  /** How long a connection at the election port may take to say whose it is. */
  readonly greetingTimeout: number;
  /** How often it is tried to open the election port; 0 for without end. */
  readonly bindAttempts: number;
  /** How long a new leader waits for promises once one that elected it looks for a leader again; negative for initLimit ticks. */
  readonly maxTimeToWaitForEpoch: number;
  /** What `peerType` says this server is; undefined if it says nothing. */
  readonly peerType: string | undefined;
  readonly listenOnAllIPs: boolean;
  readonly keepAlive: boolean;
  readonly minNotificationInterval: number;
  readonly maxNotificationInterval: number;
  /** How long a learner waits before it dials the leader again. */
  readonly redialDelay: number;
  /** The port at which a follower serves observers, and at which an observer looks for such followers. */
  readonly observerMasterPort: number | undefined;
  /** Bytes that an observer may leave unread there. */
  readonly observerMasterSizeLimit: number;
  /** An observer waits up to so long before it dials the leader. */
  readonly reconnectDelay: number;
  /** An observer waits up to so long before it looks for the next leader. */
  readonly electionDelay: number;
  /** The file that lets one of two voters decide without the other. */
  readonly oraclePath: string | undefined;
  /** Learners that are brought up to date at once; observers beyond have to come again. */
  readonly mostSyncs: { readonly diff: number; readonly snapshot: number };
  /** Whether an observer keeps what it is informed of on disk. */
  readonly syncEnabled: boolean;
  readonly commitLogCount: number;
  /** Every how many transactions the acks are timed; 0 for never. */
  readonly ackLoggingFrequency: number;
  /** How much log, in snapshots, is read for a learner; negative for none. */
  readonly snapshotSizeFactor: number;
  readonly forceSnapshotSync: boolean;
  /** Packets of a connection to another server, each way, that are told when it ends; 0 for none. */
  readonly tracedPackets: number;
  readonly leaderServes: boolean;
  readonly standaloneEnabled: boolean;
  readonly localSessions: boolean;
  readonly upgradeLocalSessions: boolean;
  /** Transactions after which the leader begins a new epoch; the zxid's counter has 32 bits. */
  readonly epochLength: number;
  /** Whether a server without a quorum serves reads. */
  readonly readOnlyMode: boolean;
}

const MEMBER_LINE = /^(server|group|weight)\.(\d+)$/;

interface MemberLine {
  readonly key: string;
  readonly value: string;
  /** File and line. */
  readonly place: string;
}

/**
 * The ensemble that is configured, undefined for a standalone server; `only` is the client address of the one member there is.
 * @throws ConfigError
 */
export function ensembleOf(settings: Settings): {
  ensemble: Ensemble | undefined;
  only: Member['clientAddress'];
} {
  const { values, placeOf } = settings;
  const n = (name: string): number => values.get(name) as number;
  const b = (name: string): boolean => values.get(name) as boolean;
  const dynamicConfigFile = values.get('dynamicConfigFile') as string | undefined;
  const lines = [...settings.families]
    .filter(([name]) => MEMBER_LINE.test(name))
    .map(([key, value]): MemberLine => ({ key, value, place: placeOf(key) }));
  let version = 0;
  let source = settings.path ?? 'configuration';
  if (dynamicConfigFile !== undefined) {
    if (lines.length > 0)
      throw new ConfigError(
        `${lines[0]?.place}: servers are listed here and in ${dynamicConfigFile}. Keep them in one place`,
      );
    source = dynamicConfigFile;
    lines.push(...readDynamic(dynamicConfigFile, settings.read));
    const suffix = /\.dynamic\.([0-9a-f]+)$/.exec(dynamicConfigFile)?.[1];
    if (suffix !== undefined) version = Number.parseInt(suffix, 16);
  }
  if (lines.length === 0) return { ensemble: undefined, only: undefined };
  const members = membersOf(lines, source, version);
  const all = [...members.members.values()];
  const voters = all.filter((member) => member.role === 'participant');
  const several = all.find((member) => member.quorumAddresses.length > 1);
  if (several !== undefined && !b('multiAddress.enabled'))
    throw new ConfigError(`${source}: server.${several.id} has several addresses. Add multiAddress.enabled=true`);
  if (voters.length === 0) throw new ConfigError(`${source}: there are observers but no participants`);
  const standaloneEnabled = b('standaloneEnabled');
  if (voters.length === 1 && standaloneEnabled) {
    if (all.length > 1)
      throw new ConfigError(`${source}: observers need more than one participant, or standaloneEnabled=false`);
    return { ensemble: undefined, only: all[0]?.clientAddress };
  }
  for (const name of ['initLimit', 'syncLimit']) {
    if (values.get(name) === undefined)
      throw new ConfigError(
        `${placeOf(name)}: ${name} is not set, which an ensemble needs. Add ${name}=${name === 'initLimit' ? 10 : 5}`,
      );
    if (n(name) < 1) throw new ConfigError(`${placeOf(name)}: ${name}=${n(name)}: at least 1 is expected`);
  }
  const ensemble: Ensemble = {
    members,
    dynamicConfigFile,
    clientAddresses: all.some((member) => member.clientAddress !== undefined),
    initLimit: n('initLimit'),
    syncLimit: n('syncLimit'),
    connectTimeout: n('cnxTimeout'),
    multiAddress: b('multiAddress.enabled'),
    addressTimeout: Math.min(
      n('cnxTimeout'),
      b('multiAddress.reachabilityCheckEnabled') ? n('multiAddress.reachabilityCheckTimeoutMs') : n('cnxTimeout'),
    ),
    leaderConnectTimeout: n('tickTime') * (n('connectToLearnerMasterLimit') || n('initLimit')),
    greetingTimeout:
      n('quorumCnxnTimeoutMs') > 0
        ? n('quorumCnxnTimeoutMs')
        : Math.max(n('tickTime') * n('syncLimit'), LEAST_GREETING_MS),
    bindAttempts: n('electionPortBindRetry'),
    maxTimeToWaitForEpoch: n('leader.maxTimeToWaitForEpoch'),
    peerType: values.get('peerType') as string | undefined,
    listenOnAllIPs: b('quorumListenOnAllIPs'),
    keepAlive: b('tcpKeepAlive'),
    minNotificationInterval: n('fastleader.minNotificationInterval'),
    maxNotificationInterval: n('fastleader.maxNotificationInterval'),
    redialDelay: n('leaderConnectDelayDuringRetryMs'),
    observerMasterPort: (values.get('observerMasterPort') as number | undefined) || undefined,
    observerMasterSizeLimit: n('observerMaster.sizeLimit'),
    reconnectDelay: n('observer.reconnectDelayMs'),
    electionDelay: Math.max(0, n('observer.election.DelayMs')),
    oraclePath: values.get('oraclePath') as string | undefined,
    mostSyncs: { diff: n('leader.maxConcurrentDiffSyncs'), snapshot: n('leader.maxConcurrentSnapSyncs') },
    syncEnabled: b('syncEnabled'),
    commitLogCount: n('commitLogCount'),
    ackLoggingFrequency: n('leader.ackLoggingFrequency'),
    snapshotSizeFactor: n('snapshotSizeFactor'),
    forceSnapshotSync: b('forceSnapshotSync'),
    tracedPackets: b('messageTracker.Enabled') ? n('messageTracker.BufferSize') : 0,
    leaderServes: values.get('leaderServes') === 'yes',
    standaloneEnabled,
    localSessions: b('localSessionsEnabled'),
    upgradeLocalSessions: b('localSessionsUpgradingEnabled'),
    epochLength: n('epochLength'),
    readOnlyMode: b('readonlymode.enabled'),
  };
  return { ensemble, only: undefined };
}

function readDynamic(path: string, read: (path: string) => string): MemberLine[] {
  let text: string;
  try {
    text = read(path);
  } catch (e) {
    throw new ConfigError(
      `${path}: cannot be read: ${(e as Error).message}. dynamicConfigFile names the file with the servers`,
    );
  }
  return [...parseProperties(text)].map(({ key, value, line }) => {
    if (!MEMBER_LINE.test(key) && key !== 'version')
      throw new ConfigError(`${path}:${line}: '${key}' does not belong here: only server, group and weight lines do`);
    return { key, value, place: `${path}:${line}` };
  });
}

function membersOf(lines: readonly MemberLine[], source: string, version: number): QuorumConfig {
  const members: Member[] = [];
  const groups = new Map<number, readonly number[]>();
  const weights = new Map<number, number>();
  for (const { key: name, value, place } of lines) {
    const [, kind, digits] = MEMBER_LINE.exec(name) ?? [];
    if (kind === undefined) continue;
    const id = Number(digits);
    if (kind === 'server') {
      const member = parseMember(id, value);
      if (typeof member === 'string') throw new ConfigError(`${place}: ${name}=${value}: ${member}`);
      members.push(member);
    } else if (kind === 'group') {
      const ids = value.split(':').map((x) => Number(x.trim()));
      if (ids.some((x) => !Number.isInteger(x)))
        throw new ConfigError(`${place}: ${name}=${value}: server ids divided by : are expected`);
      groups.set(id, ids);
    } else {
      if (!/^\d+$/.test(value.trim()))
        throw new ConfigError(`${place}: ${name}=${value}: a whole number, 0 or more, is expected`);
      weights.set(id, Number(value));
    }
  }
  const problem = groupingProblem(members, groups, weights);
  if (problem !== undefined) throw new ConfigError(`${source}: ${problem}`);
  return quorumConfig(members, version, groups, weights);
}
