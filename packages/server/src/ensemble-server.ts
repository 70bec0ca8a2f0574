// A server of an ensemble: holds elections, and between them is a leader, a follower or an observer (leading.ts, following.ts).
// What outlives those roles, the history and the members, is replica.ts's.

import { PacketTrace, type TracedPacket } from './broadcast/packet-trace.js';
import { counterOf, RecentProposals } from './broadcast/recent-proposals.js';
import type { ServerConfig } from './config/index.js';
import { checkClientAddress } from './config/own-member.js';
import { ConfigError } from './config/parse.js';
import type { Database } from './database.js';
import { type ElectionHost, FastLeaderElection } from './election/fast-leader-election.js';
import {
  decodeNotification,
  encodeNotification,
  NO_VOTE,
  type Notification,
  PeerState,
  type Vote,
} from './election/notification.js';
import { EnsembleStats } from './ensemble-stats.js';
import type { EnsembleView } from './ensemble-view.js';
import { Following } from './following.js';
import { Leading } from './leading.js';
import { LearnerMasters } from './learner-masters.js';
import { movesClients, movesElection } from './membership.js';
import type { Serving } from './net/client-port.js';
import { type ElectionAddress, ElectionPort } from './net/election-port.js';
import { type Network, nodeNetwork } from './net/network.js';
import { QuorumAuth } from './net/sasl/quorum-auth.js';
import type { QuorumAuthSettings } from './net/sasl/quorum-login.js';
import { TlsNetwork, type TlsNetworkSettings } from './net/tls/tls-network.js';
import { Oracle } from './oracle.js';
import { parseConfig, type QuorumAddress, type QuorumConfig, sameConfig } from './quorum/quorum-config.js';
import { Replica, type ReplicaParts, rememberFrom } from './replica.js';
import type { SessionOwner } from './request/client.js';
import { ReadOnlyProcessor } from './request/read-only.js';
import type { LoggedEntry, Role } from './role.js';
import type { Timer } from './runtime.js';
import { openData, type ServerOptions, serverOf } from './server.js';
import { SessionTable } from './session/session-table.js';
import { readMyid } from './storage/data-dir.js';
import { nodeDisk } from './storage/node-disk.js';
import { recover } from './storage/recovery.js';
import { mustRejoin, recoverWhatIsWhole, rejoinMarker } from './storage/set-aside.js';
import type { LogBatch } from './storage/txn-log.js';

const PROGRESS_MS = 5000;
/** Who is elected in vain holds itself back for as long as it waited, each time twice as long, so many times. */
const MOST_DOUBLED = 4;
/** How often a server that looks for a leader dials who cannot be reached, or does not answer. */
const REACH_MS = 1000;
/** How long no leader is found before reads are served without one; longer ticks make it a tick. */
const READ_ONLY_AFTER_MS = 2000;
const EXPIRY_CHECK_MS = 100;
const MAX_ID = 255;
/** What is wrong with members that others tell of can be as long as their message. */
const LONGEST_REASON = 200;
/** Bytes that may wait for the own disk while others decide without it. */
const MOST_UNWRITTEN = 512 * 1024 * 1024;

/** Ids of sessions begin with the server's: none may look like the owner of a TTL node. */
function checkSessionIds({ dataDir, extendedTypesEnabled }: ServerConfig, id: number): void {
  const emulates = extendedTypesEnabled === '3.5.3';
  const largest = emulates ? 127 : MAX_ID - 1;
  if (extendedTypesEnabled === false || id <= largest) return;
  throw new ConfigError(
    `${dataDir}/myid says ${id}, but with extendedTypesEnabled${emulates ? ' and emulate353TTLNodes' : ''} ids are from 1 to ${largest}: ephemerals of its clients would be taken for TTL nodes. Give this server a smaller id`,
  );
}

