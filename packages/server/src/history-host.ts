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
    const newest = sortedSnapshots(disk.list(dirs.snapshots))[0];
    const snapshotSize = newest === undefined ? 0 : (disk.size(`${dirs.snapshots}/${newest.file}`) ?? 0);
    return DiskCursor.open(disk, dirs.logs, zxid, snapshotSize * ensemble.snapshotSizeFactor);
  }

  holdsBetween(above: number, below: number): boolean {
    const { disk, dirs } = this.server;
    return sortedSnapshots(disk.list(dirs.snapshots)).some(
      ({ zxid }) => zxid > above && zxid < below && counterOf(zxid) !== 0,
    );
  }

  newTrace(): PacketTrace | undefined {
    return this.server.newTrace();
  }

  guard(action: () => void): void {
    this.server.guard(action);
  }

  info(message: string): void {
    this.server.logger.info({}, message);
  }

  warn(message: string): void {
    this.server.logger.warn({}, message);
  }
}
