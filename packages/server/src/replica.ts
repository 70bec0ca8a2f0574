// A server's copy of the history that an ensemble agrees on: what of it is on disk and can be trusted, how it takes over a leader's,
// and how it goes back to what is on disk.

import { counterOf, epochOf, follows, type RecentProposals } from './broadcast/recent-proposals.js';
import type { BodySink } from './broadcast/snapshot-stream.js';
import { DynamicFile } from './config/dynamic-file.js';
import type { Ensemble, ServerConfig } from './config/index.js';
import { Membership } from './membership.js';
import { type Member, parseConfig, type QuorumConfig } from './quorum/quorum-config.js';
import type { LoggedEntry } from './role.js';
import { type Opened, recoverInto, Server, type ServerOptions } from './server.js';
import { Epochs } from './storage/epochs.js';
import { StorageError } from './storage/errors.js';
import { recover } from './storage/recovery.js';
import { replaceHistory, truncateLog } from './storage/rewrite.js';
import { mustRejoin, recoverWhatIsWhole, rejoined } from './storage/set-aside.js';
import type { DataTree } from './tree/data-tree.js';
import { TxnHeaderAt } from './tree/txn-types.js';

/** What a packet may hold beside a request of the largest size. */
const PACKET_MARGIN = 1024 * 1024;

export interface ReplicaParts {
  readonly ensemble: Ensemble;
  readonly id: number;
  readonly own: Member;
  readonly opened: Opened;
  readonly recent: RecentProposals;
}

export abstract class Replica extends Server {
  readonly ensemble: Ensemble;
  readonly epochs: Epochs;
  readonly recent: RecentProposals;
  readonly membership: Membership;
  readonly maxPacket: number;
  /** What is here cannot become the leader's history by what is missing: a snapshot is asked for. */
  needsAll = false;
  /** Learners that the log on disk could not bring up to date. */
  readonly needSnapshot = new Set<number>();
  /**
   * Transactions that it acknowledged may be missing here, as its data was emptied or damaged: it gives nobody a vote until it has
   * taken over a leader's history.
   */
  protected untrusted: boolean;
  /** The tree is ahead of the disk: see {@link appendInformed}. */
  protected unlogged = false;
  /** Of the last members that its history knows of, which may be newer than those in its file. */
  protected readonly knownVersion: number;
  /** The last transaction that was committed, as far as this process saw that as a voter; 0 for none. */
  protected committedEnd = 0;
  /** The tree is not what the disk holds: a snapshot is being received. */
  private unsaved = false;
  /** Of the tree that is on the disk meanwhile. */
  private before = { zxid: 0, rootChanges: 0 };

  protected constructor(
    config: ServerConfig,
    { ensemble, id, own, opened, recent }: ReplicaParts,
    options: ServerOptions,
  ) {
    super(config, opened, options, id);
    this.ensemble = ensemble;
    this.recent = recent;
    const files = config.path === undefined ? undefined : new DynamicFile(this.disk, config.path);
    const changeable = config.reconfigEnabled;
    this.maxPacket = config.maxEntry + PACKET_MARGIN;
    const { recovered, dirs, trusted } = opened;
    this.epochs = new Epochs(this.disk, dirs, recovered.lastZxid, (message) => this.logger.warn({}, message));
    const interrupted = changeable ? this.proposedBefore(files, recovered.lastZxid) : undefined;
    this.membership = new Membership(id, own, ensemble.members, changeable, files, interrupted, (message) =>
      this.logger.warn({}, message),
    );
    this.knownVersion = this.versionIn(opened.database.tree);
    this.untrusted = (recovered.fresh && !trusted) || mustRejoin(this.disk, dirs);
  }

