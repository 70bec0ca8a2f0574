// One TCP connection: frames in, one write per turn out, and the clock that finds it dead.

import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { JuteReader, JuteWriter, OpCode, Xid } from '#protocol';
import { nextTick } from './timers.js';

export interface ConnectionHandler {
  /**
   * The reader stands at the start of the frame's content and is valid during the call only. Returns false to be given
   * the frame again in a later turn, when those who were answered before it have seen their answers.
   */
  onFrame(reader: JuteReader): boolean;
  /** Frames that had arrived were handled, or output has left. */
  onTurn(): void;
}

/** In bytes, without the length that stands before a frame. */
export interface FrameLimits {
  /** Of what is received. */
  readonly maxFrame: number;
  /** Of what is sent. */
  readonly maxRequest: number;
}

/** Why a connection has ended that the server has closed. */
export const SERVER_CLOSED = 'the server closed the connection';
/** Unsent output beyond which no more is taken. */
const OUTPUT_LIMIT = 1024 * 1024;
/** Output beyond this leaves as the writer's own buffer; less is copied, and the writer's buffer serves again. */
const COPY_LIMIT = 64 * 1024;
/** So many further bytes of one frame count as an answer: fewer could be answers to pings that a damaged length hides. */
const PROGRESS = 1024;

export class Connection {
  private readonly writer = new JuteWriter(16 * 1024);
  /** Resolves with the reason when the connection has ended, whoever ended it. */
  readonly closed: Promise<Error>;
  /** `performance.now()` of the last bytes received. */
  lastReceived = performance.now();
  private readonly socket: Socket;
  private readonly limits: FrameLimits;
  private handler: ConnectionHandler | undefined;
  private congested = false;
  private readonly reader: JuteReader;
  private input: Buffer[] = [];
  private inputBytes = 0;
  /** Bytes wanted before it is worth looking again. */
  private wanted = 4;
  private flushing = false;
  private paused = false;
  private failure: Error | undefined;
  private lastSent = performance.now();
  /** When the server has shown last that it hears us: events come from one that does not, too. */
  private lastAnswer = performance.now();
  /** Bytes of the frame that is not complete which count as an answer already. */
  private progress = 0;
  private lastPing = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** When the pings were sent that are not answered. */
  private readonly pings: number[] = [];

