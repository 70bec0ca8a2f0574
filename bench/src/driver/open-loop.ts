// Open-loop load: requests are due at fixed times whatever the server does, so that a pause counts for all it delayed.

import { performance } from 'node:perf_hooks';
import type { Histogram } from './histogram.js';
import type { RawConnection } from './raw-connection.js';
import type { RequestSource } from './request-source.js';

// A connection may owe this many replies: a minute of 1,000 requests a second.
const MAX_OUTSTANDING = 65_536;
const TIMER_PERIOD = 1;

/** One answered request; times in milliseconds since the run began. */
export interface Answer {
  stream: string;
  /** When it should have been sent, when it was, and when its reply came. */
  due: number;
  sent: number;
  answered: number;
}

/** A connection with its own frames. Of every ten requests, `share` go to it. */
export interface Stream {
  readonly name: string;
  readonly connection: RawConnection;
  readonly source: RequestSource;
  readonly share: number;
  /** Latencies from the due time. */
  readonly fromDue: Histogram;
  /** Latencies from the actual sending; differs when the driver itself was late. */
  readonly fromSent: Histogram;
}

/** The state of one stream in one run. */
class Sender {
  readonly stream: Stream;
  private readonly dueTimes = new Float64Array(MAX_OUTSTANDING);
  private readonly sentTimes = new Float64Array(MAX_OUTSTANDING);
  private readonly answer: Answer;
  sent = 0;
  answered = 0;

  constructor(stream: Stream, start: number, onAnswer: (answer: Answer) => void) {
    this.stream = stream;
    this.answer = { stream: stream.name, due: 0, sent: 0, answered: 0 };
    stream.connection.onReplies = (replies) => {
      const now = performance.now() - start;
      for (let i = 0; i < replies; i++) {
        const at = this.answered++ % MAX_OUTSTANDING;
        stream.fromDue.record(now - this.dueTimes[at]);
        stream.fromSent.record(now - this.sentTimes[at]);
        this.answer.due = this.dueTimes[at];
        this.answer.sent = this.sentTimes[at];
        this.answer.answered = now;
        onAnswer(this.answer);
      }
    };
  }

  send(due: number, now: number): void {
    const at = this.sent % MAX_OUTSTANDING;
    if (this.sent - this.answered >= MAX_OUTSTANDING) throw new Error('the server has stopped answering');
    this.dueTimes[at] = due;
    this.sentTimes[at] = now;
    this.sent += this.stream.source.send(this.stream.connection, 1);
  }
}

/**
 * Sends `rate` requests a second for `seconds`, then waits for the last replies. The object given to `onAnswer` is
 * reused: copy what is to be kept. Rejects if a connection breaks or the server stops answering.
 */
export function runOpenLoop(
  streams: readonly Stream[],
  rate: number,
  seconds: number,
  onAnswer: (answer: Answer) => void = () => {},
): Promise<void> {
  const start = performance.now();
  const senders = streams.map((stream) => new Sender(stream, start, onAnswer));
  const turns = senders.flatMap((sender) => Array.from({ length: sender.stream.share }, () => sender));
  const total = Math.round(rate * seconds);
  let next = 0;
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const now = performance.now() - start;
      try {
        for (; next < total && (next * 1000) / rate <= now; next++) {
          turns[next % turns.length].send((next * 1000) / rate, now);
        }
      } catch (error) {
        clearInterval(timer);
        reject(error);
      }
      if (next === total && senders.every((sender) => sender.answered === sender.sent)) {
        clearInterval(timer);
        resolve();
      }
    }, TIMER_PERIOD);
    for (const { connection } of streams) {
      connection.onBroken = (error) => {
        clearInterval(timer);
        reject(error);
      };
    }
  });
}