  /**
   * The members that were proposed before this server was stopped. Where their file cannot be read, the history tells of them: what
   * this server has acknowledged of a reconfiguration is in both. A reconfiguration of an epoch that this server had joined, which
   * only the file has, it never acknowledged: those who shall be added may have it, and nobody to vote for but this server, which
   * would wait for their votes.
   */
  private proposedBefore(files: DynamicFile | undefined, lastZxid: number): QuorumConfig | undefined {
    try {
      const config = files?.proposed();
      if (config === undefined || config.version <= lastZxid) return config;
      if (counterOf(config.version) === 0 || epochOf(config.version) > this.epochs.current) return config;
      files?.withdraw();
      const version = `0x${config.version.toString(16)}`;
      this.logger.warn({ version }, 'the log does not have the reconfiguration that was under way: it is forgotten');
      return undefined;
    } catch (e) {
      this.logger.warn(
        {},
        `${(e as Error).message}; it is ignored, members that are proposed are taken from the history`,
      );
      return this.configInHistory();
    }
  }

  private configInHistory(): QuorumConfig | undefined {
    const { store } = this.database.tree;
    const id = store.findString('/zookeeper/config');
    try {
      return id === 0 ? undefined : parseConfig(store.data(id)?.toString() ?? '');
    } catch {
      return undefined; // no reconfiguration made it
    }
  }

  /**
   * The version of the last members that its history knows of. Those of a reconfiguration under way do not count: others need not
   * have heard of it, and it has to agree to whoever leads anyhow.
   */
  private versionIn({ configVersion, configVersionBefore }: DataTree): number {
    const { inProgress, proposed } = this.membership;
    return inProgress && proposed.version === configVersion ? (configVersionBefore ?? configVersion) : configVersion;
  }

  /** The last zxid of its history, as others are told; -1 where there is none to be trusted. */
  get historyEnd(): number {
    return this.untrusted ? -1 : this.lastZxid;
  }

  protected writeConfigNode(): void {
    const { committed, text } = this.membership;
    this.database.tree.setConfig(text, committed.version, this.runtime.wallTime());
  }

  /** A role is over: what its log holds uncommitted joins the history, unless that has to be read from the disk again. */
  protected async settle(entries: readonly LoggedEntry[]): Promise<void> {
    await new Promise<void>((resolve) => this.log.whenDurable(resolve));
    // What comes now, from the own log or from the next leader, may be cut again: no snapshot may hold it under an earlier zxid.
    await this.giveUpSnapshot();
    if (this.unlogged && !this.membership.observer) {
      // Others may soon count on what it has: that is what its disk has.
      await this.reload();
    } else if (this.unsaved) {
      this.logger.warn({}, 'the leader was lost while its snapshot came: going back to what is on disk');
      // It may have asked for one because what it had written does not go together.
      await this.reload(recoverWhatIsWhole);
      this.untrusted ||= mustRejoin(this.disk, this.dirs);
    } else {
      for (const { zxid, entry } of entries) this.applyUnasked(entry, zxid);
    }
  }

  /** Applies an entry that no client here waits for. */
  applyUnasked(entry: Buffer, zxid: number): void {
    this.port.actedElsewhere(entry.readBigInt64BE(TxnHeaderAt.clientId));
    this.database.tree.apply(entry, 0, entry.length);
    this.recent.add(zxid, entry);
  }

  /** Hands a committed entry that an observer is informed of to the log, unless it is not to write any (syncEnabled). */
  appendInformed(entry: Buffer, zxid: number): void {
    if (this.ensemble.syncEnabled || this.untrusted) this.log.append(entry, zxid);
    else this.unlogged = true;
  }

  /** This server has the leader's history, and has it on disk unless it keeps none: then no epoch may speak for the disk. */
  joined(epoch: number): void {
    if (this.unlogged) return;
    this.epochs.setCurrent(epoch);
    if (!this.untrusted) return;
    this.untrusted = false;
    if (mustRejoin(this.disk, this.dirs)) rejoined(this.disk, this.dirs);
  }

  // ---- history that comes from the leader ----