export class EnsembleServer extends Replica {
  readonly ensembleStats = new EnsembleStats();
  readonly oracle: Oracle;
  /** Where it finds what it observes. */
  readonly learnerMasters: LearnerMasters;
  /** Set by a role that has to know the time without serving clients. */
  onTurn: () => void = () => {};
  /** To the other servers; with TLS if that is configured and the network is the real one. */
  readonly quorumNetwork: Network;
  /** How servers prove to each other who they are; undefined if they need not. */
  readonly quorumAuth: QuorumAuth | undefined;

  private readonly tls: TlsNetwork | undefined;
  private readonly election: FastLeaderElection;
  private readonly electionPort: ElectionPort;
  private role: Role | undefined;
  private lookingSince: number;
  /** Since when there is no quorum; undefined while there is one. */
  private unavailableSince: number | undefined;
  private readOnlyTimer: Timer | undefined;
  /** Until an observer looks for a leader again. */
  private hesitation: Timer | undefined;
  private configHeard: string | undefined;
  /** How many roles in a row ended as leaders turned this server away. */
  private timesTurnedAway = 0;
  /** How many times in a row it was elected and too few followed, and until when it therefore leaves leading to others. */
  private timesUnfollowed = 0;
  private heldBackUntil = 0;

  private constructor(config: ServerConfig, parts: ReplicaParts, options: ServerOptions) {
    super(config, parts, options);
    const { ensemble } = this;
    this.oracle = new Oracle(this.disk, ensemble.oraclePath, this.membership);
    this.learnerMasters = new LearnerMasters(this.runtime, config.tickTime, ensemble);
    this.lookingSince = this.runtime.now();
    this.unavailableSince = this.lookingSince;
    this.tls =
      config.quorumTls === undefined || this.network !== nodeNetwork ? undefined : this.newTls(config.quorumTls);
    this.quorumNetwork = this.tls ?? this.network;
    this.quorumAuth = config.quorumAuth === undefined ? undefined : this.newQuorumAuth(config.quorumAuth);
    this.electionPort = this.newElectionPort();
    const times = { minInterval: ensemble.minNotificationInterval, maxInterval: ensemble.maxNotificationInterval };
    this.election = new FastLeaderElection(this.electionHost(), times);
    this.writeConfigNode();
  }

  /**
   * Recovers the data and prepares a server.
   * @throws ConfigError if it is no member; StorageError if the data cannot be used
   */
  static async open(config: ServerConfig, options: ServerOptions = {}): Promise<EnsembleServer> {
    const { ensemble } = config;
    if (ensemble === undefined) throw new Error('no ensemble is configured');
    const disk = options.disk ?? nodeDisk;
    const id = readMyid(disk, config.dataDir);
    const known = [...ensemble.members.members.keys()].join(', ');
    if (id === undefined) {
      throw new ConfigError(
        `${config.dataDir}/myid is missing: it says which of the servers ${known} this is. Write that number into it`,
      );
    }
    const own = ensemble.members.members.get(id);
    if (own === undefined) {
      throw new ConfigError(
        `${config.dataDir}/myid says ${id}, but the servers are ${known}. Correct myid${id <= MAX_ID ? ` or add server.${id}` : `: ids are from 1 to ${MAX_ID}`}`,
      );
    }
    if (config.clientPort === undefined && config.secureClientPort === undefined && own.clientAddress === undefined) {
      throw new ConfigError(
        `${config.path ?? 'configuration'}: clientPort is not set, and server.${id} names none. Add clientPort=2181`,
      );
    }
    checkSessionIds(config, id);
    checkClientAddress(config, own);
    const recent = new RecentProposals(ensemble.commitLogCount);
    const prepare = (database: Database): void => {
      database.onReplayed = rememberFrom(recent);
      if (ensemble.readOnlyMode && ensemble.localSessions) database.endsInDoubt = new Set();
    };
    // A server alone must not forget; one of several takes from the others what its disk has lost.
    const alone = ensemble.members.verifier.voters.length === 1;
    const opened = await openData(config, options, prepare, alone ? recover : recoverWhatIsWhole);
    opened.database.onReplayed = undefined;
    return serverOf(opened, async () => {
      const server = new EnsembleServer(config, { ensemble, id, own, opened, recent }, options);
      if (ensemble.peerType !== undefined && ensemble.peerType !== own.role)
        server.logger.warn({}, `peerType=${ensemble.peerType}, but server.${id} is a ${own.role}: that counts`);
      if (mustRejoin(disk, opened.dirs)) {
        server.logger.warn(
          {},
          `this server has set damaged files aside and elects nobody until it has a leader's history; ${rejoinMarker(opened.dirs)} tells of them. If no other server has the data: restore those files and remove that one`,
        );
      }
      if (opened.recovered.fresh) server.tellOfEmptiness(opened.trusted);
      if (opened.recovered.fresh && opened.trusted) await server.writeSnapshot();
      return server;
    });
  }

