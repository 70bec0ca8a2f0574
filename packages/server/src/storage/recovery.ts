// Brings the tree back: the newest good snapshot, then the log behind it. Refuses where a transaction might be missing.

import { join } from 'node:path';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { EPOCH, joinedEpoch } from './epochs.js';
import { StorageError } from './errors.js';
import { parseLogName, type SnapshotName, sortedLogs, sortedSnapshots } from './file-names.js';
import { RepeatedEntries } from './repeated-entries.js';
import { loadSnapshot, quickTest, type SnapshotSink } from './snapshot-reader.js';
import { forgetMarks, MARKS, readMarks } from './synced-marks.js';
import { LARGEST_UNDER_WAY, LOG_HEADER_SIZE } from './txn-log.js';
import { type LogEnd, readLog } from './txn-log-reader.js';

export interface RecoveryTarget extends SnapshotSink {
  /** Forgets everything: a snapshot turned out bad, the next is tried. */
  reset(): void;
  /** The snapshot is loaded; what follows is the log. */
  snapshotLoaded(zxid: number): void;
  /** Applies an entry of the log. */
  apply(buf: Buffer, start: number, end: number, zxid: number): void;
  /** How many entries were applied that tell another digest of the tree than it has then. */
  readonly digestMismatches: number;
  /** How many entries were applied of which the digest was compared. */
  readonly digestComparisons: number;
  /** Whether the snapshot tells another digest than what it holds has. */
  readonly snapshotMismatches: boolean;
}

export interface RecoveryOptions {
  /** The largest log entry that is believed. */
  readonly maxEntry: number;
  /** snapshot.trust.empty: logs without a snapshot count from an empty tree. */
  readonly trustEmptySnapshot: boolean;
  readonly onWarning: (message: string) => void;
  /** Leaves every file as it is, for tools; a server cuts a torn tail off, as Apache's refuses to start on some of them. */
  readonly readOnly?: boolean;
}

export interface Recovered {
  /** No snapshot and no log were there. */
  readonly fresh: boolean;
  readonly lastZxid: number;
  readonly snapshotZxid: number;
  /** Transactions that the log had after the snapshot, and their bytes. */
  readonly replayed: number;
  readonly replayedBytes: number;
  /** What was found behind the last record, and cut unless reading only. */
  readonly tornTail?: { readonly file: string; readonly offset: number; readonly problem: string };
}

const CANDIDATES = 100;
const ERROR_TYPE = -1;

/**
 * Fills an empty target.
 * @throws StorageError with what is wrong and what to do
 */
export async function recover(
  disk: Disk,
  dirs: DataDir,
  target: RecoveryTarget,
  options: RecoveryOptions,
): Promise<Recovered> {
  const { snapshot, unreadable } = await loadNewest(disk, dirs, target, options);
  const logs = sortedLogs(disk.list(dirs.logs));
  if (snapshot === undefined) {
    const withRecords = logs.find((log) => countRecords(disk, dirs.logs, log.file, options.maxEntry) > 0);
    if (withRecords === undefined) {
      assertNothingLost(disk, dirs);
      // Who took the snapshots away, too, wants to begin anew.
      if (options.readOnly !== true) forgetMarks(disk, dirs.logs);
      return { fresh: true, lastZxid: 0, snapshotZxid: 0, replayed: 0, replayedBytes: 0 };
    }
    if (!options.trustEmptySnapshot) {
      throw new StorageError(
        withRecords.file,
        undefined,
        'there are transactions but no snapshot that they go on from',
        'Restore the snapshots; only when upgrading from 3.4, set snapshot.trust.empty=true once',
        true,
      );
    }
  }
  const snapshotZxid = snapshot?.zxid ?? 0;
  target.snapshotLoaded(snapshotZxid);
  try {
    const recovered = replay(disk, dirs, logs, snapshotZxid, target, options);
    assertReached(disk, dirs, recovered.lastZxid);
    assertNoLogGone(disk, dirs, recovered.lastZxid);
    return recovered;
  } catch (e) {
    // What is missing may be in the snapshot that could not be read: that is what there is to do something about.
    throw unreadable ?? e;
  }
}

/**
 * What stands in a snapshot's name has been in the log, or came in a snapshot: without that snapshot the log has to reach it.
 * An epoch that has no transaction yet gives its name to snapshots, too: it tells something if the server has joined that epoch.
 */
