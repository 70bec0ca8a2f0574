// Takes back history: cuts the log behind a transaction, or replaces everything by a snapshot, so that a crash at any moment
// leaves either what was or what is to be.

import { join } from 'node:path';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { parseSnapshotName, sortedLogs, sortedSnapshots } from './file-names.js';
import { forgetMarks } from './synced-marks.js';
import { readLog } from './txn-log-reader.js';

/** While it is there, the snapshot that its first line names takes the place of the files that the others name. */
const MARKER = 'replaced-by';

/**
 * Cuts the log behind `zxid`, and removes snapshots that are newer. Returns false, having changed nothing, if the transaction is
 * not there to cut at or no snapshot is left to begin from.
 * @param maxEntry the largest entry that is believed
 */
export function truncateLog(disk: Disk, dirs: DataDir, zxid: number, maxEntry: number): boolean {
  const snapshots = sortedSnapshots(disk.list(dirs.snapshots));
  const base = snapshots.find((snapshot) => snapshot.zxid <= zxid);
  if (base === undefined) return false;
  const logs = sortedLogs(disk.list(dirs.logs));
  let at = -1;
  for (let i = 0; i < logs.length; i++) if ((logs[i]?.zxid ?? 0) <= zxid) at = i;
  // A snapshot of exactly that zxid shows that it is known: the first of an epoch is in no log.
  let known = base.zxid === zxid;
  let cutAt: number | undefined;
  const file = logs[at]?.file;
  if (file !== undefined) {
    let next: number | undefined;
    const end = readLog(disk, dirs.logs, file, maxEntry, (_buf, _start, _stop, entry, _type, offset) => {
      if (entry === zxid) known = true;
      if (entry > zxid) next ??= offset;
    });
    cutAt = next ?? end.offset;
  }
  if (!known) return false;
  // From the newest on, so that a crash between leaves a log without gaps.
  // Each step is durable before the next: logs may be on another disk, and a snapshot of what its log has lost must not come back.
  const gone = snapshots.filter((snapshot) => snapshot.zxid > zxid);
  const shrinking = gone.map(({ file }) => disk.removeLarge(join(dirs.snapshots, file)));
  disk.syncDir(dirs.snapshots);
  const later = logs.slice(at + 1).map((log) => log.file);
  forgetMarks(disk, dirs.logs, later);
  for (const log of later.reverse()) shrinking.push(disk.removeLarge(join(dirs.logs, log)));
  disk.syncDir(dirs.logs);
  void giveBack(shrinking);
  if (file !== undefined && cutAt !== undefined) disk.truncate(join(dirs.logs, file), cutAt);
  return true;
}

/**
 * Makes a durable snapshot, `file`, the only history.
 * @throws Error if somebody has removed it, as a purge by other tools may: what was there before has to stay then
 */
export function replaceHistory(disk: Disk, dirs: DataDir, file: string): void {
  if (disk.size(join(dirs.snapshots, file)) === undefined)
    throw new Error(`${file} has gone before it could take the place of the files of before`);
  disk.replaceText(join(dirs.snapshots, MARKER), [file, ...others(disk, dirs, file)].join('\n'));
  const shrinking: (() => Promise<void>)[] = [];
  finishReplacing(disk, dirs, (path) => shrinking.push(disk.removeLarge(path)));
  void giveBack(shrinking);
}

/** What a history consists of beside one snapshot: logs from the newest on, then snapshots. */
function others(disk: Disk, dirs: DataDir, file: string): string[] {
  const logs = sortedLogs(disk.list(dirs.logs)).reverse();
  return [...logs, ...sortedSnapshots(disk.list(dirs.snapshots))].map((one) => one.file).filter((one) => one !== file);
}

/**
 * Goes on with a replacement that a crash interrupted. To be called before recovery. If another server has written files since, it
 * went on from what it found, and those are the history.
 * @param remove takes a file's name away
 */
export function finishReplacing(
  disk: Disk,
  dirs: DataDir,
  remove = (path: string): unknown => disk.remove(path),
): void {
  const marker = join(dirs.snapshots, MARKER);
  const [file = '', ...replaced] = (disk.readText(marker) ?? '').split('\n');
  if (file === '') return;
  const isThere = parseSnapshotName(file) !== undefined && disk.size(join(dirs.snapshots, file)) !== undefined;
  const there = others(disk, dirs, file);
  if (isThere && there.every((one) => replaced.includes(one))) {
    forgetMarks(disk, dirs.logs);
    for (const one of there) remove(join(parseSnapshotName(one) === undefined ? dirs.logs : dirs.snapshots, one));
    disk.syncDir(dirs.snapshots);
    if (dirs.logs !== dirs.snapshots) disk.syncDir(dirs.logs);
  }
  disk.remove(marker);
  disk.syncDir(dirs.snapshots);
}

/**
 * Gives the space of removed files back while other things go on: at once some GB keep the process for a second. Only once their names
 * are gone for good, as no crash may bring back a part of them.
 */
async function giveBack(shrinking: readonly (() => Promise<void>)[]): Promise<void> {
  for (const shrink of shrinking) await shrink().catch(() => {}); // what cannot be shortened goes at once
}
