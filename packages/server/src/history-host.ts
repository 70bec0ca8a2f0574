// What a server has for its learners, whether it leads them or serves observers in the leader's place.

import type { HistoryHost, LogCursor } from './broadcast/learner-master.js';
import type { Outbox } from './broadcast/packet-link.js';
import type { PacketTrace } from './broadcast/packet-trace.js';
import { counterOf, type RecentProposals } from './broadcast/recent-proposals.js';
import type { BodySource } from './broadcast/snapshot-stream.js';
import type { SyncKind } from './broadcast/sync-limits.js';
import { RoleHost } from './role-host.js';
import { sortedSnapshots } from './storage/file-names.js';
import { LogCursor as DiskCursor } from './storage/log-cursor.js';
import { systemCode } from './storage/system-error.js';

export class ServerHistory extends RoleHost implements HistoryHost {
  get outbox(): Outbox {
    return this.server.port.turns;
  }

  get maxPacket(): number {
    return this.server.maxPacket;
  }

  get recent(): RecentProposals {
    return this.server.recent;
  }

  get lastZxid(): number {
    return this.server.lastZxid;
  }

  get logAllowed(): boolean {
    return this.server.ensemble.snapshotSizeFactor >= 0;
  }

  get forceSnapshotSync(): boolean {
    return this.server.ensemble.forceSnapshotSync;
  }

  get mostSyncs(): Readonly<Record<SyncKind, number>> {
    return this.server.ensemble.mostSyncs;
  }

  configText(): string {
    return this.server.membership.text;
  }

  snapshotBody(): BodySource & { readonly zxid: number; end(): void } {
    return this.server.database.snapshot();
  }

  logAfter(zxid: number): LogCursor | undefined {
    const { disk, dirs, ensemble } = this.server;
    return this.fromDisk(undefined, () => {
      const newest = sortedSnapshots(disk.list(dirs.snapshots))[0];
      const snapshotSize = newest === undefined ? 0 : (disk.size(`${dirs.snapshots}/${newest.file}`) ?? 0);
      const limit = snapshotSize * ensemble.snapshotSizeFactor;
      return DiskCursor.open(disk, dirs.logs, zxid, limit, (message) => this.warn(message));
    });
  }

  holdsBetween(above: number, below: number): boolean {
    const { disk, dirs } = this.server;
    return this.fromDisk(true, () =>
      sortedSnapshots(disk.list(dirs.snapshots)).some(
        ({ zxid }) => zxid > above && zxid < below && counterOf(zxid) !== 0,
      ),
    );
  }

  /** What is looked up on disk for a learner, or what makes it get a snapshot where the system refuses: no reason to end. */
  private fromDisk<T>(refused: T, look: () => T): T {
    try {
      return look();
    } catch (e) {
      if (systemCode(e) === undefined) throw e;
      this.warn(`a learner is brought up to date by a snapshot, as the log cannot be read: ${(e as Error).message}`);
      return refused;
    }
  }

  newTrace(): PacketTrace | undefined {
    return this.server.newTrace();
  }

  guard(action: () => void): void {
    this.server.guard(action);
  }

  info(message: string): void {
    this.server.portLogger.info({}, message);
  }

  warn(message: string): void {
    this.server.portLogger.warn({}, message);
  }
}
