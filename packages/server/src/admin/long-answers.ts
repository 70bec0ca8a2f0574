// Answers to HTTP requests that can be as long as the server has connections, sessions and watches. Few are made at a time: of the
// latter tables are kept for as long as one is read. And none is read for ever: unread, they would take all the connections there are.

import type { ServerResponse } from 'node:http';

/** What a long answer tells of, and how many of a kind are read at a time. */
const MOST_AT_ONCE = { connections: 10, tables: 2 };
const LONGEST_MS = 60_000;

export type LongKind = keyof typeof MOST_AT_ONCE;

export class LongAnswers {
  private readonly underWay = { connections: 0, tables: 0 };

  /** Lets an answer begin, unless there are enough; it counts until it was sent. */
  mayBegin(kind: LongKind, response: ServerResponse): boolean {
    if (this.underWay[kind] >= MOST_AT_ONCE[kind]) return false;
    this.underWay[kind]++;
    response.once('close', () => {
      this.underWay[kind]--;
    });
    return true;
  }
}

/** Cuts an answer off that is not read in time. */
export function limitReading(response: ServerResponse): void {
  const timer = setTimeout(() => response.destroy(), LONGEST_MS);
  response.once('close', () => clearTimeout(timer));
}