  /** What was lost by mistake could be voted away: it is known which server began with nothing. */
  private tellOfEmptiness(trusted: boolean): void {
    const { dataDir, dataLogDir } = this.config;
    const { current } = this.epochs;
    this.logger.warn(
      {},
      trusted || current === 0
        ? `${dataDir} is empty: this server begins without any history. If it had some, have a majority of the others up before it`
        : `${dataDir} has neither snapshots nor logs, but has followed in epoch ${current}: what is missing comes from the others, and this server elects nobody until then. If none of them has it: restore the files, or create ${dataLogDir}/initialize to begin without them`,
    );
  }

  get mode(): string {
    return this.role?.mode ?? (this.port.readOnly ? 'read-only' : 'looking');
  }

  override get ensembleView(): EnsembleView {
    const { id, ensemble, membership, role, ensembleStats } = this;
    return {
      id,
      initLimit: ensemble.initLimit,
      syncLimit: ensemble.syncLimit,
      own: membership.own,
      config: membership.committed,
      localSessions: ensemble.localSessions,
      part: role?.serving === true ? role : undefined,
      stats: ensembleStats,
    };
  }

  override resetStats(): void {
    super.resetStats();
    this.ensembleStats.reset();
  }

  /** The role that it has now; undefined during an election. */
  get currentRole(): Role | undefined {
    return this.role;
  }

  protected override clientAddress(): { readonly port: number | undefined; readonly host: string | undefined } {
    const { clientAddress } = this.membership.own;
    if (clientAddress === undefined) return super.clientAddress();
    const { port, host } = clientAddress;
    return { port, host: host === '0.0.0.0' ? undefined : host };
  }

  /** Opens the election port and the client port, and begins to look for a leader. */
  override async listen(): Promise<number> {
    // In this order: `nodekeeper start` takes a server that answers clients for one that has started.
    await this.electionPort.listen();
    const port = await super.listen();
    this.every(PROGRESS_MS, () => this.tellProgress());
    this.every(REACH_MS, () => {
      if (this.role === undefined) this.electionPort.reach();
    });
    this.every(this.config.tickTime, () => this.checkDisk());
    if (this.ensemble.oraclePath !== undefined) this.every(this.config.tickTime, () => this.election.reconsider());
    this.guard(() => this.look());
    return port;
  }

  override async close(): Promise<void> {
    if (this.stopping) return;
    // In this order the others elect without waiting: a leader finishes what it has begun, then nobody listens for votes here
    // any more, and only then the learners are let go.
    await this.role?.finish();
    const closing = super.close();
    this.election.stop();
    this.hesitation?.cancel();
    this.endReadOnly();
    this.hesitation?.cancel();
    const votes = this.electionPort.close();
    this.role?.stop('this server is stopping');
    this.tls?.close(); // connections that have said nothing yet would be waited for
    await votes;
    await closing;
  }