  constructor(socket: Socket, limits: FrameLimits) {
    this.socket = socket;
    this.limits = limits;
    this.reader = new JuteReader(Buffer.alloc(0), 0, 0, limits.maxFrame);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('drain', () => {
      this.congested = false;
      this.handler?.onTurn();
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', (error) => {
        this.failure ??= error;
      });
      socket.on('end', () => socket.destroy());
      socket.on('close', () => {
        clearTimeout(this.timer);
        this.handler = undefined;
        resolve(this.failure ?? new Error(SERVER_CLOSED));
      });
    });
  }

  get isOpen(): boolean {
    return !this.socket.destroyed;
  }

  /** `address:port` of the server. */
  get remote(): string {
    const { remoteAddress, remotePort } = this.socket;
    return remoteAddress?.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
  }

  /** False while the output that there is should leave first, and when the connection has ended. */
  get takesMore(): boolean {
    return !this.congested && this.writer.pos < OUTPUT_LIMIT && !this.socket.destroyed;
  }

  /** Hands all further frames to `handler`, those that are here at once. */
  handle(handler: ConnectionHandler | undefined): void {
    this.handler = handler;
    if (handler !== undefined && !this.paused) this.handleFrames();
  }

  destroy(reason: string): void {
    this.failure ??= new Error(reason);
    this.handler = undefined;
    this.socket.destroy();
  }

  /**
   * Writes a frame to the output, which leaves in one write once all that runs now has run.
   * @throws RangeError if the frame is too large; nothing of a frame is left if it or `write` throws
   */
  send(write: (w: JuteWriter) => void): void {
    const w = this.writer;
    const at = w.pos;
    w.int(0);
    try {
      write(w);
      if (w.pos - at - 4 > this.limits.maxRequest)
        throw new RangeError(`${w.pos - at - 4} bytes; maxRequest allows ${this.limits.maxRequest}`);
    } catch (error) {
      w.pos = at;
      throw error;
    }
    w.buf.writeInt32BE(w.pos - at - 4, at);
    if (this.flushing) return;
    this.flushing = true;
    nextTick(() => this.flush());
  }

  private flush(): void {
    this.flushing = false;
    const w = this.writer;
    if (w.pos === 0 || this.socket.destroyed) return;
    const out = w.pos > COPY_LIMIT ? w.take(16 * 1024) : Buffer.from(w.bytes());
    w.clear();
    this.lastSent = performance.now();
    this.congested = !this.socket.write(out);
    if (!this.congested) this.handler?.onTurn();
  }

  private receive(chunk: Buffer): void {
    this.lastReceived = performance.now();
    this.input.push(chunk);
    this.inputBytes += chunk.length;
    if (!this.paused) this.handleFrames();
  }

  private handleFrames(): void {
    if (this.inputBytes < this.wanted) {
      if (this.inputBytes - this.progress >= PROGRESS) this.answered(this.inputBytes);
      return;
    }
    const buf = this.input.length === 1 ? (this.input[0] as Buffer) : Buffer.concat(this.input, this.inputBytes);
    let pos = 0;
    let later = false;
    this.wanted = 4;
    this.progress = 0;
    while (pos + 4 <= buf.length && this.handler !== undefined) {
      const length = buf.readInt32BE(pos);
      if (length < 0 || length > this.limits.maxFrame) {
        this.destroy(`a frame of ${length} bytes: larger than maxFrame, or no ZooKeeper server`);
        return;
      }
      if (pos + 4 + length > buf.length) {
        this.wanted = 4 + length;
        break;
      }
      try {
        const isEvent = buf.readInt32BE(pos + 4) === Xid.notification;
        later = !this.handler.onFrame(this.reader.reset(buf, pos + 4, pos + 4 + length));
        if (!isEvent) this.answered(0);
      } catch (error) {
        this.destroy(`a frame that cannot be read: ${error}`);
        return;
      }
      if (later) break;
      pos += 4 + length;
    }
    this.inputBytes = buf.length - pos;
    this.input = this.inputBytes === 0 ? [] : [pos === 0 ? buf : buf.subarray(pos)];
    this.handler?.onTurn();
    if (later) this.resumeLater();
  }

  private answered(progress: number): void {
    this.lastAnswer = this.lastReceived;
    this.progress = progress;
  }

  private resumeLater(): void {
    this.paused = true;
    this.socket.pause();
    setImmediate(() => {
      this.paused = false;
      if (this.socket.destroyed) return;
      this.socket.resume();
      this.handleFrames();
    });
  }

  private ping(now: number): void {
    this.pings.push(now);
    this.lastPing = now;
    this.send((w) => w.int(Xid.ping).int(OpCode.ping));
  }

  /** To be called when a ping is answered. Returns when that was sent. */
  pingAnswered(): number {
    return this.pings.shift() ?? 0;
  }

  /**
   * Sends a ping whenever nothing was sent, or nothing answered, for `pingAfter`, and ends the connection when nothing was
   * answered for `deadAfter`, both in milliseconds.
   */
  watchOver(pingAfter: number, deadAfter: number): void {
    const check = (): void => {
      const now = performance.now();
      if (now - this.lastAnswer >= deadAfter) {
        // A process that was held up has perhaps not read yet what is there: let it read first.
        setImmediate(() => {
          if (performance.now() - this.lastAnswer < deadAfter) next();
          else this.destroy(this.silence(now, deadAfter));
        });
        return;
      }
      if (now - this.lastExchange >= pingAfter) this.ping(now);
      next();
    };
    const next = (): void => {
      if (this.socket.destroyed) return;
      const now = performance.now();
      const untilPing = Math.max(this.lastExchange, now - pingAfter) + pingAfter - now;
      const untilDead = this.lastAnswer + deadAfter - now;
      this.timer = setTimeout(check, Math.max(10, Math.min(untilPing, untilDead)));
    };
    next();
  }

  /** Since when there is something that a ping would find out. */
  private get lastExchange(): number {
    return Math.max(this.lastPing, Math.min(this.lastSent, this.lastAnswer));
  }

  private silence(now: number, deadAfter: number): string {
    const ms = Math.round(now - this.lastAnswer);
    if (now - this.lastReceived >= deadAfter) return `nothing heard from the server for ${ms} ms`;
    return `nothing was answered by the server for ${ms} ms, though something came`;
  }
}
