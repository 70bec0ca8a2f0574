// A client of the workload: it writes, reads, compares-and-sets, locks, and takes its session from server to server. It notes what it
// is told, and looks at what a single session is promised: time goes forward, own writes are seen, watches come before what they tell.

import { setTimeout as delay } from 'node:timers/promises';
import { CreateMode, ErrorCode, OpCode, readStat } from '@nodekeeper/protocol';
import type { Member } from '../ensemble/member.js';
import { ConnectionLost, nodeOf, type Reply, Session, SessionExpired } from '../ensemble/session.js';
import { type History, hex, type Write } from './history.js';

export const REGISTERS: readonly string[] = ['/r0', '/r1', '/r2', '/r3', '/r4'];
export const COUNTER = '/counter';
const LOCK = '/lock/holder';
const RETRY_MS = 30;
const DATA_CHANGED = 3;

export interface ClientSettings {
  readonly number: number;
  readonly members: readonly Member[];
  readonly history: History;
  readonly random: () => number;
  /** Of sessions, in milliseconds. */
  readonly timeout: number;
  /** Milliseconds between two steps. */
  readonly pause: number;
}

export class Client {
  readonly #settings: ClientSettings;
  #session: Session | undefined;
  #member: Member;
  #stopping = false;
  #done: Promise<void> = Promise.resolve();
  #count = 0;
  /** The highest zxid that the session was told. */
  #seen = 0;
  /** The versions of registers that this session has seen. */
  readonly #versions = new Map<string, number>();
  /** Registers that it watches, by the version that it saw when it did. */
  readonly #watched = new Map<string, number>();
  #eventsSeen = 0;
  #holds = false;
  /** Of this session, and there for as long as it lives. */
  #ephemeral: string | undefined;
  moves = 0;
  sessions = 0;
  expired = 0;
  watchesFired = 0;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    this.#member = settings.members[0];
  }

  start(): void {
    this.#done = this.#run();
  }

  /** Ends the steps; the session stays. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  get session(): bigint {
    return this.#session?.id ?? 0n;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      if (this.#session?.attached !== true) await this.#attach();
      else await this.#step();
      await delay(this.#settings.pause * this.#settings.random() * 2);
    }
  }

  /** Attaches the session, or a new one where that has expired; and proves that what it watched was not lost. */
  async settle(): Promise<void> {
    while (this.#session?.attached !== true) await this.#attach();
    const session = this.#session;
    if (session === undefined || !(await this.#ask(session, () => session.sync()))) return this.settle();
    for (const key of [...this.#watched.keys()]) await this.#read(session, key, false);
  }

  /** Drops the connection. */
  abandon(): void {
    this.#stopping = true;
    this.#session?.detach();
  }

  async close(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    await this.#write(session, 'close', '', -1, () => session.request(OpCode.closeSession));
    session.detach();
  }

  async #attach(): Promise<void> {
    const { members, random, timeout } = this.#settings;
    this.#member = members[Math.floor(random() * members.length)];
    const { client: port } = this.#member.ports;
    const old = this.#session;
    this.moves += 1;
    const limit = setTimeout(() => old?.detach(), timeout);
    try {
      if (old === undefined) await this.#begin(await within(timeout, Session.open(port, { timeout })));
      else {
        this.#watches(old, Number.POSITIVE_INFINITY);
        const before = old.lastZxid;
        await old.attach(port);
        if (this.#watched.size > 0) await this.#ask(old, () => old.setWatches(before, [...this.#watched.keys()], []));
      }
    } catch (error) {
      if (error instanceof SessionExpired) {
        this.#session = undefined;
        this.expired += 1;
      } else await delay(RETRY_MS);
    } finally {
      clearTimeout(limit);
    }
  }

  async #begin(session: Session): Promise<void> {
    this.#session = session;
    this.sessions += 1;
    this.#seen = 0;
    this.#eventsSeen = 0;
    this.#versions.clear();
    this.#watched.clear();
    this.#holds = false;
    this.#ephemeral = undefined;
    const path = `/eph/c${this.#settings.number}-${this.sessions}`;
    const { error } = await this.#write(session, 'create', path, -1, (value) =>
      session.create(path, value, CreateMode.ephemeral),
    );
    if (error === 0) this.#ephemeral = path;
  }

  async #step(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { random, number, history } = this.#settings;
    const key = REGISTERS[Math.floor(random() * REGISTERS.length)];
    const chance = random();
    if (chance < 0.25) await this.#read(session, key, true);
    else if (chance < 0.35) await this.#set(session, key, -1);
    else if (chance < 0.5) await this.#set(session, key, this.#versions.get(key) ?? 0);
    else if (chance < 0.6) await this.#increment(session);
    else if (chance < 0.7)
      await Promise.all([this.#set(session, key, -1), this.#set(session, key, -1), this.#read(session, key, false)]);
    else if (chance < 0.75) await this.#lock(session);
    else if (chance < 0.8) await this.#ownEphemeral(session);
    else if (chance < 0.94) {
      const path = `/u/${number}-${this.#count}`;
      await this.#write(session, 'create', path, -1, (value) => session.create(path, value));
    } else if (chance < 0.994) session.detach();
    else if (chance < 0.998) {
      await this.close();
      this.#session = undefined;
    } else {
      // Silent until the session has expired, if nothing keeps it.
      session.detach();
      await delay(this.#settings.timeout * 1.5);
    }
    if (history.faults.length > 0) this.#stopping = true;
  }

  /** Asks, and looks at the answer in its turn; a server that doesn't answer within the session's time is left. */
  async #ask(session: Session, send: () => Promise<Reply>, look: (reply: Reply) => void = () => {}): Promise<boolean> {
    const limit = setTimeout(() => session.detach(), this.#settings.timeout);
    try {
      const reply = await send();
      // A server that loses its leader may say so instead of hanging up.
      if (reply.error === ErrorCode.ConnectionLoss) return false;
      this.#watches(session, reply.events);
      if (reply.zxid > 0) {
        if (reply.zxid < this.#seen) this.#fault(session, `was told ${hex(reply.zxid)} after ${hex(this.#seen)}`);
        this.#seen = Math.max(this.#seen, reply.zxid);
      }
      look(reply);
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      return false;
    } finally {
      clearTimeout(limit);
    }
  }

  /** Looks at the events that came before the `count`th. */
  #watches(session: Session, count: number): void {
    for (const event of session.events.splice(0, count - this.#eventsSeen)) {
      this.#eventsSeen += 1;
      this.watchesFired += 1;
      if (event.type !== DATA_CHANGED || !this.#watched.delete(event.path))
        this.#fault(session, `got event ${event.type} of ${event.path}, which it does not wait for`);
    }
  }

  async #read(session: Session, key: string, watch: boolean): Promise<number | undefined> {
    let version: number | undefined;
    const get = (): Promise<Reply> => session.request(OpCode.getData, (w) => w.string(key).bool(watch));
    await this.#ask(session, get, (reply) => {
      const found = nodeOf(reply);
      if (found === undefined) {
        this.#fault(session, `read ${key}, and got error ${reply.error}`);
        return;
      }
      const { number: client, history } = this.#settings;
      const { mzxid } = found.stat;
      version = found.stat.version;
      const value = found.data?.toString() ?? '';
      const exact = this.#member.kind === 'nodekeeper';
      history.reads.push({ client, session: session.id, key, zxid: reply.zxid, value, version, mzxid, exact });
      this.#sees(session, key, version);
      if (watch) this.#watched.set(key, version);
    });
    return version;
  }

  #sees(session: Session, key: string, version: number): void {
    const before = this.#versions.get(key) ?? -1;
    if (version < before) this.#fault(session, `saw version ${version} of ${key} after ${before}`);
    this.#versions.set(key, Math.max(version, before));
    const watched = this.#watched.get(key);
    if (watched !== undefined && version > watched)
      this.#fault(session, `saw version ${version} of ${key}, which it watches since ${watched}, before an event`);
  }

  async #write(
    session: Session,
    kind: Write['kind'],
    key: string,
    expected: number,
    send: (value: string) => Promise<Reply>,
  ): Promise<Write> {
    const { number, history } = this.#settings;
    const write: Write = {
      client: number,
      session: session.id,
      kind,
      key,
      value: `${number}:${this.#count++}`,
      expected,
      began: performance.now(),
      ended: Number.POSITIVE_INFINITY,
      error: undefined,
      zxid: 0,
      version: -1,
    };
    history.writes.push(write);
    await this.#ask(
      session,
      () => send(write.value),
      (reply) => {
        const { error, zxid, body } = reply;
        if (error === ErrorCode.SessionExpired || error === ErrorCode.SessionMoved) {
          session.detach();
          return;
        }
        write.ended = performance.now();
        write.error = error;
        write.zxid = zxid;
        if (kind !== 'set' || error !== 0) return;
        write.version = readStat(body).version;
        this.#sees(session, key, write.version);
      },
    );
    return write;
  }

  async #set(session: Session, key: string, expected: number): Promise<void> {
    await this.#write(session, 'set', key, expected, (value) => session.set(key, value, expected));
  }

  async #increment(session: Session): Promise<void> {
    const version = await this.#read(session, COUNTER, false);
    if (version !== undefined) await this.#set(session, COUNTER, version);
  }

  /** Takes the lock if it is free, or lets it go. */
  async #lock(session: Session): Promise<void> {
    if (this.#holds) {
      const { error } = await this.#write(session, 'delete', LOCK, -1, () => session.delete(LOCK));
      if (error === ErrorCode.NoNode) this.#fault(session, 'lost the lock while it lived');
      this.#holds = false;
      return;
    }
    const { error } = await this.#write(session, 'create', LOCK, -1, (value) =>
      session.create(LOCK, value, CreateMode.ephemeral),
    );
    this.#holds = error === 0;
  }

  async #ownEphemeral(session: Session): Promise<void> {
    const path = this.#ephemeral;
    if (path === undefined) return;
    const exists = (): Promise<Reply> => session.request(OpCode.exists, (w) => w.string(path).bool(false));
    await this.#ask(session, exists, ({ error }) => {
      if (error === ErrorCode.NoNode) this.#fault(session, `lives, and ${path} of it is gone`);
    });
  }

  #fault(session: Session, text: string): void {
    const { history, number } = this.#settings;
    history.fault(
      `client ${number}, session ${hex(session.id)} at server ${this.#member.id} (${new Date().toISOString()}): ${text}`,
    );
  }
}

async function within<T>(ms: number, action: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([action, late]);
  } finally {
    clearTimeout(timer);
  }
}
