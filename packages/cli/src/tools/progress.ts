// How far long work is, on a terminal: one line on stderr that is written over, and gone when something else is printed.

import type { Writable } from 'node:stream';

/** What is written to: a terminal has columns. */
type Terminal = Writable & { readonly columns?: number };

/** Milliseconds between two looks. */
const INTERVAL = 200;
const CLEAR = '\r\x1b[K';

export class Progress {
  private readonly stream: Terminal | undefined;
  private readonly now: () => number;
  private shownAt: number;
  private isShown = false;

  /** @param stream a terminal; undefined for none, then nothing is shown */
  constructor(stream: Terminal | undefined, now: () => number = () => performance.now()) {
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
    const text = `${count(done)}${total === undefined ? '' : ` of ${count(total)}`} ${what}`;
    // A line that is broken cannot be written over. Some terminals do not tell their width, and say 0.
    this.stream.write(CLEAR + text.slice(0, (this.stream.columns || Number.POSITIVE_INFINITY) - 1));
  }

  clear(): void {
    if (this.isShown) this.stream?.write(CLEAR);
    this.isShown = false;
  }
}
