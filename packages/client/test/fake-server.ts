// A server that does what the test says, frame by frame: for what no real server would do when asked.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { JuteReader, JuteWriter, OpCode, Xid } from '@nodekeeper/protocol';
import { atEnd } from './support.js';

export interface FakeRequest {
  readonly xid: number;
  readonly op: number;
  /** Stands behind the header. */
  readonly body: JuteReader;
}

export class FakeConnection {
  readonly socket: Socket;
  /** What the handshake said. */
  sessionId = 0n;
  lastZxidSeen = 0;
  private readonly frames: Buffer[] = [];
  private readonly readers: ((frame: Buffer) => void)[] = [];
  private input = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.input = Buffer.concat([this.input, chunk]);
      while (this.input.length >= 4 && this.input.length >= 4 + this.input.readInt32BE(0)) {
        const end = 4 + this.input.readInt32BE(0);
        const frame = this.input.subarray(4, end);
        this.input = this.input.subarray(end);
        const reader = this.readers.shift();
        if (reader === undefined) this.frames.push(frame);
        else reader(frame);
      }
    });
  }

  private frame(): Promise<Buffer> {
    const frame = this.frames.shift();
    if (frame !== undefined) return Promise.resolve(frame);
    return new Promise((resolve) => {
      this.readers.push(resolve);
    });
  }

  /** Answers the handshake with a session. */
  async accept(id = 77n, timeout = 10_000, readOnly = false): Promise<this> {
    const r = new JuteReader(await this.frame());
    r.int();
    this.lastZxidSeen = r.long53();
    r.int();
    this.sessionId = r.long();
    this.write((w) => w.int(0).int(timeout).long(id).buffer(Buffer.alloc(16)).bool(readOnly));
    return this;
  }

  /** The next request that is no ping. */
  async request(): Promise<FakeRequest> {
    for (;;) {
      const body = new JuteReader(await this.frame());
      const xid = body.int();
      const op = body.int();
      if (xid !== Xid.ping) return { xid, op, body };
    }
  }

  write(content: (w: JuteWriter) => void): void {
    const w = new JuteWriter().int(0);
    content(w);
    const bytes = w.bytes();
    bytes.writeInt32BE(bytes.length - 4, 0);
    this.socket.write(bytes);
  }

  /** ReplyHeader: int xid, long zxid, int err */
  reply(xid: number, zxid: number, err = 0, content: (w: JuteWriter) => void = () => {}): void {
    this.write((w) => content(w.int(xid).long53(zxid).int(err)));
  }

  notify(type: number, path: string, zxid: number): void {
    this.write((w) => w.int(Xid.notification).long53(zxid).int(0).int(type).int(3).string(path));
  }

  /** A Stat without meaning. */
  static stat(w: JuteWriter): void {
    for (let i = 0; i < 17; i++) w.int(0);
  }

  /** Answers whatever comes, as if all went well; tells each request before. */
  async answerAll(tell: (request: FakeRequest) => void = () => {}): Promise<void> {
    for (;;) {
      const request = await this.request();
      tell(request);
      this.reply(request.xid, 1, 0, (w) => {
        if (request.op === OpCode.exists) FakeConnection.stat(w);
      });
    }
  }
}

export class FakeServer {
  readonly port: number;
  private readonly accepted: FakeConnection[] = [];
  private readonly waiting: ((connection: FakeConnection) => void)[] = [];
  /** Connections so far. */
  count = 0;

  private constructor(port: number) {
    this.port = port;
  }

  static async start(t: TestContext): Promise<FakeServer> {
    const listener = createServer();
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const server = new FakeServer((listener.address() as { port: number }).port);
    listener.on('connection', (socket) => {
      server.count++;
      atEnd(t, () => socket.destroy());
      const connection = new FakeConnection(socket);
      const waiter = server.waiting.shift();
      if (waiter === undefined) server.accepted.push(connection);
      else waiter(connection);
    });
    atEnd(t, () => listener.close());
    return server;
  }

  /** The next connection of a client. */
  next(): Promise<FakeConnection> {
    const connection = this.accepted.shift();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }
}
