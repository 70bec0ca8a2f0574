// The two epochs of a server of an ensemble, each in a file of its own: the one it promised to follow (acceptedEpoch) and the one
// whose leader's history it has (currentEpoch).

import { join } from 'node:path';
import type { DataDir } from './data-dir.js';
import type { Disk } from './disk.js';
import { StorageError } from './errors.js';

/** Zxids of an epoch. */
export const EPOCH = 2 ** 32;
const REMEDY = 'Restore the data directory from a copy or another server';

export class Epochs {
  private readonly disk: Disk;
  private readonly dirs: DataDir;
  private acceptedEpoch: number;
  private currentEpoch: number;

  /**
   * Reads the files, and makes those that are missing from the last transaction's epoch.
   * @throws StorageError if they cannot be right
   */
  constructor(disk: Disk, dirs: DataDir, lastZxid: number, warn: (message: string) => void) {
    this.disk = disk;
    this.dirs = dirs;
    const lastEpoch = Math.floor(lastZxid / EPOCH);
    this.currentEpoch = this.read('currentEpoch') ?? this.write('currentEpoch', lastEpoch);
    const interrupted = this.takeInterrupted();
    if (lastEpoch > this.currentEpoch) {
      // Transactions of a new epoch are durable before the epoch is, and a crash came between; Apache's servers mark that.
      if (interrupted >= lastEpoch) this.currentEpoch = this.write('currentEpoch', interrupted);
      else
        warn(`currentEpoch is ${this.currentEpoch}, the log goes on in epoch ${lastEpoch}: joining it was interrupted`);
    }
    this.acceptedEpoch =
      this.read('acceptedEpoch') ?? this.write('acceptedEpoch', Math.max(lastEpoch, this.currentEpoch));
    if (this.acceptedEpoch < lastEpoch && this.acceptedEpoch >= this.currentEpoch) {
      // Nothing of an epoch is logged before it is accepted: the file is an older copy. The next epoch must not be one that was.
      warn(`acceptedEpoch is ${this.acceptedEpoch}, the log goes on in epoch ${lastEpoch}: that counts as accepted`);
      this.acceptedEpoch = this.write('acceptedEpoch', lastEpoch);
    }
    if (this.acceptedEpoch < this.currentEpoch) {
      throw new StorageError(
        join(dirs.snapshots, 'acceptedEpoch'),
        undefined,
        `it says ${this.acceptedEpoch}, less than currentEpoch, ${this.currentEpoch}`,
        REMEDY,
      );
    }
  }

  get accepted(): number {
    return this.acceptedEpoch;
  }

  get current(): number {
    return this.currentEpoch;
  }

  /** Durable when it returns. */
  setAccepted(epoch: number): void {
    if (epoch < this.acceptedEpoch) throw new Error(`epoch ${epoch} after ${this.acceptedEpoch} was accepted`);
    this.acceptedEpoch = this.write('acceptedEpoch', epoch);
  }

  /** Durable when it returns. */
  setCurrent(epoch: number): void {
    if (epoch < this.currentEpoch || epoch > this.acceptedEpoch)
      throw new Error(`current epoch ${epoch} after ${this.currentEpoch}, with ${this.acceptedEpoch} accepted`);
    this.currentEpoch = this.write('currentEpoch', epoch);
  }

  private read(name: string): number | undefined {
    const path = join(this.dirs.snapshots, name);
    const text = this.disk.readText(path);
    if (text === undefined) return undefined;
    const line = firstLine(text);
    // No leader takes a member with an epoch that zxids cannot hold, nor can such a member lead.
    if (!/^-?\d+$/.test(line) || (Number(line) + 1) * EPOCH > Number.MAX_SAFE_INTEGER + 1)
      throw new StorageError(path, 0, `'${line}' is no epoch`, REMEDY);
    return Number(line);
  }

  /**
   * The epoch that a crash kept from being put in place; -1 if there is none. It speaks for the history that is there now, and
   * must not be found again with another one.
   */
  private takeInterrupted(): number {
    const path = join(this.dirs.snapshots, 'currentEpoch.tmp');
    const text = this.disk.readText(path);
    if (text === undefined) return -1;
    const line = firstLine(text);
    this.disk.remove(path);
    this.disk.syncDir(this.dirs.snapshots);
    return /^\d+$/.test(line) ? Number(line) : -1; // the power may have failed while it was written
  }

  private write(name: string, epoch: number): number {
    this.disk.replaceText(join(this.dirs.snapshots, name), String(epoch));
    return epoch;
  }
}

/** The epoch whose leader's history the server had last, as its file tells; 0 if it had none. */
export function joinedEpoch(disk: Disk, dirs: DataDir): number {
  return Number(disk.readText(join(dirs.snapshots, 'currentEpoch')) ?? 0);
}

/** As Java reads lines, which end with CR, LF or both: Apache's servers take what an editor on Windows has saved. */
function firstLine(text: string): string {
  return text.split(/[\r\n]/, 1)[0] ?? '';
}
