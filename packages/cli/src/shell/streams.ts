// stdout and stderr with one write for all that is printed in a turn, in the order in which it was printed.

import type { Writable } from 'node:stream';

/** Text beyond this, in characters, is written at once. */
const LIMIT = 64 * 1024;

/** Who reads stdout has gone, as `head` does: what is still to be printed is for nobody. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

export class Streams {
  private readonly out: Writable;
  private readonly err: Writable;
  /** Does the writing when it is given to it; a terminal that shows a prompt puts it back afterwards. */
  around: (write: () => void) => void = (write) => write();
  /** Whether stdout could not be written to; Node's is never left destroyed. */
  private isGone = false;
  private pending: { readonly stream: Writable; text: string } | undefined;

  constructor(out: Writable = process.stdout, err: Writable = process.stderr) {
    this.out = out;
    this.err = err;
    // Who reads has gone, as `head` does: nothing more is to be said.
    err.on('error', () => {});
    out.on('error', () => {
      this.isGone = true;
    });
  }

  line(text: string): void {
    this.put(this.out, `${text}\n`);
  }

  note(text: string): void {
    this.put(this.err, `${text}\n`);
  }

  /** To stdout, without a line's end. */
  part(text: string): void {
    this.put(this.out, text);
  }

  /**
   * Resolves once what was printed is taken, but for a little: long output waits for who reads it and not in memory.
   * Rejects with ReaderGone.
   */
  async taken(): Promise<void> {
    const { out } = this;
    if (out.writableNeedDrain && !this.isGone) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          out.off('drain', go).off('error', go);
          resolve();
        };
        out.on('drain', go).on('error', go);
      });
    }
    if (this.isGone) throw new ReaderGone();
  }

  private put(stream: Writable, text: string): void {
    if (this.pending?.stream === stream) this.pending.text += text;
    else {
      this.flush();
      this.pending = { stream, text };
      process.nextTick(() => this.flush());
    }
    if ((this.pending?.text.length ?? 0) > LIMIT) this.flush();
  }

  flush(): void {
    const { pending } = this;
    this.pending = undefined;
    if (pending !== undefined) this.around(() => void pending.stream.write(pending.text));
  }

  /** Resolves when all is handed to the system. */
  async end(): Promise<void> {
    this.flush();
    for (const stream of [this.out, this.err]) {
      if (stream.writableLength > 0 && !stream.destroyed)
        await new Promise<void>((resolve) => {
          stream.write('', () => resolve());
        });
    }
  }
}
