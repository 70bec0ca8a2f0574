// How far each log is known to be durable: what tells damage from a write that a crash tore. A torn write was never acknowledged
// and is cut; the same bytes missing from what was durable are acknowledged transactions, and must not be taken for that.
//
// The file is written now and then, after syncs, and not made durable itself: a mark says less than is true, never more. It names the
// last durable record by its place, length and checksum, so that a mark of another history tells nothing. A log that has a mark and
// is gone was taken away by somebody; where nothing goes as far as it did, acknowledged transactions went with it.

import { join } from 'node:path';
import type { Disk } from './disk.js';
import { systemCode } from './system-error.js';

/** The file, beside the logs. */
export const MARKS = 'synced';
const LINE = /^(log\.[0-9a-f]+) (\d+) (\d+) ([0-9a-f]{8})$/;
/** A shorter text leaves nothing of a longer one behind. */
const BLOCK = 512;

/** The last record of a log that is durable. */
export interface SyncedMark {
  readonly start: number;
  /** Where the next one begins. */
  readonly end: number;
  /** As it stands in the record's head. */
  readonly sum: number;
}

export function readMarks(disk: Disk, dir: string): Map<string, SyncedMark> {
  const marks = new Map<string, SyncedMark>();
  for (const line of textOf(disk, join(dir, MARKS)).split('\n')) {
    const [, log, start, end, sum] = LINE.exec(line) ?? [];
    if (log !== undefined)
      marks.set(log, { start: Number(start), end: Number(end), sum: Number.parseInt(sum ?? '', 16) });
  }
  return marks;
}

/** A note that cannot be read tells nothing: without it the data are what they would be with another server's logs. */
function textOf(disk: Disk, path: string): string {
  try {
    return disk.readText(path) ?? '';
  } catch (e) {
    if (systemCode(e) === undefined) throw e;
    return '';
  }
}

/** Calls back when it is done, or could not be: what was noted before goes on to hold. */
export function writeMarks(disk: Disk, dir: string, marks: ReadonlyMap<string, SyncedMark>, done: () => void): void {
  disk.note(join(dir, MARKS), asText(marks), done);
}

/**
 * Logs are taken away, and shall not count as lost: that is durable when this returns. If none are named, it is all that there were,
 * also those that were purged since the note was written.
 */
export function forgetMarks(disk: Disk, dir: string, logs?: readonly string[]): void {
  const marks = readMarks(disk, dir);
  const gone = logs ?? [...marks.keys()];
  if (gone.filter((log) => marks.delete(log)).length > 0) disk.replaceText(join(dir, MARKS), asText(marks));
}

function asText(marks: ReadonlyMap<string, SyncedMark>): string {
  const lines = [...marks].map(
    ([log, { start, end, sum }]) => `${log} ${start} ${end} ${sum.toString(16).padStart(8, '0')}\n`,
  );
  const text = lines.join('');
  return text.padEnd(Math.ceil((text.length + 1) / BLOCK) * BLOCK, '\n');
}