  override get notReady(): string | undefined {
    if (this.port.readOnly) return undefined;
    return super.notReady ?? (this.role?.serving === true ? undefined : 'the server has no part in an ensemble now');
  }

  override guard(action: () => void): void {
    super.guard(() => {
      this.onTurn();
      action();
    });
  }

  /** A server whose disk stands still has no more part in what the others do than its memory holds. */
  private checkDisk(): void {
    if (this.role !== undefined && this.log.unwritten > MOST_UNWRITTEN)
      this.role.stop(`the own disk has not taken the last ${MOST_UNWRITTEN / 1024 / 1024} MB of the log`);
  }

  private newQuorumAuth(settings: QuorumAuthSettings): QuorumAuth {
    const now = (): number => this.runtime.wallTime();
    return new QuorumAuth(settings, now, () => this.membership.hosts);
  }

  private newTls(settings: TlsNetworkSettings): TlsNetwork {
    return new TlsNetwork(settings, this.runtime, {
      onRefused: () => {},
      onFailed: (address, reason) =>
        this.portLogger.warn({ address }, `a connection to a port between servers is refused: ${reason}`),
      onReloaded: (path) => this.logger.info({ path }, 'certificates between servers read again'),
      onReloadFailed: (path, error) =>
        this.logger.error({ path, error: error.message }, 'certificates between servers could not be read again'),
    });
  }

  // ---- elections ----

  /** The epoch of another server's history, as far as its votes told. */
  historyEpochOf(id: number): number | undefined {
    return this.election.historyEpochOf(id);
  }

  private newElectionPort(): ElectionPort {
    const { listenOnAllIPs, connectTimeout, addressTimeout, greetingTimeout, bindAttempts, multiAddress, keepAlive } =
      this.ensemble;
    return new ElectionPort({
      id: this.id,
      network: this.quorumNetwork,
      runtime: this.runtime,
      auth: this.quorumAuth,
      addresses: electionAddresses(this.membership.own.quorumAddresses),
      tellAll: multiAddress,
      listenOnAll: listenOnAllIPs,
      connectTimeout,
      addressTimeout,
      greetingTimeout,
      bindAttempts,
      keepAlive,
      addressesOf: (id) => electionAddresses(this.membership.addressesOf(id)),
      onMessage: (from, message) => {
        const notification = decodeNotification(from, message);
        if (notification !== undefined && !this.stopping) this.notified(notification);
      },
      onDown: () => this.election.foundDown(),
      guard: (action) => this.guard(action),
      warn: (message) => this.portLogger.warn({}, message),
    });
  }

  private electionHost(): ElectionHost {
    const { electionPort } = this;
    return {
      id: this.id,
      runtime: {
        after: (ms, action) => this.runtime.after(ms, () => this.guard(action)),
      },
      isObserver: () => this.membership.observer,
      isJoining: () => this.isJoining,
      isHeldBack: () => this.isHeldBack,
      isUntrusted: () => this.untrusted,
      verifiers: () => this.membership.verifiers,
      mayLeadAlone: () => this.oracle.counts,
      oracleGrants: () => this.oracle.grants,
      initialVote: () => this.initialVote(),
      send: (to, state, vote) => electionPort.send(to, encodeNotification(state, vote, this.membership.text)),
      delivered: () => electionPort.delivered(),
      redial: () => electionPort.redial(),
      mayStillVote: (id) => !electionPort.isDown(id),
      elected: (state, vote) => this.elected(state, vote),
      sawLooking: (id) => this.sawLooking(id),
    };
  }

  /** One that helped to elect this server may have changed its mind: then it waits for others no longer than it is told to. */
  private sawLooking(id: number): void {
    const { maxTimeToWaitForEpoch } = this.ensemble;
    if (maxTimeToWaitForEpoch < 0 || !(this.role instanceof Leading)) return;
    if (this.role.giveUpEpoch(maxTimeToWaitForEpoch, `server ${id} has not followed, and looks for a leader again`))
      this.ensembleStats.counts.disloyalVoters++;
  }