function assertReached(disk: Disk, dirs: DataDir, lastZxid: number): void {
  const newest = sortedSnapshots(disk.list(dirs.snapshots)).find(
    ({ zxid }) => zxid % EPOCH !== 0 || wasJoined(disk, dirs, zxid),
  );
  if (newest === undefined || newest.zxid <= lastZxid) return;
  throw new StorageError(
    join(dirs.snapshots, newest.file),
    undefined,
    `the snapshot is damaged, and without it the data end at 0x${lastZxid.toString(16)}: transactions are missing`,
    'Restore it from a copy, or start with the data of another server; to go on with older data, take it away',
    true,
  );
}

/** A log that had durable records, behind the end of what there is, was taken away by somebody. */
function assertNoLogGone(disk: Disk, { logs }: DataDir, lastZxid: number): void {
  for (const name of readMarks(disk, logs).keys()) {
    if ((parseLogName(name) ?? 0) <= lastZxid || disk.size(join(logs, name)) !== undefined) continue;
    throw new StorageError(
      join(logs, name),
      undefined,
      `the log is gone, and without it the data end at 0x${lastZxid.toString(16)}: transactions are missing`,
      `Restore it, or start with the data of another server; to go on with older data, take ${join(logs, MARKS)} away`,
      true,
    );
  }
}

/** Whether the server has the history of an epoch's leader: that was durable before the epoch was written. */
function wasJoined(disk: Disk, dirs: DataDir, zxid: number): boolean {
  const epoch = Math.floor(zxid / EPOCH);
  return epoch > 0 && joinedEpoch(disk, dirs) >= epoch;
}

function countRecords(disk: Disk, dir: string, file: string, maxEntry: number): number {
  return readLog(disk, dir, file, maxEntry, () => {}).records;
}

/** A first snapshot, of an empty tree, may be one that a crash cut short: nothing was acknowledged before it. */
function assertNothingLost(disk: Disk, dirs: DataDir): void {
  const broken = sortedSnapshots(disk.list(dirs.snapshots)).find(({ zxid }) => zxid > 0);
  if (broken === undefined) return;
  throw new StorageError(
    join(dirs.snapshots, broken.file),
    undefined,
    'the snapshot ends too early, and there is neither another one nor a log',
    'Restore it from a copy, or start with the data of another server; without it the server would begin with nothing',
    true,
  );
}

/** The newest snapshot that is good, and why a newer one was not read, if the system refused that. */
async function loadNewest(
  disk: Disk,
  dirs: DataDir,
  target: RecoveryTarget,
  options: RecoveryOptions,
): Promise<{ readonly snapshot?: SnapshotName; readonly unreadable?: StorageError | undefined }> {
  const candidates: SnapshotName[] = [];
  for (const name of sortedSnapshots(disk.list(dirs.snapshots))) {
    if (candidates.length === CANDIDATES) break;
    if (quickTest(disk, dirs.snapshots, name)) candidates.push(name);
    else if (candidates.length === 0) options.onWarning(`${name.file} is no whole snapshot: an older one is read`);
  }
  let firstProblem: StorageError | undefined;
  let unreadable: StorageError | undefined;
  for (const candidate of candidates) {
    try {
      await loadSnapshot(disk, dirs.snapshots, candidate, target);
      return { snapshot: candidate, unreadable };
    } catch (e) {
      if (!(e instanceof StorageError)) throw e;
      target.reset();
      firstProblem ??= e;
      if (!e.isDamage) unreadable ??= e;
      options.onWarning(e.message);
    }
  }
  if (firstProblem !== undefined) throw unreadable ?? firstProblem;
  return {};
}

