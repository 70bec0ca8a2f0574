// A connection of an embedded server, on its way to the real one: what is sent can be held back, delayed, or end before a reply.

import type { Connection } from '@nodekeeper/server';
import { clearTimeout, performance, setTimeout } from './real-time.js';

/** Bytes that a socket takes before it asks to wait. */
const HIGH_WATER = 16 * 1024;

export class Wire implements Connection {
  /** Milliseconds, of real time, by which what is sent leaves later. */
  delay = 0;
  /** Asked before bytes are sent: how many of them may be; the connection ends then. -1 for all, and no end. */
  cutBefore: (bytes: Buffer) => number = () => -1;
  private readonly socket: Connection;
  private readonly held: { readonly bytes: Buffer; readonly due: number }[] = [];
  private heldBytes = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private frozen = false;
  /** The server has paused it. */
  private paused = false;
  private readonly drained: (() => void)[] = [];
  /** What is to be done when everything held has left. */
  private last: (() => void) | undefined;

  constructor(socket: Connection) {
    this.socket = socket;
    socket.on('drain', () => this.tellDrained());
    socket.on('close', () => this.forget());
  }

  /** From now on no byte comes in or leaves; the connection stays. */
  freeze(): void {
    this.frozen = true;
    clearTimeout(this.timer);
    this.socket.pause();
  }

  /** What was held back by {@link freeze} goes on. */
  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.sendDue();
    if (!this.paused) this.socket.resume();
  }

  write(bytes: Buffer): boolean {
    if (this.destroyed) return false;
    const cut = this.cutBefore(bytes);
    if (cut !== -1) {
      this.send(bytes.subarray(0, cut));
      this.destroySoon();
      return false;
    }
    return this.send(bytes);
  }

  private send(bytes: Buffer): boolean {
    if (!this.frozen && this.delay === 0 && this.held.length === 0) return this.socket.write(bytes);
    this.held.push({ bytes: Buffer.from(bytes), due: performance.now() + this.delay });
    this.heldBytes += bytes.length;
    this.sendDue();
    return this.writableLength < HIGH_WATER;
  }

  /** Sends what was held for long enough, and comes back for the rest. */
  private sendDue(): void {
    clearTimeout(this.timer);
    if (this.frozen) return;
    let flows = this.held.length > 0;
    for (let next = this.held[0]; next !== undefined; next = this.held[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(() => this.sendDue(), wait);
        return;
      }
      this.held.shift();
      this.heldBytes -= next.bytes.length;
      flows = this.socket.write(next.bytes);
    }
    const { last } = this;
    this.last = undefined;
    last?.();
    if (flows) this.tellDrained();
  }

  private tellDrained(): void {
    if (this.held.length === 0) for (const listener of this.drained) listener();
  }

  private forget(): void {
    clearTimeout(this.timer);
    this.held.length = 0;
    this.heldBytes = 0;
  }

  private whenSent(action: () => void): void {
    if (this.held.length === 0 && !this.frozen) action();
    else this.last = action;
  }

  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error & { code?: string }) => void): unknown;
  on(event: 'connect' | 'drain' | 'end' | 'close', listener: () => void): unknown;
  on(event: string, listener: (...args: never[]) => void): unknown {
    if (event === 'drain') this.drained.push(listener as () => void);
    else this.socket.on(event as 'close', listener as () => void);
    return this;
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    this.paused = false;
    if (!this.frozen) this.socket.resume();
  }

  end(done?: () => void): void {
    this.whenSent(() => this.socket.end(done));
  }

  destroySoon(): void {
    this.whenSent(() => this.socket.destroySoon());
  }

  destroy(): void {
    this.socket.destroy();
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  get localAddress(): string | undefined {
    return this.socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  get writableLength(): number {
    return this.heldBytes + this.socket.writableLength;
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }
}
