// Deletes snapshots and logs that are not needed to restore any of the newest few snapshots.

import { basename, join } from 'node:path';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { StorageError } from './errors.js';
import { sortedLogs, sortedSnapshots } from './file-names.js';
import { loadSnapshot, quickTest, type SnapshotSink } from './snapshot-reader.js';

const NOWHERE: SnapshotSink = { session: () => {}, acl: () => {}, node: () => {}, digest: () => {} };

/** Paths of files that none of the newest whole snapshots needs. */
export interface Purgeable {
  readonly snapshots: readonly string[];
  readonly logs: readonly string[];
}

const NOTHING: Purgeable = { snapshots: [], logs: [] };

/** What can go so that the `retain` newest snapshots that are whole stay, and the logs they need. Nothing if there are fewer. */
export async function purgeable(disk: Disk, dirs: DataDir, retain: number): Promise<Purgeable> {
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
  if (oldest === undefined || kept.length < retain) return NOTHING;
  // The newest may be there by name for this moment only: it is being written, or its directory could not be synced.
  disk.syncDir(dirs.snapshots);
  // Reading them takes its time. Who got a leader's history instead meanwhile has nothing but that, and it may be older by name; until
  // the files of before are gone it stands beside them, so that nothing is deleted that was not there at first.
  const there = new Set(sortedSnapshots(disk.list(dirs.snapshots)).map(({ zxid }) => zxid));
  if (!kept.every((zxid) => there.has(zxid))) return NOTHING;
  let firstNeeded = 0;
  for (const log of logs) if (log.zxid <= oldest) firstNeeded = log.zxid;
  return {
    snapshots: snapshots.filter(({ zxid }) => zxid < oldest).map(({ file }) => join(dirs.snapshots, file)),
    logs: logs.filter(({ zxid }) => zxid < firstNeeded).map(({ file }) => join(dirs.logs, file)),
  };
}

/**
 * Deletes what is {@link purgeable}.
 * @param beforeDelete called with each file's path
 * @returns the names of the deleted files
 */
export async function purge(
  disk: Disk,
  dirs: DataDir,
  retain: number,
  beforeDelete: (path: string) => void = () => {},
): Promise<string[]> {
  const old = await purgeable(disk, dirs, retain);
  const shrinking: (() => Promise<void>)[] = [];
  for (const path of old.snapshots) {
    beforeDelete(path);
    shrinking.push(disk.removeLarge(path));
  }
  // Not a little at a time: a log may be being read for a learner, and its end would come too early.
  for (const path of old.logs) {
    beforeDelete(path);
    disk.remove(path);
  }
  for (const shrink of shrinking) await shrink();
  return [...old.snapshots, ...old.logs].map((path) => basename(path));
}
