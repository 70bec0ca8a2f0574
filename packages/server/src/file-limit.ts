// How many files this process may have open, and how many connections of clients that leaves room for.

import { readFileSync } from 'node:fs';

/** Files that the server opens for itself: logs and snapshots, other servers, the admin server and its metrics (100 connections each). */
const KEPT = 400;

/** `ulimit -n`, which Node raises as far as it may; -1 where that is not known or unlimited. */
export function fileLimit(): number {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return Number(found?.[1] ?? -1);
  } catch {
    return -1; // no /proc here
  }
}

/** A log that cannot be opened ends the server: clients have at most as many descriptors as leave some for that. 0 for no limit. */
export function connectionsAfforded(limit = fileLimit()): number {
  return limit < 0 ? 0 : limit - Math.min(KEPT, Math.ceil(limit / 4));
}
