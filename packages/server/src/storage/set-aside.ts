// A member of an ensemble whose files are damaged: what cannot be read is set aside, never deleted, and the server rejoins as one
// that may have forgotten transactions. It elects nobody until it has a leader's history again. A marker file says so, through
// restarts.

import { basename, join } from 'node:path';
import { type DataDir, REJOIN_MARKER } from './data-dir.js';
import type { Disk } from './disk.js';
import type { StorageError } from './errors.js';
import { parseLogName, parseSnapshotName, sortedLogs, TEMPORARY } from './file-names.js';
import { type Recovered, type RecoveryOptions, type RecoveryTarget, recover } from './recovery.js';
import { forgetMarks, MARKS } from './synced-marks.js';
import { LOG_HEADER_SIZE } from './txn-log.js';

/** What stands before the names of files that were set aside. */
const ASIDE = 'damaged.';
const PIECE = 1024 * 1024;

/** Whether the server may have forgotten transactions that it acknowledged. */
export function mustRejoin(disk: Disk, dirs: DataDir): boolean {
  return disk.size(rejoinMarker(dirs)) !== undefined;
}

/** The file that says so, and why. */
export function rejoinMarker(dirs: DataDir): string {
  return join(dirs.snapshots, REJOIN_MARKER);
}

/** The server has a leader's history. */
export function rejoined(disk: Disk, dirs: DataDir): void {
  disk.remove(rejoinMarker(dirs));
  disk.syncDir(dirs.snapshots);
}

/**
 * As {@link recover}, but damage ends only in less being recovered.
 * @throws StorageError for what is not damage
 */
export async function recoverWhatIsWhole(
  disk: Disk,
  dirs: DataDir,
  target: RecoveryTarget,
  options: RecoveryOptions,
): Promise<Recovered> {
  for (;;) {
    try {
      return await recover(disk, dirs, target, options);
    } catch (e) {
      if (!isDamage(e)) throw e;
      options.onWarning(e.message);
      disk.replaceText(rejoinMarker(dirs), e.message);
      const names = await setAside(disk, dirs, e);
      if (names.length === 0) throw e;
      options.onWarning(
        `set aside: ${names.join(', ')}. This server takes what is missing from the others, and elects nobody until then`,
      );
      target.reset();
    }
  }
}

function isDamage(e: unknown): e is StorageError {
  return e instanceof Error && e.name === 'StorageError' && (e as StorageError).isDamage;
}

/**
 * Renames the damaged file and, of logs, those after it; what is whole before the damage stays under the log's name. In the place of a
 * log that is gone it is the note that tells of it. Returns the new names.
 */
async function setAside(disk: Disk, dirs: DataDir, { file, offset }: StorageError): Promise<string[]> {
  const name = basename(file);
  if (parseSnapshotName(name) !== undefined) {
    const aside = moveAside(disk, dirs.snapshots, name);
    disk.syncDir(dirs.snapshots);
    return [aside];
  }
  const zxid = parseLogName(name);
  if (zxid === undefined) return [];
  if (disk.size(join(dirs.logs, name)) === undefined) {
    const aside = moveAside(disk, dirs.logs, MARKS);
    disk.syncDir(dirs.logs);
    return [aside];
  }
  const later = sortedLogs(disk.list(dirs.logs)).filter((log) => log.zxid > zxid);
  const isPartWhole = offset !== undefined && offset > LOG_HEADER_SIZE;
  const leaving = later.map((log) => log.file);
  forgetMarks(disk, dirs.logs, isPartWhole ? leaving : [name, ...leaving]);
  // From the newest on: a crash between leaves a log without gaps.
  const names = later.reverse().map((log) => moveAside(disk, dirs.logs, log.file));
  const whole = isPartWhole ? await copy(disk, dirs.logs, name, offset) : undefined;
  names.unshift(moveAside(disk, dirs.logs, name));
  if (whole !== undefined) disk.rename(whole, join(dirs.logs, name));
  disk.syncDir(dirs.logs);
  return names;
}

/** Under a name that nothing has: what was set aside before may be all that is left of something. */
function moveAside(disk: Disk, dir: string, name: string): string {
  let aside = ASIDE + name;
  for (let n = 2; disk.size(join(dir, aside)) !== undefined; n++) aside = `${ASIDE}${name}.${n}`;
  disk.rename(join(dir, name), join(dir, aside));
  return aside;
}

/** Copies the beginning of a file; returns the path of the copy, which is durable. */
async function copy(disk: Disk, dir: string, name: string, length: number): Promise<string> {
  const path = join(dir, TEMPORARY + name);
  const from = disk.open(join(dir, name));
  const to = await disk.create(path);
  try {
    for (let at = 0; at < length; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE, length - at));
      const n = from.read(piece, 0, piece.length, at);
      if (n === 0) break;
      await to.write(piece.subarray(0, n));
      at += n;
    }
    await to.sync();
  } finally {
    from.close();
    await to.close();
  }
  return path;
}
