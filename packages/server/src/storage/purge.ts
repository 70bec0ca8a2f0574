// Deletes snapshots and logs that are not needed to restore any of the newest few snapshots.

import { join } from 'node:path';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { StorageError } from './errors.js';
import { sortedLogs, sortedSnapshots } from './file-names.js';
import { loadSnapshot, quickTest, type SnapshotSink } from './snapshot-reader.js';

const NOWHERE: SnapshotSink = { session: () => {}, acl: () => {}, node: () => {}, digest: () => {} };

/**
 * Keeps the `retain` newest snapshots that are whole, and the logs they need. Deletes nothing without a whole snapshot.
 * @param beforeDelete called with each file's path
 * @returns the names of the deleted files
 */
export async function purge(
  disk: Disk,
  dirs: DataDir,
  retain: number,
  beforeDelete: (path: string) => void = () => {},
): Promise<string[]> {
  const kept: number[] = [];
  const snapshots = sortedSnapshots(disk.list(dirs.snapshots));
  const logs = sortedLogs(disk.list(dirs.logs));
  for (const name of snapshots) {
    if (kept.length === retain) break;
    if (!quickTest(disk, dirs.snapshots, name)) continue;
    try {
      await loadSnapshot(disk, dirs.snapshots, name, NOWHERE);
      kept.push(name.zxid);
    } catch (e) {
      if (!(e instanceof StorageError)) throw e;
    }
  }
  const oldest = kept[kept.length - 1];
  if (oldest === undefined || kept.length < retain) return [];
  // The newest may be there by name for this moment only: it is being written, or its directory could not be synced.
  disk.syncDir(dirs.snapshots);
  // Reading them takes its time. Who got a leader's history instead meanwhile has nothing but that, and it may be older by name; until
  // the files of before are gone it stands beside them, so that nothing is deleted that was not there at first.
  const there = new Set(sortedSnapshots(disk.list(dirs.snapshots)).map(({ zxid }) => zxid));
  if (!kept.every((zxid) => there.has(zxid))) return [];
  const deleted: string[] = [];
  const remove = (dir: string, file: string): void => {
    const path = join(dir, file);
    beforeDelete(path);
    disk.remove(path);
    deleted.push(file);
  };
  for (const name of snapshots) if (name.zxid < oldest) remove(dirs.snapshots, name.file);
  let firstNeeded = 0;
  for (const log of logs) if (log.zxid <= oldest) firstNeeded = log.zxid;
  for (const log of logs) if (log.zxid < firstNeeded) remove(dirs.logs, log.file);
  return deleted;
}
