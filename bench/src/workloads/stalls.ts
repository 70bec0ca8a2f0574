// Finds the worst stalls in a stream of answers. Requests that waited at the same time belong to one stall.

import type { Answer } from '../driver/open-loop.js';

const WORTH_TELLING = 5;

/** Milliseconds throughout; `at` is since the run began. */
export interface Stall {
  readonly stream: string;
  at: number;
  /** When its last request was answered. */
  until: number;
  /** The latency of the request that waited longest, from its due time. */
  latency: number;
  /** How late the driver itself sent that request. */
  driverLate: number;
  requests: number;
}

export class StallFinder {
  /** How late the driver sent, at worst. */
  driverLate = 0;
  private readonly stalls: Stall[] = [];
  private readonly last = new Map<string, Stall>();

  add({ stream, due, sent, answered }: Answer): void {
    const latency = answered - due;
    const driverLate = sent - due;
    if (driverLate > this.driverLate) this.driverLate = driverLate;
    if (latency < WORTH_TELLING) return;
    const current = this.last.get(stream);
    if (current !== undefined && due <= current.until) {
      current.until = answered;
      current.requests++;
      if (latency > current.latency) Object.assign(current, { latency, driverLate });
    } else {
      const stall = { stream, at: due, until: answered, latency, driverLate, requests: 1 };
      this.stalls.push(stall);
      this.last.set(stream, stall);
    }
  }

  /** The worst ones, the longest first. */
  worst(count: number): Stall[] {
    return this.stalls.toSorted((a, b) => b.latency - a.latency).slice(0, count);
  }
}

/** One line about a stall. */
export function describeStall(stall: Stall): string {
  const { stream, at, latency, driverLate, requests } = stall;
  const driver = driverLate > latency / 2 ? `, of which the driver itself ${driverLate.toFixed(1)} ms` : '';
  const many = requests === 1 ? '1 request' : `${requests} requests`;
  return `at ${(at / 1000).toFixed(2)} s: ${latency.toFixed(1)} ms for ${many} (${stream}${driver})`;
}
