// One connection between leader and learner: packets out, gathered while what has arrived is read, and packets in.

import type { Identity } from '../request/identity.js';
import type { ReplyBuffer } from '../request/reply-buffer.js';
import { type Packet, PacketError, PacketReader, PacketType, writePacket, writeRequest } from './packet.js';
import type { PacketTrace } from './packet-trace.js';

/** What is needed of a connection. */
export interface Wire {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly writableLength: number;
  readonly destroyed: boolean;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'drain' | 'end' | 'close', listener: () => void): unknown;
  write(bytes: Buffer): boolean;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  destroySoon(): void;
}

/** Where output gathers. */
export interface Outbox {
  takeBuffer(): ReplyBuffer;
  giveBack(buffer: ReplyBuffer): void;
  gather(taker: { takeTurn(): boolean; flush(): void }): void;
}

/** Above this many unsent bytes a learner is given up: it does not read. */
const OUTPUT_LIMIT = 512 * 1024 * 1024;

/** So many unsent bytes may outlive the link. */
const MOST_LEFT_BEHIND = 1024 * 1024;

export interface LinkEvents {
  onPacket(packet: Packet): void;
  onDrain?(): void;
  /** What was received cannot be understood, or is more than is taken; {@link onClosed} follows. */
  onRefused?(): void;
  /** Called once. */
  onClosed(reason: string): void;
}

export class PacketLink {
  private readonly wire: Wire;
  private readonly outbox: Outbox;
  private readonly events: LinkEvents;
  private readonly outputLimit: number;
  readonly reader: PacketReader;
  private out: ReplyBuffer | null = null;
  private corked = false;
  private closed = false;
  /** Keeps the last packets; undefined unless that is asked for. */
  trace: PacketTrace | undefined;
  packetsSent = 0;
  /** Of the last packet with one; -1 before. */
  lastZxid = -1;

  /**
   * @param guard runs what an event of the connection asks for, as a turn
   * @param maxData the largest packet data that is believed, in bytes
   * @param outputLimit unsent bytes above which the other side is given up
   */
  constructor(
    wire: Wire,
    outbox: Outbox,
    maxData: number,
    guard: (action: () => void) => void,
    events: LinkEvents,
    outputLimit = OUTPUT_LIMIT,
  ) {
    this.outputLimit = outputLimit;
    this.wire = wire;
    this.outbox = outbox;
    this.events = events;
    this.reader = new PacketReader(maxData, (packet) => {
      if (this.closed) return;
      this.trace?.received(packet.type);
      events.onPacket(packet);
    });
    const closed = (reason: string): void => {
      if (!this.closed) guard(() => this.close(reason));
    };
    wire.on('data', (chunk) => {
      if (this.closed) return;
      guard(() => this.take(() => this.reader.feed(chunk)));
    });
    wire.on('drain', () => {
      if (!this.closed) guard(() => events.onDrain?.());
    });
    wire.on('error', (error) => closed(error.message));
    wire.on('end', () => closed('the other side closed it'));
    wire.on('close', () => closed('closed'));
  }

  /** Takes bytes that were read from the connection before. */
  feed(chunk: Buffer): void {
    if (!this.closed && chunk.length > 0) this.take(() => this.reader.feed(chunk));
  }

  get isClosed(): boolean {
    return this.closed;
  }

  get unsent(): number {
    return this.wire.writableLength;
  }

  /** Unsent bytes and those that gather. */
  get queued(): number {
    return this.wire.writableLength + (this.out?.pos ?? 0);
  }

  get remoteAddress(): string {
    return this.wire.remoteAddress ?? '';
  }

  /** `address:port`. */
  get remote(): string {
    return `${this.remoteAddress}:${this.wire.remotePort ?? 0}`;
  }

  resetCounts(): void {
    this.packetsSent = 0;
    this.lastZxid = -1;
  }

  /** Bytes that cannot be understood end the connection, not the server; whatever else fails is not the other side's fault. */
  private take(action: () => void): void {
    try {
      action();
    } catch (e) {
      if (!(e instanceof PacketError)) throw e;
      this.events.onRefused?.();
      this.close(e.message);
    }
  }

  send(type: number, zxid: number, data: Buffer | null = null, start = 0, end = data?.length ?? 0): void {
    if (this.closed) return;
    this.packetsSent++;
    this.trace?.sent(type);
    if (zxid > 0) this.lastZxid = zxid;
    const out = this.output();
    writePacket(out, type, zxid, data, start, end);
    if (this.corked && out.pos > this.outputLimit) this.close('too much has come while it takes a snapshot');
  }

  sendRequest(session: bigint, cxid: number, op: number, body: Buffer, ids: readonly Identity[] | null): void {
    if (this.closed) return;
    this.trace?.sent(PacketType.request);
    writeRequest(this.output(), session, cxid, op, body, ids);
  }

  private output(): ReplyBuffer {
    if (this.out === null) {
      this.out = this.outbox.takeBuffer();
      if (!this.corked) this.outbox.gather(this);
    }
    return this.out;
  }

  /** Keeps packets back while raw bytes go out. */
  cork(): void {
    this.flush();
    this.corked = true;
  }

  uncork(): void {
    this.corked = false;
    if (this.out !== null) this.outbox.gather(this);
  }

  /** Writes bytes that are no packet. The bytes may be used again afterwards. */
  sendRaw(bytes: Buffer): void {
    if (!this.closed) this.wire.write(Buffer.from(bytes));
  }

  takeTurn(): boolean {
    return false;
  }

  flush(): void {
    const { out } = this;
    if (out === null || this.corked) return;
    this.out = null;
    if (this.closed || out.pos === 0) {
      this.outbox.giveBack(out);
      return;
    }
    this.wire.write(out.buf.subarray(0, out.pos));
    if (this.wire.writableLength === 0) this.outbox.giveBack(out);
    else if (this.wire.writableLength > this.outputLimit) this.close('it does not read what it is sent');
  }

  /** Takes no more packets until {@link resume}. */
  hold(): void {
    this.reader.hold();
    this.wire.pause();
  }

  resume(): void {
    if (this.closed) return;
    this.wire.resume();
    this.take(() => this.reader.release());
  }

  close(reason: string): void {
    if (this.closed) return;
    if (this.corked) this.out = null; // it belongs behind what will not be sent
    this.flush();
    this.closed = true;
    // What was written is still sent, unless it is so much that the other side does not seem to take it: it might never.
    if (this.wire.writableLength > MOST_LEFT_BEHIND) this.wire.destroy();
    else this.wire.destroySoon();
    this.trace?.tell(this.remote);
    this.events.onClosed(reason);
  }
}