  /** Whether a reconfiguration under way, which this server's history has, makes it a voter. Apache's groups take no such vote. */
  private get isJoining(): boolean {
    const { inProgress, isVoter, proposed, committed } = this.membership;
    const known = inProgress && !isVoter && committed.groups.size === 0 && proposed.version <= this.historyEnd;
    return known && proposed.verifier.isVoter(this.id);
  }

  /**
   * Too few could follow this server of late, as when its port for that cannot be reached while the one for elections can: it would be
   * elected again, and again in vain, while others could lead. By an oracle one of two may lead without the other.
   */
  private get isHeldBack(): boolean {
    return this.runtime.now() < this.heldBackUntil && this.ensemble.oraclePath === undefined;
  }

  private holdBack(): void {
    const { tickTime } = this.config;
    const ms = tickTime * this.ensemble.initLimit * 2 ** Math.min(this.timesUnfollowed++, MOST_DOUBLED);
    this.heldBackUntil = this.runtime.now() + ms;
    this.logger.warn(
      { ms },
      'too few could follow this server: it leaves leading to others who have as much for a while',
    );
  }

  private initialVote(): Omit<Vote, 'round'> {
    const { observer, isVoter } = this.membership;
    if (observer) return { leader: NO_VOTE, zxid: NO_VOTE, peerEpoch: NO_VOTE };
    return {
      leader: isVoter && !this.isHeldBack ? this.id : NO_VOTE,
      zxid: this.historyEnd,
      peerEpoch: this.epochs.current,
    };
  }

  private notified(notification: Notification): void {
    const { config } = notification;
    if (this.role === undefined && this.membership.changeable && config !== undefined && config !== this.configHeard) {
      this.configHeard = config;
      this.adopt(config);
    }
    this.election.receive(notification);
  }

  /** Others have newer members: a server that looks for a leader goes by theirs. */
  private adopt(text: string): void {
    let config: QuorumConfig;
    try {
      config = parseConfig(text);
    } catch (e) {
      const reason = (e as Error).message.slice(0, LONGEST_REASON);
      this.portLogger.warn({}, `members were told of that cannot be read: ${reason}`);
      return;
    }
    const { committed } = this.membership;
    if (config.version <= committed.version) return;
    if (config.version < this.knownVersion) {
      // A server that was taken out and is to come in again: with others who do not know of that it could make up a second quorum.
      this.portLogger.warn(
        { version: config.version.toString(16), known: this.knownVersion.toString(16) },
        'members were told of that are older than those in the history of this server: not taken over',
      );
      return;
    }
    if (!config.verifier.enough(() => true)) {
      this.portLogger.warn({}, 'members that could elect nobody were told of: not taken over');
      return;
    }
    const same = sameConfig(committed, config);
    this.logger.info({ version: config.version.toString(16) }, 'the other servers have newer members');
    this.activate(config);
    if (!same && this.election.active) this.look();
  }

  /** Puts a configuration into force, if it is newer: files, the config node, ports that moved. */
  activate(config: QuorumConfig): void {
    const { membership } = this;
    const before = membership.activate(config);
    if (before === undefined) return;
    const { own } = membership;
    this.logger.info({ version: config.version.toString(16), members: [...config.members.keys()] }, 'members changed');
    this.writeConfigNode();
    if (movesElection(before, own)) this.electionPort.move(electionAddresses(own.quorumAddresses));
    if (movesClients(before, own)) this.moveClientPort();
  }

