// Writers that keep a record of every write: acknowledged with which zxid, refused, or unknown because the connection was lost.
// Each has one session, which it takes from member to member, and nodes of its own, so that what must be there in the end
// follows from its own record.

import { setTimeout as delay } from 'node:timers/promises';
import { CreateMode, ErrorCode, OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import type { Member } from './member.js';
import { type Reply, Session, SessionExpired } from './session.js';

export type Outcome = 'acknowledged' | 'refused' | 'unknown';

export interface Write {
  readonly kind: 'create' | 'set' | 'delete' | 'multi' | 'ephemeral';
  /** One node; two of a multi. */
  readonly paths: readonly string[];
  readonly data: string;
  outcome: Outcome;
  /** Of an acknowledged write. */
  zxid: number;
  /** Of a refused one. */
  error: number;
}

export interface LoadOptions {
  readonly writers?: number;
  /** Writes on their way at once, of each writer. */
  readonly window?: number;
  /** Milliseconds between two windows: the load is meant to be there, not to fill the machine. */
  readonly pause?: number;
  readonly sessionTimeout?: number;
  /** Below which node; it must not exist. */
  readonly root?: string;
}

const RETRY_MS = 20;
/** Each of a writer's ephemeral nodes is deleted once it has so many newer ones. */
const EPHEMERALS = 20;

export class Writer {
  readonly root: string;
  readonly writes: Write[] = [];
  /** Sessions that came to an end although they were kept alive. */
  readonly expired: bigint[] = [];
  /** How often it went to another member. */
  moves = 0;
  readonly session: Session;
  readonly #ports: () => number[];
  readonly #window: number;
  readonly #pause: number;
  #next = 0;
  #stopping = true;
  #done: Promise<void> = Promise.resolve();

  constructor(root: string, session: Session, ports: () => number[], window: number, pause: number) {
    this.root = root;
    this.session = session;
    this.#ports = ports;
    this.#window = window;
    this.#pause = pause;
  }

  /** Starts writing, or goes on after a stop. */
  start(): void {
    this.#stopping = false;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  get acknowledged(): number {
    return this.writes.filter((w) => w.outcome === 'acknowledged').length;
  }

  async #run(): Promise<void> {
    while (!this.#stopping && this.expired.length === 0) {
      if (this.session.attached) {
        await Promise.all(Array.from({ length: this.#window }, () => this.#write()));
        if (this.#pause > 0) await delay(this.#pause);
      } else {
        await this.#reattach();
      }
    }
    await this.attach();
  }

  /** Tries the members by turns until one of them takes the session, or says that it is gone. */
  async attach(): Promise<void> {
    while (!this.session.attached && this.expired.length === 0) await this.#reattach();
  }

  async #reattach(): Promise<void> {
    const ports = this.#ports();
    this.moves += 1;
    try {
      await this.session.attach(ports[this.moves % ports.length]);
    } catch (error) {
      if (error instanceof SessionExpired) this.expired.push(this.session.id);
      else await delay(RETRY_MS);
    }
  }

  async #write(): Promise<void> {
    const [write, send] = this.#choose(this.#next++);
    this.writes.push(write);
    try {
      const reply = await send();
      const error = write.kind === 'multi' && reply.error === 0 ? multiError(reply) : reply.error;
      // A server that loses its leader may say so instead of hanging up: what was asked may then be done all the same.
      if (error === ErrorCode.ConnectionLoss) return;
      write.outcome = error === 0 ? 'acknowledged' : 'refused';
      write.zxid = reply.zxid;
      write.error = error;
    } catch {
      // The connection is lost; the write stays unknown.
    }
  }

  #choose(n: number): [Write, () => Promise<Reply>] {
    const { session } = this;
    const data = `${n}:${'x'.repeat(n % 100)}`;
    const make = (kind: Write['kind'], ...paths: string[]): Write => {
      return { kind, paths, data, outcome: 'unknown', zxid: 0, error: 0 };
    };
    const path = `${this.root}/n${n}`;
    switch (n % 10) {
      case 3:
      case 6: {
        const register = `${this.root}/register`;
        return [make('set', register), () => session.set(register, data)];
      }
      case 5: {
        const old = n < 20 ? undefined : `${this.root}/n${n - 15}`;
        if (old === undefined) break;
        return [make('delete', old), () => session.delete(old)];
      }
      case 7: {
        const second = `${path}-b`;
        return [make('multi', path, second), () => this.#multi(path, second, data)];
      }
      case 8:
        return [make('ephemeral', path), () => session.create(path, data, CreateMode.ephemeral)];
      case 9: {
        const old = `${this.root}/n${n - 1 - 10 * EPHEMERALS}`;
        if (n <= 10 * EPHEMERALS) break;
        return [make('delete', old), () => session.delete(old)];
      }
    }
    return [make('create', path), () => session.create(path, data)];
  }

  #multi(first: string, second: string, data: string): Promise<Reply> {
    return this.session.request(OpCode.multi, (w) => {
      for (const path of [first, second]) {
        w.int(OpCode.create).bool(false).int(-1).string(path).buffer(Buffer.from(data));
        writeAclList(w, OPEN_ACL_UNSAFE);
        w.int(CreateMode.persistent);
      }
      w.int(-1).bool(true).int(-1);
    });
  }
}

/** The error of a multi stands in its first result that has one. */
function multiError({ body }: Reply): number {
  const type = body.int();
  body.bool();
  const error = body.int();
  return type === OpCode.error ? error : 0;
}

export class Load {
  readonly writers: readonly Writer[];
  readonly root: string;

  private constructor(root: string, writers: readonly Writer[]) {
    this.root = root;
    this.writers = writers;
  }

  /** Starts writers on the members by turns; while one is away, its writers go to those that run. */
  static async start(members: readonly Member[], options: LoadOptions = {}): Promise<Load> {
    const { writers = 4, window = 4, pause = 5, sessionTimeout = 10_000, root = '/load' } = options;
    const ports = (): number[] => {
      const running = members.filter((m) => m.running).map((m) => m.ports.client);
      return running.length === 0 ? members.map((m) => m.ports.client) : running;
    };
    const all: Writer[] = [];
    for (let i = 0; i < writers; i++) {
      const session = await Session.open(ports()[i % ports().length], { timeout: sessionTimeout });
      if (i === 0) await made(session, root);
      await session.sync();
      await made(session, `${root}/w${i}`);
      await made(session, `${root}/w${i}/register`);
      all.push(new Writer(`${root}/w${i}`, session, ports, window, pause));
    }
    for (const writer of all) writer.start();
    return new Load(root, all);
  }

  /** Acknowledged writes so far. */
  get acknowledged(): number {
    return this.writers.reduce((sum, w) => sum + w.acknowledged, 0);
  }

  count(outcome: Outcome): number {
    return this.writers.reduce((sum, w) => sum + w.writes.filter((x) => x.outcome === outcome).length, 0);
  }

  /** Resolves when so many more writes are acknowledged. */
  async more(count: number, limitMs = 120_000): Promise<void> {
    const goal = this.acknowledged + count;
    const end = performance.now() + limitMs;
    while (this.acknowledged < goal) {
      const gone = this.writers.find((w) => w.expired.length > 0);
      if (gone !== undefined) throw new Error(`session 0x${gone.expired[0].toString(16)} of ${gone.root} has expired`);
      if (performance.now() > end)
        throw new Error(`${goal - this.acknowledged} of ${count} writes are not acknowledged in ${limitMs / 1000} s`);
      await delay(RETRY_MS);
    }
  }

  /** Attaches the sessions again after all members were down. */
  async attach(): Promise<void> {
    await Promise.all(this.writers.map((w) => w.attach()));
  }

  /** Goes on after a stop. */
  resume(): void {
    for (const writer of this.writers) writer.start();
  }

  /** Ends the writing. The sessions stay, attached to a running member. */
  async stop(): Promise<void> {
    await Promise.all(this.writers.map((w) => w.stop()));
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.writers.map((w) => w.session.close()));
  }
}

async function made(session: Session, path: string): Promise<void> {
  const { error } = await session.create(path, 'new');
  if (error !== 0) throw new Error(`${path} cannot be created: error ${error}`);
}
