// Closed-loop load: each connection keeps `window` requests outstanding and sends the next when a reply comes.

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { within } from './deadline.js';
import type { Histogram } from './histogram.js';
import { type Address, openMany, type RawConnection } from './raw-connection.js';
import type { RequestSource } from './request-source.js';

const ANSWER_LIMIT = 60_000;

/** One connection with its window. The times of sending stand in a ring, as replies come in order. */
export class ClosedLoopClient {
  readonly connection: RawConnection;
  /** Resolves when the source is exhausted and all is answered, or after {@link stop}; rejects if the connection breaks. */
  readonly done: Promise<void>;
  private readonly source: RequestSource;
  private readonly window: number;
  private readonly latencies: Histogram | undefined;
  private readonly sentAt: Float64Array;
  private sent = 0;
  private answered = 0;
  private stopping = false;
  private finish: () => void = () => {};

  constructor(connection: RawConnection, source: RequestSource, window: number, latencies?: Histogram) {
    this.connection = connection;
    this.source = source;
    this.window = window;
    this.latencies = latencies;
    this.sentAt = new Float64Array(window);
    this.done = new Promise((resolve, reject) => {
      this.finish = resolve;
      connection.onBroken = reject;
    });
    connection.onReplies = (replies) => this.replied(replies);
  }

  start(): this {
    this.send(this.window, performance.now());
    if (this.sent === 0) this.finish();
    return this;
  }

  /** Sends no more; what is outstanding will still be answered. */
  stop(): Promise<void> {
    this.stopping = true;
    return within(ANSWER_LIMIT, 'the last replies', this.done);
  }

  private replied(replies: number): void {
    const now = performance.now();
    if (this.latencies !== undefined) {
      for (let i = 0; i < replies; i++) {
        this.latencies.record(now - this.sentAt[(this.answered + i) % this.window]);
      }
    }
    this.answered += replies;
    if (!this.stopping) this.send(replies, now);
    if (this.answered === this.sent) this.finish();
  }

  private send(count: number, now: number): void {
    const sent = this.source.send(this.connection, count);
    for (let i = 0; i < sent; i++) this.sentAt[(this.sent + i) % this.window] = now;
    this.sent += sent;
  }
}

/** Runs exhaustible sources to their end, each on its own connection. Rejects if any reply told an error. */
export async function runToEnd(
  address: Address,
  sources: readonly RequestSource[],
  window: number,
  what: string,
): Promise<void> {
  const connections = await openMany(address, sources.length);
  const clients = sources.map((source, i) => new ClosedLoopClient(connections[i], source, window).start());
  await Promise.all(clients.map((client) => client.done));
  for (const connection of connections) connection.checkErrors(what);
  await Promise.all(connections.map((connection) => connection.closeSession()));
}

/** What a running load is told apart from the sources: all times in seconds. */
export interface Load {
  readonly what: string;
  readonly window: number;
  readonly warmup: number;
  readonly duration: number;
}

/**
 * Keeps endless sources running, one connection each, on the servers by turns: first the warm-up, then `measure` is called when the measured
 * time begins and its result when it ends. Rejects if a connection breaks or any reply told an error.
 */
export async function runForTime<T>(
  address: Address | readonly Address[],
  sources: readonly RequestSource[],
  load: Load,
  latencies: Histogram,
  measure: () => (operations: number) => T,
): Promise<T> {
  const connections = await openMany(address, sources.length);
  const clients = sources.map((source, i) => new ClosedLoopClient(connections[i], source, load.window, latencies));
  const broken = Promise.all(clients.map((client) => client.done));
  const timed = async (): Promise<T> => {
    for (const client of clients) client.start();
    await delay(load.warmup * 1000);
    latencies.clear();
    const end = measure();
    await delay(load.duration * 1000);
    return end(latencies.count);
  };
  const result = await Promise.race([timed(), broken.then(() => Promise.reject(new Error('the load ended early')))]);
  await Promise.all(clients.map((client) => client.stop()));
  for (const connection of connections) connection.checkErrors(load.what);
  await Promise.all(connections.map((connection) => connection.closeSession()));
  return result;
}
