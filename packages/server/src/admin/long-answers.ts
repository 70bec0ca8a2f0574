// Answers to HTTP requests that can be as long as the server has sessions and watches: each keeps tables for as long as it is read,
// so that few are made at a time, and none for ever.

import type { ServerResponse } from 'node:http';

const MOST_AT_ONCE = 2;
const LONGEST_MS = 60_000;

export class LongAnswers {
  private underWay = 0;

  /** Lets an answer begin, unless there are enough; it counts until it was sent. What is not read in time is cut off. */
  mayBegin(response: ServerResponse): boolean {
    if (this.underWay >= MOST_AT_ONCE) return false;
    this.underWay++;
    const timer = setTimeout(() => response.destroy(), LONGEST_MS);
    response.once('close', () => {
      clearTimeout(timer);
      this.underWay--;
    });
    return true;
  }
}
