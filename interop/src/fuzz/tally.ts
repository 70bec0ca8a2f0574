// Counts what was sent and what came back, for each operation.

import { opName } from '@nodekeeper/protocol';
import { type Frame, LEDGER } from './frames.js';

interface Count {
  sent: number;
  answered: number;
  ok: number;
}

/** An operation has a count for itself; whatever a damaged header names goes to the operation that it names. */
export class Tally {
  readonly byOp = new Map<number, Count>();
  readonly codes = new Map<number, number>();
  /** Answers that were no notifications. */
  replies = 0;
  notifications = 0;
  /** Connections that the server has closed. */
  closed = 0;
  /** Requests to set the ledger's data: sent, and answered with OK or with an error. */
  readonly ledger = { sent: 0, ok: 0, refused: 0 };

  /** Frames that the server has dealt with: each is answered, or its connection closed. */
  get handled(): number {
    return this.replies + this.closed;
  }

  sent(op: number): void {
    this.count(op).sent++;
  }

  answered(op: number | undefined, error: number): void {
    this.replies++;
    this.codes.set(error, (this.codes.get(error) ?? 0) + 1);
    if (op === undefined) return;
    const count = this.count(op);
    count.answered++;
    if (error === 0) count.ok++;
  }

  /** Operations of which no frame was answered, or none with OK though that is possible. */
  notCovered(frames: readonly Frame[], neverOk: ReadonlySet<number>, neverSent: ReadonlySet<number>): string[] {
    return [...new Set(frames.map(({ op }) => op))]
      .filter((op) => !neverSent.has(op))
      .filter((op) => {
        const count = this.count(op);
        return count.answered === 0 || (count.ok === 0 && !neverOk.has(op));
      })
      .map((op) => opName(op));
  }

  /** A table for people. */
  table(): string {
    const known = [...this.byOp].filter(([op]) => !opName(op).startsWith('op '));
    const others = [...this.byOp].filter(([op]) => opName(op).startsWith('op '));
    const row = (name: string, { sent, answered, ok }: Count): string =>
      `  ${name.padEnd(22)} ${String(sent).padStart(9)} sent ${String(answered).padStart(9)} answered ${String(ok).padStart(9)} OK`;
    const sum = others.reduce(
      (a, [, b]) => ({ sent: a.sent + b.sent, answered: a.answered + b.answered, ok: a.ok + b.ok }),
      { sent: 0, answered: 0, ok: 0 },
    );
    return [
      ...known.sort(([a], [b]) => a - b).map(([op, count]) => row(opName(op), count)),
      row(`${others.length} unknown`, sum),
    ].join('\n');
  }

  private count(op: number): Count {
    let count = this.byOp.get(op);
    if (count === undefined) {
      count = { sent: 0, answered: 0, ok: 0 };
      this.byOp.set(op, count);
    }
    return count;
  }
}

const LEDGER_BYTES = Buffer.from(LEDGER);

/** Whether a request could set the ledger's data. */
export function mayTouchLedger(payload: Buffer): boolean {
  return payload.includes(LEDGER_BYTES);
}
