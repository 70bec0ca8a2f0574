// A raw client of one server: sends frames, collects what comes back, knows nothing of what it means but the handshake.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { JuteReader, JuteWriter } from '@nodekeeper/protocol';

/** A busy machine is waited for. */
const TIMEOUT_MS = 30_000;
const HOST = '127.0.0.1';

export interface Handshake {
  readonly timeout: number;
  readonly id: bigint;
  readonly password: Buffer | null;
  readonly protocolVersion?: number;
  readonly lastZxidSeen?: bigint;
  /** What follows the password: by default the readOnly byte. */
  readonly tail?: Buffer;
}

export class RawSession {
  private socket: Socket | undefined;
  private buffer: Buffer = Buffer.alloc(0);
  private readonly frames: Buffer[] = [];
  private wake: (() => void) | undefined;
  /** Whether the server has closed the connection, or we have. Frames may still be waiting. */
  closed = true;
  id = 0n;
  password: Buffer = Buffer.alloc(16);

  /** Connects without a handshake. */
  async connect(port: number): Promise<void> {
    const socket = connect({ port, host: HOST, noDelay: true });
    this.socket = socket;
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
    this.closed = socket.destroyed;
  }

  /** Connects and shakes hands. Returns the response, or undefined if the server closed instead. */
  async open(
    port: number,
    timeout: number,
    id: bigint,
    password: Buffer,
    readOnlyByte: boolean,
  ): Promise<Buffer | undefined> {
    const tail = Buffer.alloc(readOnlyByte ? 1 : 0);
    return this.shake(port, { timeout, id, password, tail });
  }

  /** As `open`, with everything that a ConnectRequest can say. */
  async shake(port: number, handshake: Handshake): Promise<Buffer | undefined> {
    await this.connect(port);
    const w = new JuteWriter()
      .int(handshake.protocolVersion ?? 0)
      .long(handshake.lastZxidSeen ?? 0n)
      .int(handshake.timeout)
      .long(handshake.id)
      .buffer(handshake.password);
    this.send(Buffer.concat([w.bytes(), handshake.tail ?? Buffer.alloc(1)]));
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

  /** Sends payloads, each as a frame, in one write. */
  send(...payloads: readonly Buffer[]): void {
    const parts: Buffer[] = [];
    for (const payload of payloads) {
      const prefix = Buffer.alloc(4);
      prefix.writeInt32BE(payload.length);
      parts.push(prefix, payload);
    }
    this.sendRaw(Buffer.concat(parts));
  }

  /** Sends bytes as they are. */
  sendRaw(bytes: Buffer): void {
    this.socket?.write(bytes);
  }

  /** The next frame; undefined once the connection is closed and all is taken. Throws if none comes. */
  async next(): Promise<Buffer | undefined> {
    while (this.frames.length === 0) {
      if (this.closed) return undefined;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          this.wake = undefined;
          reject(new Error(`no reply within ${TIMEOUT_MS / 1000} s`));
        }, TIMEOUT_MS);
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
    let at = 0;
    for (;;) {
      if (this.buffer.length < at + 4) break;
      const n = this.buffer.readInt32BE(at);
      if (this.buffer.length < at + 4 + n) break;
      this.frames.push(this.buffer.subarray(at + 4, at + 4 + n));
      at += 4 + n;
    }
    this.buffer = this.buffer.subarray(at);
    this.wake?.();
  }
}
