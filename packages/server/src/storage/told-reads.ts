// Reads of logs and snapshots, whose refusals are told with the file's name. They are no damage: a disk or a right can come back, and
// nothing may be set aside for them.

import type { Disk, ReadableFile } from './disk.js';
import { StorageError } from './errors.js';
import { systemCode } from './system-error.js';

/**
 * Opens a file.
 * @param remedy what is to be done where it cannot be read
 * @throws StorageError, here or with any read, if the system refuses
 */
export function openTold(disk: Disk, path: string, remedy: string): ReadableFile {
  const told = <T>(action: () => T): T => {
    try {
      return action();
    } catch (e) {
      if (systemCode(e) === undefined) throw e;
      throw new StorageError(path, undefined, `cannot be read: ${(e as Error).message}`, remedy);
    }
  };
  const file = told(() => disk.open(path));
  return {
    size: file.size,
    read: (into, offset, length, position) => told(() => file.read(into, offset, length, position)),
    close: () => file.close(),
  };
}
