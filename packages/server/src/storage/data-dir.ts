// The data directory: where what lies, and the files beside logs and snapshots (myid, epochs, initialize).

import { join } from 'node:path';
import type { Disk } from './disk.js';
import { StorageError } from './errors.js';
import { parseLogName, parseSnapshotName, TEMPORARY } from './file-names.js';

/** Beside the snapshots of a member that may have forgotten transactions, until it has a leader's history. */
export const REJOIN_MARKER = 'must-rejoin';

export interface DataDir {
  /** `<dataDir>/version-2`, with snapshots and epochs. */
  readonly snapshots: string;
  /** `<dataLogDir>/version-2`. */
  readonly logs: string;
  readonly dataDir: string;
  readonly dataLogDir: string;
}

/**
 * Finds, and unless told otherwise makes, the directories.
 * @throws StorageError if a directory is missing, cannot be used, or holds the other one's files
 */
export function openDataDir(disk: Disk, dataDir: string, dataLogDir: string, autocreate: boolean): DataDir {
  const dirs = {
    dataDir,
    dataLogDir,
    snapshots: join(dataDir, 'version-2'),
    logs: join(dataLogDir, 'version-2'),
  };
  assertLogsAreThere(disk, dirs);
  for (const dir of new Set([dirs.snapshots, dirs.logs])) {
    if (disk.size(dir) === undefined && !autocreate) {
      throw new StorageError(dir, undefined, 'the directory is missing', 'Create it, or set datadir.autocreate=true');
    }
    try {
      disk.makeDir(dir);
    } catch (e) {
      throw new StorageError(
        dir,
        undefined,
        `cannot be created: ${(e as Error).message}`,
        'Check dataDir, dataLogDir and permissions',
      );
    }
  }
  if (dirs.logs !== dirs.snapshots) {
    const stray =
      disk.list(dirs.logs).find((name) => parseSnapshotName(name) !== undefined) ??
      disk.list(dirs.snapshots).find((name) => parseLogName(name) !== undefined);
    if (stray !== undefined) {
      throw new StorageError(
        stray,
        undefined,
        'logs and snapshots have directories of their own, and this file is in the other one',
        'Move it to where it belongs: snapshots to dataDir, logs to dataLogDir',
      );
    }
  }
  return dirs;
}

/** Logs that were somewhere else when the snapshots were taken: a file system of their own that is not mounted looks so. */
function assertLogsAreThere(disk: Disk, { logs, snapshots }: DataDir): void {
  if (logs === snapshots || disk.size(logs) !== undefined || disk.size(snapshots) === undefined) return;
  const snapshot = disk.list(snapshots).find((name) => (parseSnapshotName(name)?.zxid ?? 0) > 0);
  if (snapshot === undefined) return;
  throw new StorageError(
    logs,
    undefined,
    `the directory is missing, while there is ${join(snapshots, snapshot)}: the transactions behind it would be lost`,
    `Mount what dataLogDir stands for, or correct dataLogDir; create the directory if there are no logs any more, and for a member of an ensemble ${join(snapshots, REJOIN_MARKER)}, too, so that the others tell it what it has lost`,
  );
}

/** Removes temporary files that a crash left. To be called with the directories locked: they may be those of a server that runs. */
export function removeTemporary(disk: Disk, dirs: DataDir): void {
  for (const dir of new Set([dirs.snapshots, dirs.logs]))
    for (const name of disk.list(dir)) if (name.startsWith(TEMPORARY)) disk.remove(join(dir, name));
}

/** The server id in `<dataDir>/myid`; undefined if there is no such file. */
export function readMyid(disk: Disk, dataDir: string): number | undefined {
  const path = join(dataDir, 'myid');
  const text = disk.readText(path);
  if (text === undefined) return undefined;
  const line = text.split('\n', 1)[0]?.trim() ?? '';
  if (!/^\d+$/.test(line))
    throw new StorageError(path, 0, `'${line}' is no server id`, 'Write a number from 1 to 255 into it');
  return Number(line);
}

/**
 * Whether a database found empty may count as an empty history. The `initialize` file, if there, says so once.
 * @param autocreate the option db.autocreate
 */
export function mayStartEmpty(disk: Disk, dirs: DataDir, autocreate: boolean): boolean {
  const path = join(dirs.dataLogDir, 'initialize');
  if (disk.size(path) === undefined) return autocreate;
  disk.remove(path);
  return true;
}

/** Bytes in the files of a directory. */
export function dirSize(disk: Disk, dir: string): number {
  let sum = 0;
  for (const name of disk.list(dir)) sum += disk.size(join(dir, name)) ?? 0;
  return sum;
}
