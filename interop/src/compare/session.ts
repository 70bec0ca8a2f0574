// A raw client of one server: sends frames, collects what comes back, knows nothing of what it means but the handshake.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { JuteReader, JuteWriter } from '@nodekeeper/protocol';

const TIMEOUT_MS = 5000;

export class RawSession {
  private socket: Socket | undefined;
  private buffer: Buffer = Buffer.alloc(0);
  private readonly frames: Buffer[] = [];
  private wake: (() => void) | undefined;
  closed = false;
  id = 0n;
  password: Buffer = Buffer.alloc(16);

  /** Connects and shakes hands. Returns the response, or undefined if the server closed instead. */
  async open(
    port: number,
    timeout: number,
    id: bigint,
    password: Buffer,
    readOnlyByte: boolean,
  ): Promise<Buffer | undefined> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket = socket;
    this.closed = false;
    this.frames.length = 0;
    this.buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => this.onData(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.closed = true;
      this.wake?.();
    });
    await once(socket, 'connect');
    const w = new JuteWriter().int(0).long53(0).int(timeout).long(id).buffer(password);
    if (readOnlyByte) w.bool(false);
    this.send(w.bytes());
    const response = await this.next();
    if (response === undefined) return undefined;
    const r = new JuteReader(response);
    r.int();
    if (r.int() > 0) {
      this.id = r.long();
      this.password = Buffer.from(r.buffer() ?? Buffer.alloc(16));
    }
    return response;
  }

  send(payload: Buffer): void {
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(payload.length);
    this.socket?.write(Buffer.concat([prefix, payload]));
  }

  /** Frames with their prefixes, in one write. */
  sendRaw(frames: Buffer): void {
    this.socket?.write(frames);
  }

  /** The next frame; undefined once the connection is closed and all is taken. */
  async next(): Promise<Buffer | undefined> {
    while (this.frames.length === 0) {
      if (this.closed) return undefined;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no reply within 5 s')), TIMEOUT_MS);
        this.wake = () => {
          clearTimeout(timer);
          this.wake = undefined;
          resolve();
        };
      });
    }
    return this.frames.shift();
  }

  destroy(): void {
    this.socket?.destroy();
    this.closed = true;
  }

  private onData(chunk: Buffer): void {
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
    for (;;) {
      if (this.buffer.length < 4) break;
      const n = this.buffer.readInt32BE(0);
      if (this.buffer.length < 4 + n) break;
      this.frames.push(this.buffer.subarray(4, 4 + n));
      this.buffer = this.buffer.subarray(4 + n);
    }
    this.wake?.();
  }
}
