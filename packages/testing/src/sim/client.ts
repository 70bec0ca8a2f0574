// A simulated client: a session over whichever server answers, with requests in flight, pings and watches, on the real wire protocol.
// It keeps to the rules that clients keep to, and writes down everything it sees.

import { JuteReader, JuteWriter, OpCode, Xid } from '@nodekeeper/protocol';
import type { Connection, Network } from '@nodekeeper/server';
import type { Actor } from './actor.js';
import type { Call, History, SessionRecord } from './history.js';
import type { Life } from './life.js';
import { decode, encode, isWrite, type Operation, tellOperation } from './operations.js';
import type { Random } from './random.js';
import type { Event, Scheduler } from './scheduler.js';
import { WatchTable } from './watch-table.js';
import { PATHS } from './workload.js';

const CONNECT_TIMEOUT = 2000;
const LARGEST_FRAME = 4 * 1024 * 1024;

export interface ClientSetting {
  readonly name: string;
  /** Milliseconds. */
  readonly sessionTimeout: number;
  /** Requests in flight at once. */
  readonly window: number;
  /** Milliseconds after which it goes to another server of its own accord; 0 for never. */
  readonly stay: number;
  readonly servers: readonly { readonly name: string; readonly host: string; readonly port: number }[];
}

export interface ClientHost {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly life: Life;
  readonly random: Random;
  readonly history: History;
  /** From then on it stays where it is. */
  readonly moveUntil: number;
  trace(text: string): void;
  violated(kind: string, message: string): void;
  /** The client was shown the state at a zxid. */
  shown(zxid: number, what: string): void;
}

export class SimClient implements Actor {
  readonly setting: ClientSetting;
  private readonly host: ClientHost;
  private wire: Connection | undefined;
  private server = '';
  private connection = 0;
  private ready = false;
  private unread: Buffer = Buffer.alloc(0);
  private session: SessionRecord | undefined;
  private password: Buffer = Buffer.alloc(16);
  private xid = 0;
  /** The highest zxid that any reply of this session showed. */
  private lastZxid = 0;
  private readonly queue: Operation[] = [];
  private inFlight: Call[] = [];
  private readonly watches = new WatchTable();
  private heardAt = 0;
  private ticker: Event | undefined;
  private stopped = false;
  /** When each ping without answer was sent. */
  private pings: number[] = [];

  constructor(setting: ClientSetting, host: ClientHost) {
    this.setting = setting;
    this.host = host;
  }

  get name(): string {
    return this.setting.name;
  }

  /** Whether everything that was asked for is answered, or lost with a connection. */
  get idle(): boolean {
    return this.queue.length === 0 && this.inFlight.length === 0;
  }

  get alive(): boolean {
    return !this.stopped;
  }

  /** Whether nothing is left to wait for: dead, or connected and idle. */
  get settled(): boolean {
    return this.stopped || (this.ready && this.idle);
  }

  get sessionId(): bigint | undefined {
    return this.session?.id;
  }

  start(): void {
    this.reconnect(this.host.random.between(0, 50));
  }

  /** Asks for something, as soon as there is a connection. */
  submit(op: Operation): void {
    this.queue.push(op);
    this.sendQueued();
  }

  lookAtEverything(): void {
    this.submit({ kind: 'sync', path: '/' });
    for (const path of PATHS) this.submit({ kind: 'get', path, watch: false });
    for (const path of PATHS) this.submit({ kind: 'children', path, watch: false });
  }

  /** Vanishes without a word: its session is to expire. */
  die(): void {
    this.trace('dies');
    this.stopped = true;
    this.queue.length = 0;
    this.host.life.end();
  }

  /** Drops the connection and goes elsewhere, with its session. */
  move(): void {
    if (this.wire !== undefined) this.lost('moves');
  }

  private trace(text: string): void {
    this.host.trace(`${this.name} ${text}`);
  }

  // ---- connecting ----

  private reconnect(delay: number): void {
    if (this.stopped) return;
    this.host.scheduler.after(delay, this.host.life, () => this.connect());
  }