  beginReceiving(): BodySink {
    const { tree } = this.database;
    this.before = { zxid: this.lastZxid, rootChanges: tree.rootChanges };
    this.unsaved = true;
    this.recent.clear();
    this.database.reset();
    return this.database;
  }

  received(zxid: number): void {
    const { database } = this;
    database.snapshotLoaded(zxid);
    database.tree.finishLoading();
    this.writeConfigNode();
  }

  /** The leader's history, which this server takes over, ends at a zxid where it may have had other transactions. */
  private tellOfLoss(zxid: number): void {
    const { committedEnd } = this;
    if (zxid >= committedEnd) return;
    this.committedEnd = 0;
    this.logger.error(
      { zxid: `0x${zxid.toString(16)}`, committed: `0x${committedEnd.toString(16)}` },
      'the leader does not have the last transactions that were committed: acknowledged writes are lost. Members that elected it were started with an older copy of their data, or without',
    );
  }

  /**
   * Zxids of no epoch are of a server that was alone. If empty ones elected a leader without it when it was made a member, all that
   * it has would go, and nobody else has it.
   */
  private assertOwnDataIsThere(): void {
    const { zxid, rootChanges } = this.before;
    if (this.untrusted || zxid === 0 || epochOf(zxid) > 0 || this.database.tree.rootChanges >= rootChanges) return;
    throw new StorageError(
      this.dirs.snapshots,
      undefined,
      'these are the data of a server that was alone, and the leader of the ensemble has nothing of them',
      'If they are to be the data of the ensemble, stop the other servers, empty their data directories, and start this one before most of them; if not, empty this one',
    );
  }

  /** Makes the received tree the only history on disk. */
  saveReceived(done: () => void): void {
    this.occupy(async () => {
      this.assertOwnDataIsThere();
      this.tellOfLoss(this.lastZxid);
      await this.giveUpSnapshot();
      await this.log.close();
      const file = await this.writeSnapshot();
      replaceHistory(this.disk, this.dirs, file);
      this.log = this.openLog(this.lastZxid);
      this.unsaved = false;
      this.unlogged = false;
    }, done);
  }

  /** Cuts the log behind a zxid, if that can be done, and goes back to what is then on disk. */
  truncate(zxid: number, done: (cut: boolean) => void): void {
    this.tellOfLoss(zxid);
    let cut = false;
    this.occupy(
      async () => {
        await this.giveUpSnapshot();
        await this.log.close();
        if (this.unlogged) {
          await this.reload(); // from there it tries again
          return;
        }
        cut = truncateLog(this.disk, this.dirs, zxid, this.maxPacket);
        if (cut) {
          await this.reload();
          // In logs of Apache's followers an earlier file may have the same entries once more (storage/repeated-entries.ts).
          cut = this.lastZxid === zxid;
        } else this.log = this.openLog(this.lastZxid);
      },
      () => done(cut),
    );
  }

  private occupy(work: () => Promise<void>, done: () => void): void {
    this.busy = this.busy.then(work).then(
      () => this.guard(done),
      (error: Error) => this.fail(error),
    );
  }

  protected async reload(recoverBy: typeof recover = recover): Promise<void> {
    const { database, recent } = this;
    await this.log.close();
    recent.clear();
    database.reset();
    database.onReplayed = rememberFrom(recent);
    const recovered = await recoverInto(database, this.dirs, this.disk, this.config, this.logger, recoverBy);
    database.onReplayed = undefined;
    this.log = this.openLog(recovered.lastZxid);
    this.countReplayed(recovered);
    this.unsaved = false;
    this.unlogged = false;
    this.writeConfigNode();
  }
}

/** Has the transactions of a log that is read kept for learners. */
export function rememberFrom(recent: RecentProposals): (buf: Buffer, start: number, end: number, zxid: number) => void {
  return (buf, start, end, zxid) => {
    if (recent.max !== undefined && !follows(zxid, recent.max)) recent.clear();
    recent.add(zxid, Buffer.from(buf.subarray(start, end)));
  };
}
