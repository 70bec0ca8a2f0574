// A client made of frames, and a server in the test's own process.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { JuteReader, JuteWriter, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { loadConfig } from '../../dist/config/index.js';
import type { ServerOptions } from '../../dist/server.js';
import { type RunningServer, startServer } from '../../dist/start.js';

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Has something done when the test ends, what was asked for last first. */
export function atEnd(t: TestContext, action: () => unknown): void {
  const known = cleanups.get(t);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  cleanups.set(t, actions);
  t.after(async () => {
    for (const next of actions.reverse()) await next();
  });
}

/** A data directory that goes when the test ends. */
export function dataDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-'));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A server on a port of its own; it is closed with the test. */
export async function serve(
  t: TestContext,
  settings: Record<string, string | number | boolean> = {},
  options: ServerOptions = {},
): Promise<RunningServer> {
  const all = {
    clientPort: 0,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': false,
    preAllocSize: 64,
    dataDir: settings.dataDir ?? dataDir(t),
    ...settings,
  };
  const config = loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) });
  const running = await startServer(config, options);
  atEnd(t, () => running.close());
  return running;
}

export interface Reply {
  readonly xid: number;
  readonly zxid: number;
  readonly error: number;
  readonly body: JuteReader;
}

export class RawClient {
  readonly socket: Socket;
  private buffer: Buffer = Buffer.alloc(0);
  private readonly frames: Buffer[] = [];
  private readonly waiting: ((frame: Buffer | undefined) => void)[] = [];
  ended = false;
  id = 0n;
  timeout = 0;
  isReadOnly = false;
  password: Buffer = Buffer.alloc(16);
  private xid = 0;
  readonly events: { type: number; path: string; zxid: number }[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.ended = true;
      for (const wake of this.waiting.splice(0)) wake(undefined);
    });
  }

  /** A connection without a session. */
  static async plain(t: TestContext, port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    atEnd(t, () => socket.destroy());
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Likewise, over TLS; rejects if the server ends the handshake. */
  static async secure(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<RawClient> {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ...options });
    atEnd(t, () => socket.destroy());
    await once(socket, 'secureConnect');
    return new RawClient(socket);
  }

  static async open(
    t: TestContext,
    port: number,
    options: { timeout?: number; id?: bigint; password?: Buffer; readOnly?: boolean } = {},
  ): Promise<RawClient> {
    const client = await RawClient.plain(t, port);
    await client.handshake(options);
    return client;
  }

  /** Sends a ConnectRequest and takes in the answer; false if the server closed instead. */
  async handshake(
    options: { timeout?: number; id?: bigint; password?: Buffer; lastZxidSeen?: number; readOnly?: boolean } = {},
  ): Promise<boolean> {
    const w = new JuteWriter()
      .int(0)
      .long53(options.lastZxidSeen ?? 0)
      .int(options.timeout ?? 30_000);
    this.sendFrame(
      w
        .long(options.id ?? 0n)
        .buffer(options.password ?? Buffer.alloc(16))
        .bool(options.readOnly ?? false)
        .bytes(),
    );
    const frame = await this.frame();
    if (frame === undefined) return false;
    const r = new JuteReader(frame);
    r.int();
    this.timeout = r.int();
    this.id = r.long();
    this.password = Buffer.from(r.buffer() ?? Buffer.alloc(16));
    this.isReadOnly = r.remaining > 0 && r.bool();
    return true;
  }

  sendFrame(payload: Uint8Array): void {
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(payload.length);
    this.socket.write(Buffer.concat([prefix, payload]));
  }

  /** Sends a request without waiting; returns its xid. */
  send(op: number, body: (w: JuteWriter) => void = () => {}, xid = ++this.xid): number {
    const w = new JuteWriter().int(xid).int(op);
    body(w);
    this.sendFrame(w.bytes());
    return xid;
  }

  /** The next reply; notifications before it are kept in {@link events}. */
  async reply(): Promise<Reply> {
    for (;;) {
      const frame = await this.frame();
      if (frame === undefined) throw new Error('the connection was closed');
      const r = new JuteReader(frame);
      const reply = { xid: r.int(), zxid: r.long53(), error: r.int(), body: r };
      if (reply.xid !== -1) return reply;
      const type = r.int();
      r.int();
      this.events.push({ type, path: r.string() ?? '', zxid: reply.zxid });
    }
  }

  request(op: number, body?: (w: JuteWriter) => void): Promise<Reply> {
    this.send(op, body);
    return this.reply();
  }

  create(path: string, data = '', flags = 0): Promise<Reply> {
    return this.request(OpCode.create, (w) => {
      w.string(path).buffer(Buffer.from(data));
      writeAclList(w, OPEN_ACL_UNSAFE);
      w.int(flags);
    });
  }

  async getData(path: string, watch = false): Promise<string | undefined> {
    const reply = await this.request(OpCode.getData, (w) => w.string(path).bool(watch));
    return reply.error === 0 ? (reply.body.buffer() ?? Buffer.alloc(0)).toString() : undefined;
  }

  ping(): Promise<Reply> {
    return this.request(OpCode.ping);
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while ((await this.frame()) !== undefined);
  }

  frame(): Promise<Buffer | undefined> {
    const frame = this.frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    if (this.ended) return Promise.resolve(undefined);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private take(chunk: Buffer): void {
    this.buffer = this.buffer.length === 0 ? chunk : Buffer.concat([this.buffer, chunk]);
    while (this.buffer.length >= 4) {
      const end = 4 + this.buffer.readInt32BE(0);
      if (this.buffer.length < end) break;
      const frame = this.buffer.subarray(4, end);
      this.buffer = this.buffer.subarray(end);
      const wake = this.waiting.shift();
      if (wake === undefined) this.frames.push(frame);
      else wake(frame);
    }
  }
}