  private look(): void {
    if (this.stopping) return;
    this.endReadOnly();
    if (this.unlogged && !this.membership.observer) {
      // Newer members, in which it votes, were heard of meanwhile.
      this.election.stop();
      this.busy = this.busy
        .then(() => this.reload())
        .then(() => this.guard(() => this.look()))
        .catch((error: Error) => this.fail(error));
      return;
    }
    this.lookingSince = this.runtime.now();
    this.ensembleStats.counts.looking++;
    this.logger.info({ zxid: `0x${this.lastZxid.toString(16)}`, epoch: this.epochs.current }, 'looking for a leader');
    this.election.look();
    const { readOnlyMode } = this.ensemble;
    if (readOnlyMode && this.role === undefined)
      this.readOnlyTimer = this.runtime.after(Math.max(READ_ONLY_AFTER_MS, this.config.tickTime), () =>
        this.guard(() => this.serveReadOnly()),
      );
  }

  /** No leader was found for a while: what is here may at least be read. */
  private serveReadOnly(): void {
    if (this.role !== undefined || this.stopping || !this.election.active) return;
    const { tree, sessionTimeouts, endsInDoubt } = this.database;
    const sessions = new SessionTable<SessionOwner>(this.config.tickTime);
    const processor = new ReadOnlyProcessor(
      tree,
      sessions,
      (id) => sessionTimeouts.has(id) || endsInDoubt?.has(id) !== false,
      this.newReads(),
      this.processorHooks,
      this.processorOptions,
    );
    const whom = this.ensemble.localSessions
      ? 'to new sessions of clients that take them from a server without a quorum'
      : 'but to nobody: without a quorum there are sessions with localSessionsEnabled=true only';
    this.logger.warn({}, `serving reads only, ${whom}`);
    this.port.serve({ tree, sessions, processor, readOnly: true });
    this.beginCounts();
    this.readOnlyTimer = this.runtime.every(EXPIRY_CHECK_MS, () => this.guard(() => processor.expire()));
  }

  private endReadOnly(): void {
    this.readOnlyTimer?.cancel();
    this.readOnlyTimer = undefined;
    if (this.port.readOnly) this.port.serve(null);
  }

  /** A reconfiguration says who leads: no election is needed. */
  private goTo(leader: number): void {
    if (this.stopping) return;
    const following = this.membership.observer ? PeerState.observing : PeerState.following;
    const state = leader === this.id ? PeerState.leading : following;
    this.election.follow(leader, state);
    this.elected(state, this.election.vote);
  }

  private elected(state: PeerState, vote: Vote): void {
    this.endReadOnly();
    const ms = Math.round(this.runtime.now() - this.lookingSince);
    const leading = state === PeerState.leading;
    if (state !== PeerState.observing) this.ensembleStats.electionTime.add(ms);
    this.logger.info(
      { leader: vote.leader, ms },
      leading ? 'elected: this server leads' : `server ${vote.leader} is elected`,
    );
    const role = leading ? new Leading(this) : new Following(this, vote.leader, state === PeerState.observing);
    this.role = role;
    role.start();
  }

  /** Says what the server waits for while it does not serve. */
  private tellProgress(): void {
    if (this.role?.serving === true) return;
    const seconds = Math.round((this.runtime.now() - (this.unavailableSince ?? this.lookingSince)) / 1000);
    const problems = [...this.electionPort.problems()].map(([id, problem]) => `server ${id}: ${problem}`);
    // A role ends, and the next election begins, when the log is on the disk.
    const vote = this.log.unwritten > 0 ? 'the disk to take the log' : `enough servers to elect a leader${this.oracle}`;
    const what = this.role?.waitsFor ?? vote;
    this.logger.warn({ problems }, `not serving for ${seconds} s: waiting for ${what}`);
  }

  // ---- roles ----

  /** What keeps the last packets of a connection to another server; undefined if that is not asked for. */
  newTrace(): PacketTrace | undefined {
    const { tracedPackets } = this.ensemble;
    if (tracedPackets === 0) return undefined;
    const text = ({ at, name }: TracedPacket): string => `${new Date(at).toISOString()} ${name}`;
    return new PacketTrace(
      tracedPackets,
      () => this.runtime.wallTime(),
      (remote, sent, received) =>
        this.logger.warn(
          { remote, sent: sent.map(text), received: received.map(text) },
          'the last packets of a connection that ended',
        ),
    );
  }