  private connect(): void {
    if (this.wire !== undefined || this.stopped) return;
    const { scheduler, life, random, network } = this.host;
    const server = random.pick(this.setting.servers);
    const wire = network.connect(server.host, server.port);
    this.wire = wire;
    this.server = server.name;
    this.connection++;
    this.unread = Buffer.alloc(0);
    const timer = scheduler.after(CONNECT_TIMEOUT, life, () => {
      if (this.wire === wire && !this.ready) this.lost('no answer');
    });
    wire.on('connect', () => {
      if (this.wire === wire) this.handshake(wire);
    });
    wire.on('data', (chunk) => {
      if (this.wire === wire) this.take(chunk);
    });
    const gone = (why: string) => (): void => {
      timer.cancel();
      if (this.wire === wire) this.lost(why);
    };
    wire.on('error', (error) => gone(error.message)());
    wire.on('end', gone('closed by the server'));
    wire.on('close', gone('closed'));
  }

  // ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, buffer passwd, boolean readOnly
  private handshake(wire: Connection): void {
    const w = new JuteWriter();
    w.int(0)
      .long53(this.lastZxid)
      .int(this.setting.sessionTimeout)
      .long(this.session?.id ?? 0n)
      .buffer(this.password)
      .bool(false);
    wire.write(framed(w.bytes()));
  }

  private lost(why: string): void {
    const { wire } = this;
    this.wire = undefined;
    this.ready = false;
    this.ticker?.cancel();
    wire?.destroy();
    if (this.inFlight.length > 0) this.trace(`loses ${this.server}: ${why}, ${this.inFlight.length} without answer`);
    this.inFlight = [];
    this.pings = [];
    this.reconnect(this.host.random.between(5, 200));
  }

  // ConnectResponse: int protocolVersion, int timeOut, long sessionId, buffer passwd, boolean readOnly
  private connectResponse(frame: Buffer): void {
    const { history, scheduler } = this.host;
    const r = new JuteReader(frame);
    r.int();
    const timeout = r.int();
    const id = r.long();
    const password = r.buffer();
    if (timeout <= 0) {
      this.trace(`learns from ${this.server} that its session is over`);
      if (this.session !== undefined) this.session.expiredAt = scheduler.now;
      this.forgetSession();
      this.lost('expired');
      return;
    }
    if (this.session === undefined) {
      const now = scheduler.now;
      this.session = { id, client: this.name, timeout, openedAt: now, heard: [] };
      history.sessions.push(this.session);
      this.password = Buffer.from(password ?? []);
      this.trace(`opens session 0x${id.toString(16)} at ${this.server}`);
    } else {
      if (this.session.id !== id)
        this.host.violated(
          'session',
          `${this.name} asked for 0x${this.session.id.toString(16)}, got 0x${id.toString(16)}`,
        );
      this.trace(`goes on with its session at ${this.server}`);
    }
    this.ready = true;
    this.heardAt = scheduler.now;
    this.armTicker();
    this.armMove();
    this.restoreWatches();
    this.sendQueued();
  }

  private forgetSession(): void {
    this.session = undefined;
    this.password = Buffer.alloc(16);
    this.lastZxid = 0;
    this.watches.clear();
  }

  // ---- what comes in ----

  private take(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    while (this.unread.length >= 4 && this.wire !== undefined) {
      const length = this.unread.readInt32BE(0);
      if (length < 0 || length > LARGEST_FRAME) {
        this.host.violated('protocol', `${this.server} sends ${this.name} a frame of ${length} bytes`);
        this.lost('bad frame');
        return;
      }
      if (this.unread.length < 4 + length) return;
      const frame = this.unread.subarray(4, 4 + length);
      this.unread = this.unread.subarray(4 + length);
      if (this.ready) this.packet(frame);
      else this.connectResponse(frame);
    }
  }

  // ReplyHeader: int xid, long zxid, int err
  private packet(frame: Buffer): void {
    const { scheduler } = this.host;
    const r = new JuteReader(frame);
    const xid = r.int();
    const zxid = r.long53();
    const error = r.int();
    this.heardAt = scheduler.now;
    switch (xid) {
      case Xid.notification:
        this.notification(r);
        break;
      case Xid.ping:
        this.heard(this.currentSession(), this.pings.shift() ?? 0);
        this.sighting(zxid, 'ping');
        break;
      case Xid.setWatches:
        this.sighting(zxid, 'setWatches');
        break;
      default:
        this.reply(xid, zxid, error, r);
    }
  }

  private heard(session: SessionRecord, sentAt: number): void {
    session.heard.push({ server: this.server, sentAt, answeredAt: this.host.scheduler.now });
  }

  private currentSession(): SessionRecord {
    if (this.session === undefined) throw new Error('a packet without a session');
    return this.session;
  }