function replay(
  disk: Disk,
  dirs: DataDir,
  logs: readonly { readonly file: string; readonly zxid: number }[],
  snapshotZxid: number,
  target: RecoveryTarget,
  options: RecoveryOptions,
): Recovered {
  let first = 0;
  for (let i = 0; i < logs.length; i++) if ((logs[i]?.zxid ?? 0) <= snapshotZxid) first = i;
  let last = snapshotZxid;
  let replayed = 0;
  let replayedBytes = 0;
  let tornTail: Recovered['tornTail'];
  let newestEnd: LogEnd | undefined;
  /** Where something may be missing that zxids do not show: the next digest tells. Errors have none. */
  let doubt: { readonly file: string; readonly offset: number; readonly problem: string } | undefined;
  const repeated = new RepeatedEntries(disk, dirs.logs, logs, options.maxEntry);
  for (let i = first; i < logs.length; i++) {
    const { file } = logs[i] as { file: string };
    const end = readLog(disk, dirs.logs, file, options.maxEntry, (buf, start, stop, zxid, type, offset) => {
      if (zxid <= snapshotZxid) return;
      if (zxid > Number.MAX_SAFE_INTEGER) {
        throw new StorageError(
          file,
          offset,
          `zxids go on behind 0x${last.toString(16)} to where epochs from 2097152 on are, which are not supported`,
          "Use Apache's server; or copy the nodes from it to a server that begins anew",
        );
      }
      if (zxid === last && type === ERROR_TYPE) return; // 3.9 servers can log an error under the zxid before it
      if (zxid <= last && repeated.has(i, offset, zxid, buf, start, stop)) return;
      if (zxid !== last + 1 && !beginsEpoch(zxid, last)) {
        throw new StorageError(
          file,
          offset,
          `zxid 0x${zxid.toString(16)} follows 0x${last.toString(16)}: transactions between them are missing`,
          'Restore the missing log file, or start with the data of another server',
          true,
        );
      }
      if (zxid !== last + 1 && last > 0)
        doubt ??= { file, offset, problem: `nothing tells that 0x${last.toString(16)} was the last of its epoch` };
      const { digestMismatches, digestComparisons } = target;
      try {
        target.apply(buf, start, stop, zxid);
      } catch (e) {
        throw new StorageError(
          file,
          offset,
          `zxid 0x${zxid.toString(16)}: ${(e as Error).message}`,
          'Use a version that knows this transaction',
        );
      }
      if (doubt !== undefined && target.digestComparisons > digestComparisons) {
        const differs = target.digestMismatches > digestMismatches;
        // Digests that did not match before tell nothing: Apache's servers digest other paths where Java's charset is ASCII.
        if (differs && digestMismatches === 0 && !target.snapshotMismatches) {
          throw new StorageError(
            doubt.file,
            doubt.offset,
            `${doubt.problem}, and by its digest 0x${zxid.toString(16)} goes on from another tree: transactions are missing`,
            'Restore the file from a copy, or start with the data of another server; digest.enabled=false takes what there is',
            true,
          );
        }
        if (differs)
          options.onWarning(
            `${doubt.file} at offset ${doubt.offset}: ${doubt.problem}; nor does the digest of 0x${zxid.toString(16)}, as those before it did not match`,
          );
        doubt = undefined;
      }
      last = zxid;
      replayed++;
      replayedBytes += stop - start;
    });
    newestEnd = end;
    if (end.torn === undefined) continue;
    if (i === logs.length - 1) {
      tornTail = { file, offset: end.offset, problem: end.torn };
    } else {
      doubt = { file, offset: end.offset, problem: end.torn };
      options.onWarning(
        `${file} at offset ${end.offset}: ${end.torn}. The next log goes on behind it, so this was cut when a server started after a crash`,
      );
    }
  }
  const newest = logs[logs.length - 1];
  if (options.readOnly !== true && newest !== undefined && newestEnd !== undefined)
    settleTail(disk, join(dirs.logs, newest.file), dirs.logs, newestEnd);
  if (tornTail !== undefined) {
    options.onWarning(
      `${tornTail.file} at offset ${tornTail.offset}: ${tornTail.problem}; a write that was never acknowledged is cut, the last transaction is 0x${last.toString(16)}`,
    );
  }
  const read = { fresh: false, lastZxid: last, snapshotZxid, replayed, replayedBytes };
  return tornTail === undefined ? read : { ...read, tornTail };
}

/**
 * Makes durable what was read from the newest log, before anybody is told of it: a process that was killed can have left its last
 * writes in the page cache only, and those that failed are there, too. Takes away what a crash left behind it: Apache's servers do
 * not start on all of that.
 */
function settleTail(disk: Disk, path: string, dir: string, { offset, lastAt, torn }: LogEnd): void {
  const size = disk.size(path) ?? 0;
  if (size < LOG_HEADER_SIZE) disk.remove(path);
  else {
    if (torn !== undefined) disk.truncate(path, offset);
    // The writes that failed were no larger than what can be under way, or one entry behind that.
    disk.rewrite(path, Math.max(0, lastAt - LARGEST_UNDER_WAY), offset);
  }
  disk.syncDir(dir);
}

/** Whether the zxid is the first of a later epoch than that of the one before it. */
function beginsEpoch(zxid: number, last: number): boolean {
  return Math.floor(zxid / EPOCH) > Math.floor(last / EPOCH) && zxid % EPOCH === 1;
}
