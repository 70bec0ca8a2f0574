// How far long work is, on a terminal: one line on stderr that is written over, and gone when something else is printed.

import type { Writable } from 'node:stream';

/** Milliseconds between two looks. */
const INTERVAL = 200;
const CLEAR = '\r\x1b[K';

export class Progress {
  private readonly stream: Writable | undefined;
  private readonly now: () => number;
  private shownAt: number;
  private isShown = false;

  /** @param stream a terminal; undefined for none, then nothing is shown */
  constructor(stream: Writable | undefined, now: () => number = () => performance.now()) {
    this.stream = stream;
    this.now = now;
    this.shownAt = now(); // what is done at once shows nothing
  }

  /** @param total undefined while it is not known */
  show(done: number, total: number | undefined, what: string): void {
    if (this.stream === undefined || this.now() - this.shownAt < INTERVAL) return;
    this.shownAt = this.now();
    this.isShown = true;
    const count = (n: number): string => n.toLocaleString('en-US');
    this.stream.write(`${CLEAR}${count(done)}${total === undefined ? '' : ` of ${count(total)}`} ${what}`);
  }

  clear(): void {
    if (this.isShown) this.stream?.write(CLEAR);
    this.isShown = false;
  }
}