  private sawZxid(zxid: number, what: string): void {
    if (zxid <= 0) return;
    if (zxid < this.lastZxid) {
      this.host.violated(
        'time',
        `${this.name} has seen 0x${this.lastZxid.toString(16)}, and ${this.server} answers ${what} at 0x${zxid.toString(16)}`,
      );
    }
    this.lastZxid = Math.max(this.lastZxid, zxid);
    this.host.shown(zxid, `${this.name} by ${this.server}, ${what}`);
  }

  private sighting(zxid: number, kind: 'ping' | 'setWatches'): void {
    const { history } = this.host;
    const session = this.currentSession();
    this.sawZxid(zxid, kind);
    history.sightings.push({ session, connection: this.connection, order: history.nextOrder(), zxid, kind });
  }

  // WatcherEvent: int type, int state, ustring path
  private notification(r: JuteReader): void {
    const { history } = this.host;
    const type = r.int();
    r.int();
    const path = r.string() ?? '';
    this.trace(`is told by ${this.server}: event ${type} at ${path}`);
    history.notifications.push({
      session: this.currentSession(),
      connection: this.connection,
      order: history.nextOrder(),
      type,
      path,
    });
    this.watches.fired(type, path);
  }

  private reply(xid: number, zxid: number, error: number, r: JuteReader): void {
    const { history, scheduler } = this.host;
    const call = this.inFlight.shift();
    if (call === undefined || call.xid !== xid) {
      this.host.violated('fifo', `${this.server} answers ${this.name}'s request ${xid}, ${call?.xid ?? 'none'} is due`);
      this.lost('answers out of order');
      return;
    }
    const { op } = call;
    const answer = decode(op, error, r);
    this.trace(`is answered by ${this.server}: ${tellOperation(op)}: ${error} at 0x${zxid.toString(16)}`);
    call.reply = { at: scheduler.now, order: history.nextOrder(), zxid, error, answer };
    this.sawZxid(zxid, tellOperation(op));
    const session = this.currentSession();
    this.heard(session, call.sentAt);
    if (!isWrite(op)) this.watches.registered(op, error);
    if (op.kind === 'closeSession') {
      this.forgetSession();
      this.lost('closed its session');
      return;
    }
    this.sendQueued();
  }

  // ---- what goes out ----

  private sendQueued(): void {
    const { wire, session } = this;
    if (!this.ready || wire === undefined || session === undefined) return;
    while (this.queue.length > 0 && this.inFlight.length < this.setting.window) {
      const op = this.queue.shift() as Operation;
      const { history, scheduler } = this.host;
      const call: Call = {
        client: this.name,
        session,
        connection: this.connection,
        server: this.server,
        xid: ++this.xid,
        op,
        sentAt: scheduler.now,
        sentOrder: history.nextOrder(),
      };
      if (op.kind === 'closeSession') session.closeSentAt = scheduler.now;
      history.calls.push(call);
      this.inFlight.push(call);
      this.trace(`asks ${this.server}: ${tellOperation(op)}`);
      wire.write(framed(encode(op, call.xid)));
      if (op.kind === 'closeSession') break;
    }
  }

  private restoreWatches(): void {
    const body = this.watches.restoration(this.lastZxid);
    if (body === undefined) return;
    this.wire?.write(framed(body));
  }

  private armMove(): void {
    const { stay } = this.setting;
    const { wire } = this;
    if (stay === 0) return;
    const { scheduler, life, random } = this.host;
    scheduler.after(random.skewed(stay), life, () => {
      if (this.wire === wire && this.ready && scheduler.now < this.host.moveUntil) this.move();
    });
  }

  private armTicker(): void {
    const { scheduler, life } = this.host;
    const timeout = this.session?.timeout ?? this.setting.sessionTimeout;
    this.ticker?.cancel();
    this.ticker = scheduler.after(timeout / 6, life, () => {
      if (!this.ready) return;
      const silent = scheduler.now - this.heardAt;
      if (silent > (timeout * 2) / 3) {
        this.lost('silence');
        return;
      }
      if (silent >= timeout / 3 || this.pings.length === 0) {
        const w = new JuteWriter();
        w.int(Xid.ping).int(OpCode.ping);
        this.pings.push(scheduler.now);
        this.wire?.write(framed(w.bytes()));
      }
      this.armTicker();
    });
  }
}

function framed(body: Buffer): Buffer {
  const out = Buffer.allocUnsafe(4 + body.length);
  out.writeInt32BE(body.length, 0);
  body.copy(out, 4);
  return out;
}
