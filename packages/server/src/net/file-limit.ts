// How many files and connections the system lets this process have open. Connections come from outside without end; a server that
// has none left for its log cannot go on. So some are left free for it.

import { readFileSync } from 'node:fs';

/** From this limit on all are left that shall be; below it fewer, in proportion. */
const COMMON = 512;

let limit: number | undefined;

/** The most descriptors; -1 where that is not known. */
export function fileLimit(): number {
  limit ??= readFileLimit();
  return limit;
}

function readFileLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return Number(found?.[1] ?? -1);
  } catch {
    return -1; // no /proc here
  }
}

/**
 * Whether a new descriptor is one of those that are to be left. Systems give the lowest that is free: one tells how many are in use
 * at least.
 * @param left how many are to be left
 */
export function isOneTooMany(descriptor: number | undefined, left: number): boolean {
  const most = fileLimit();
  return (
    descriptor !== undefined && most > 0 && descriptor >= most - Math.min(left, Math.floor((most * left) / COMMON))
  );
}