  /** Only a leader ends sessions. */
  expireSession(id: bigint): boolean {
    let known = false;
    this.guard(() => {
      known = this.role instanceof Leading && this.role.expireSession(id);
    });
    return known;
  }

  protected onDurable(batch: LogBatch): void {
    this.role?.onDurable(batch.lastZxid);
    this.countApplied(batch.count, batch.used, this.role?.serving === true);
  }

  /** The role has its quorum; clients are served if there is something to serve them from. */
  established(epoch: number, serving: Serving | null): void {
    this.needsAll = false;
    this.database.endsInDoubt?.clear();
    this.election.established(epoch);
    this.port.serve(serving);
    if (this.role?.mode === 'leader') this.timesUnfollowed = 0;
    this.onAvailable();
    this.logger.info({ epoch, ms: Math.round(this.runtime.now() - this.lookingSince) }, `serving as ${this.mode}`);
  }

  private onAvailable(): void {
    const { ensembleStats } = this;
    const now = this.runtime.now();
    const ms = now - (this.unavailableSince ?? now);
    this.unavailableSince = undefined;
    ensembleStats.unavailableTime.add(ms);
    if (this.role?.mode === 'leader') ensembleStats.leaderUnavailableTime.add(ms);
    this.beginCounts();
  }

  /** The role is over. What its log holds uncommitted joins the history, then the next election begins. */
  roleEnded(role: Role, reason: string, entries: readonly LoggedEntry[], next?: number): void {
    if (this.role !== role) throw new Error('a role ended that is not this server’s');
    this.role = undefined;
    this.onTurn = () => {};
    this.database.listener = undefined;
    this.logger.warn({}, `no longer ${role.mode}: ${reason}`);
    // Entries that nobody committed must not be seen: their watches would tell of them.
    if (this.stopping || entries.length > 0 || !role.tellsOfMoves) this.port.serve(null);
    else this.port.park();
    if (this.stopping) return;
    if (role.unfollowed) this.holdBack();
    if (next === undefined) this.election.unsettle();
    this.lookingSince = this.runtime.now();
    const served = this.unavailableSince === undefined && role.mode !== 'observer';
    if (served && counterOf(this.lastZxid) !== 0) this.committedEnd = this.lastZxid;
    this.unavailableSince ??= this.lookingSince;
    this.busy = this.busy
      .then(() => this.settle(entries))
      .then(() => this.guard(() => this.goOn(role, next)))
      .catch((error: Error) => this.fail(error));
  }

  /**
   * Goes to the next leader, or looks for one; observers do that at different times, so as not to come all at once, and who cannot
   * follow the leader there is in no hurry to find him again. To be turned away once may have been the end of that leader.
   */
  private goOn({ mode, endsAlike, turnedAway }: Role, next: number | undefined): void {
    this.timesTurnedAway = turnedAway ? this.timesTurnedAway + 1 : 0;
    if (next !== undefined) {
      this.goTo(next);
      return;
    }
    const delay =
      endsAlike || this.timesTurnedAway > 1
        ? this.config.tickTime / 2
        : mode === 'observer'
          ? this.runtime.random() * this.ensemble.electionDelay
          : 0;
    if (delay === 0) this.look();
    else this.hesitation = this.runtime.after(delay, () => this.guard(() => this.look()));
  }

  override async takeSnapshot(): Promise<string> {
    if (this.unlogged) throw new Error('this observer keeps nothing on disk: syncEnabled=false');
    while (this.snapshotting !== null) await this.snapshotting;
    if (this.role?.serving !== true) throw new Error('the server has no part in an ensemble now');
    return super.takeSnapshot();
  }
}

function electionAddresses(all: readonly QuorumAddress[]): ElectionAddress[] {
  return all.map(({ host, electionPort }) => ({ host, port: electionPort }));
}
