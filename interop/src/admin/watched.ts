// An ensemble that operators look at: three voters and an observer of one kind, each with an admin server, under the same load
// whichever kind they are.

import { CreateMode } from '@nodekeeper/protocol';
import { Ensemble, type EnsembleSettings } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';
import { HOST, nextPort } from '../ensemble/ports.js';
import { ok, Session } from '../ensemble/session.js';
import { until } from '../ensemble/until.js';
import { ask, lastZxid } from '../ensemble/words.js';
import type { Kind } from '../servers/index.js';

/** So long that no session has to say that it is alive: counts of packets are exact. */
const SESSION_MS = 60_000;
/** So often the word `hash` has a line, in transactions. */
const DIGEST_EVERY = 128;
const SETTLED_MS = 60_000;

export interface WatchedSettings {
  readonly kind: Kind;
  readonly observer?: boolean;
  readonly cfg?: EnsembleSettings['cfg'];
  readonly props?: EnsembleSettings['props'];
  /** Whether the servers' lines say where clients connect. */
  readonly clientAddresses?: boolean;
}

export class Watched {
  readonly kind: Kind;
  readonly ensemble: Ensemble;
  /** The client sessions, by the names of their ephemeral nodes. */
  readonly sessions = new Map<string, Session>();

  private constructor(kind: Kind, ensemble: Ensemble) {
    this.kind = kind;
    this.ensemble = ensemble;
  }

  static async start({ kind, observer, cfg, props = {}, clientAddresses }: WatchedSettings): Promise<Watched> {
    const ensemble = await Ensemble.create({
      kinds: [kind, kind, kind],
      observers: observer ? [kind] : [],
      cfg: { 'admin.enableServer': 'true', 'admin.serverAddress': HOST, maxSessionTimeout: String(SESSION_MS), ...cfg },
      props,
    });
    for (const member of ensemble.members) member.cfg['admin.serverPort'] = String(await nextPort());
    if (clientAddresses) {
      for (const { cfg: lines } of ensemble.members) {
        for (const { id, ports } of ensemble.members) lines[`server.${id}`] += `;${HOST}:${ports.client}`;
        delete lines.clientPort;
        delete lines.clientPortAddress;
      }
    }
    return new Watched(kind, ensemble);
  }

  /** Starts all of them; the third leads, which it does not tell if it serves no clients. */
  async run(): Promise<void> {
    if (this.member(3).cfg.leaderServes !== 'no') {
      await this.ensemble.startAll();
      return;
    }
    for (const id of [3, 2, 1]) {
      this.member(id).start();
      if (id < 3) await this.member(id).inRole('follower');
    }
  }

  member(id: number): Member {
    return this.ensemble.member(id);
  }

  adminUrl(id: number): string {
    return `http://${HOST}:${this.member(id).cfg['admin.serverPort']}`;
  }

  /** The same on each kind of server: a session on every member, with nodes and watches of its own. */
  async load(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const session = await this.open(`e${id}`, id, SESSION_MS - id * 1000);
      if (id === ids[0]) for (const path of ['/a', '/b']) ok(await session.create(path), `create ${path}`);
      ok(await session.create(`/a/e${id}`, 'x'.repeat(10 * id), CreateMode.ephemeral), `create /a/e${id}`);
      for (let size = 1; size <= 5; size++) ok(await session.set(`/a/e${id}`, 'y'.repeat(size)), 'set');
      await session.get('/a', true);
      await session.exists(`/none${id}`, true);
    }
    const [first] = this.sessions.values();
    for (let i = 0; first !== undefined && i < DIGEST_EVERY; i++) ok(await first.set('/b', String(i)), 'set /b');
    await this.settled();
    for (const session of this.sessions.values()) ok(await session.sync('/'), 'sync');
  }

  async open(name: string, id: number, timeout: number): Promise<Session> {
    const session = await Session.open(this.member(id).ports.client, { timeout, pings: false });
    this.sessions.set(name, session);
    return session;
  }

  /** Waits until all servers that run have applied the same. */
  async settled(): Promise<void> {
    await until('all servers have applied the same', SETTLED_MS, async () => {
      const zxids = await Promise.all(this.ensemble.running.map(({ ports }) => lastZxid(ports.client)));
      return new Set(zxids.filter((zxid) => zxid !== undefined)).size === 1;
    });
  }

  async closeSessions(): Promise<void> {
    for (const session of this.sessions.values()) await session.close();
    this.sessions.clear();
  }

  /** Waits until a server has nobody to follow; `isro` tells that as nothing else does. */
  async isReadOnly(id: number, answer: 'null' | 'ro'): Promise<void> {
    await until(`server ${id} says ${answer}`, SETTLED_MS, async () => {
      return (await ask(this.member(id).ports.client, 'isro')) === answer;
    });
  }

  async close(keep: boolean): Promise<void> {
    for (const session of this.sessions.values()) session.detach();
    await this.ensemble.close(keep);
  }
}
