// A client's session made of frames, which a test attaches to the member of its choice, and to another one later.

import { connect, type Socket } from 'node:net';
import {
  type Acl,
  CreateMode,
  JuteReader,
  JuteWriter,
  OPEN_ACL_UNSAFE,
  OpCode,
  readAclList,
  readStat,
  type Stat,
  writeAclList,
  Xid,
} from '@nodekeeper/protocol';
import { HOST } from './ports.js';
import { until } from './until.js';

const ANSWER_MS = 30_000;
/** A member may have to start first. */
const MOVE_MS = 60_000;

export interface Reply {
  readonly zxid: number;
  readonly error: number;
  readonly body: JuteReader;
  /** How many events the session got before it, in all. */
  readonly events: number;
}

export interface WatchEvent {
  readonly type: number;
  readonly path: string;
}

/** The connection broke before the answer came: what was asked for may have been done. */
export class ConnectionLost extends Error {}

/** The server says that there is no such session (any more). */
export class SessionExpired extends Error {}

interface Waiting<T> {
  readonly resolve: (answer: T) => void;
  readonly reject: (error: Error) => void;
}

export class Session {
  id = 0n;
  password: Buffer = Buffer.alloc(16);
  /** What was granted, in milliseconds. */
  timeout: number;
  /** The highest zxid seen, told to the next server. */
  lastZxid = 0;
  readonly events: WatchEvent[] = [];
  #eventCount = 0;
  #onEvent: (() => void) | undefined;
  #socket: Socket | undefined;
  #xid = 0;
  #waiting: Waiting<Reply>[] = [];
  #connecting: Waiting<JuteReader> | undefined;
  #received: Buffer = Buffer.alloc(0);
  #pinger: NodeJS.Timeout | undefined;
  readonly #pings: boolean;
  readonly #acceptsReadOnly: boolean;
  /** Whether the server serves reads only. */
  readOnly = false;

  private constructor(timeout: number, pings: boolean, acceptsReadOnly: boolean) {
    this.timeout = timeout;
    this.#pings = pings;
    this.#acceptsReadOnly = acceptsReadOnly;
  }

  /**
   * A new session on the server at this port.
   * @param readOnly whether a server will do that serves reads only
   * @param pings whether it stays alive by itself; else what is asked on it has to do that
   */
  static async open(port: number, { timeout = 10_000, pings = true, readOnly = false } = {}): Promise<Session> {
    const session = new Session(timeout, pings, readOnly);
    await session.attach(port);
    return session;
  }

  /** One with the superuser's rights. */
  static async openSuper(port: number): Promise<Session> {
    const session = await Session.open(port, { timeout: 30_000 });
    await session.authenticate('super:test');
    return session;
  }

  get attached(): boolean {
    return this.#socket !== undefined;
  }

  /**
   * Connects to the server at this port with the session's id, or with none the first time.
   * @throws SessionExpired if the server doesn't know the session; ConnectionLost if it can't be reached or hangs up
   */
  async attach(port: number): Promise<void> {
    this.detach();
    const socket = connect({ port, host: HOST, noDelay: true });
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.detach();
    });
    // While one member is waited for that does not answer, the session must not end that another one would take.
    const timer = setTimeout(() => socket.destroy(), this.id === 0n ? ANSWER_MS : this.timeout / 2);
    try {
      await this.#handshake(socket);
    } catch (error) {
      if (this.#socket === socket) this.detach();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    if (this.#pings) this.#pinger = setInterval(() => this.#ping(), this.timeout / 3);
  }

  /**
   * Attaches to a member that may be behind what the session has seen: it hangs up until it has caught up.
   * @throws SessionExpired if the member doesn't know the session
   */
  async move(port: number): Promise<void> {
    await until('the member takes the session', MOVE_MS, async () => {
      try {
        await this.attach(port);
        return true;
      } catch (error) {
        if (error instanceof ConnectionLost) return false;
        throw error;
      }
    });
  }

  async #handshake(socket: Socket): Promise<void> {
    const w = new JuteWriter().int(0).int(0).long53(this.lastZxid).int(this.timeout).long(this.id);
    const r = await new Promise<JuteReader>((resolve, reject) => {
      this.#connecting = { resolve, reject };
      write(socket, w.buffer(this.password).bool(this.#acceptsReadOnly));
    });
    r.int();
    const timeout = r.int();
    const id = r.long();
    if (timeout <= 0) throw new SessionExpired(`session 0x${this.id.toString(16)} is gone`);
    this.timeout = timeout;
    this.id = id;
    this.password = Buffer.from(r.buffer() ?? Buffer.alloc(16));
    this.readOnly = r.bool();
  }

  /** Drops the connection, as a network would. The session lives on in the ensemble. */
  detach(): void {
    clearInterval(this.#pinger);
    this.#socket?.destroy();
    this.#socket = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#connecting?.reject(new ConnectionLost('the handshake was not answered'));
    this.#connecting = undefined;
    for (const { reject } of waiting) reject(new ConnectionLost('the connection is lost'));
  }

  /** Ends the session by the protocol. */
  async close(): Promise<void> {
    if (this.attached) await this.request(OpCode.closeSession).catch(() => undefined);
    this.detach();
  }

  request(op: number, body: (w: JuteWriter) => void = () => undefined): Promise<Reply> {
    this.#xid += 1;
    return this.#send(this.#xid, op, body);
  }

  #send(xid: number, op: number, body: (w: JuteWriter) => void): Promise<Reply> {
    const socket = this.#socket;
    if (socket === undefined) return Promise.reject(new ConnectionLost('there is no connection'));
    const w = new JuteWriter().int(0).int(xid).int(op);
    body(w);
    const answer = new Promise<Reply>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      write(socket, w);
    });
    answer.catch(() => undefined); // whoever asked may look at it later
    return answer;
  }

  #ping(): void {
    this.#send(Xid.ping, OpCode.ping, () => undefined).catch(() => undefined);
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
      const end = 4 + bytes.readInt32BE(0);
      this.#frame(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
    }
    this.#received = bytes;
  }

  #frame(frame: Buffer): void {
    const r = new JuteReader(frame);
    if (this.#connecting !== undefined) {
      this.#connecting.resolve(r);
      this.#connecting = undefined;
      return;
    }
    const xid = r.int();
    const zxid = r.long53();
    const error = r.int();
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (xid !== Xid.notification) {
      this.#waiting.shift()?.resolve({ zxid, error, body: r, events: this.#eventCount });
      return;
    }
    const type = r.int();
    r.int();
    this.#eventCount += 1;
    this.events.push({ type, path: r.string() ?? '' });
    this.#onEvent?.();
  }

  /** Waits for the next event of any watch. */
  async nextEvent(limitMs = ANSWER_MS): Promise<WatchEvent> {
    if (this.events.length === 0) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no watch has fired within ${limitMs} ms`)), limitMs);
        this.#onEvent = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.events.shift() as WatchEvent;
  }

  // ---- requests ----

  authenticate(nameAndPassword: string): Promise<Reply> {
    return this.#send(Xid.auth, OpCode.auth, (w) => w.int(0).string('digest').buffer(Buffer.from(nameAndPassword)));
  }

  create(path: string, data: string | Buffer = '', flags: number = CreateMode.persistent): Promise<Reply> {
    return this.request(OpCode.create, (w) => {
      w.string(path).buffer(Buffer.from(data));
      writeAclList(w, OPEN_ACL_UNSAFE);
      w.int(flags);
    });
  }

  delete(path: string): Promise<Reply> {
    return this.request(OpCode.delete, (w) => w.string(path).int(-1));
  }

  set(path: string, data: string | Buffer, version = -1): Promise<Reply> {
    return this.request(OpCode.setData, (w) => w.string(path).buffer(Buffer.from(data)).int(version));
  }

  sync(path = '/'): Promise<Reply> {
    return this.request(OpCode.sync, (w) => w.string(path));
  }

  /** Data and Stat; undefined if there is no such node. */
  async get(path: string, watch = false): Promise<{ data: Buffer | null; stat: Stat } | undefined> {
    return nodeOf(await this.request(OpCode.getData, (w) => w.string(path).bool(watch)));
  }

  async text(path: string): Promise<string | undefined> {
    return (await this.get(path))?.data?.toString();
  }

  async exists(path: string, watch = false): Promise<Stat | undefined> {
    const reply = await this.request(OpCode.exists, (w) => w.string(path).bool(watch));
    return reply.error === 0 ? readStat(reply.body) : undefined;
  }

  async children(path: string, watch = false): Promise<string[]> {
    const reply = await this.request(OpCode.getChildren, (w) => w.string(path).bool(watch));
    return reply.error === 0 ? (reply.body.vector((r) => r.string() ?? '') ?? []) : [];
  }

  async acl(path: string): Promise<readonly Acl[]> {
    return readAclList((await this.request(OpCode.getACL, (w) => w.string(path))).body) ?? [];
  }

  /** Sets data and exist watches as after a reconnect: those that missed something since `seen` fire at once. */
  setWatches(seen: number, data: readonly string[], exist: readonly string[]): Promise<Reply> {
    const list = (w: JuteWriter, paths: readonly string[]) => w.vector(paths, (out, path) => out.string(path));
    return this.#send(Xid.setWatches, OpCode.setWatches, (w) => list(list(list(w.long53(seen), data), exist), []));
  }

  /** A change of the configuration, or a whole new one; version -1 for any. */
  reconfig(joining?: string, leaving?: string, members?: string, version = -1): Promise<Reply> {
    return this.request(OpCode.reconfig, (w) => {
      for (const text of [joining, leaving, members]) w.string(text ?? null);
      w.long53(version);
    });
  }

  /** @param mode 0 for a persistent watch, 1 for a recursive one */
  addWatch(path: string, mode: 0 | 1): Promise<Reply> {
    return this.request(OpCode.addWatch, (w) => w.string(path).int(mode));
  }
}

/** Data and Stat of an answer to getData; undefined if it tells an error. */
export function nodeOf({ error, body }: Reply): { data: Buffer | null; stat: Stat } | undefined {
  if (error !== 0) return undefined;
  const data = body.buffer();
  return { data: data === null ? null : Buffer.from(data), stat: readStat(body) };
}

/** Sends what the writer holds behind a place for its length. */
function write(socket: Socket, w: JuteWriter): void {
  const frame = w.bytes();
  frame.writeInt32BE(frame.length - 4);
  socket.write(frame);
}

/** Throws unless the reply tells success. */
export function ok(reply: Reply, what: string): Reply {
  if (reply.error !== 0) throw new Error(`${what}: error ${reply.error}`);
  return reply;
}
