// Watches: each fires once for the first change after it was set, before its client sees anything as new as that change, in the
// order of changes; none fires that was not set. Source: "ZooKeeper Watches" in Apache ZooKeeper's programmer's guide.

import { ErrorCode, EventType } from '@nodekeeper/protocol';
import type { Finding } from './checks.js';
import type { Call, History, Notification, SessionRecord, Sighting } from './history.js';
import { Model, type NodeEvent, parentOf } from './model.js';
import { hex, type Truth } from './truth.js';

const TYPE_OF: Record<NodeEvent, number> = {
  created: EventType.nodeCreated,
  changed: EventType.nodeDataChanged,
  deleted: EventType.nodeDeleted,
};

type Kind = 'data' | 'exist' | 'child';

/** When what a watch of a kind at a path waits for happened: zxids, rising. */
/** What a persistent watch tells of, in order. */
interface Told {
  readonly zxid: number;
  readonly type: number;
  readonly path: string;
}

class Triggers {
  private readonly all: { readonly event: NodeEvent; readonly path: string; readonly zxid: number }[] = [];
  private readonly own = new Map<string, number[]>();
  private readonly ofChildren = new Map<string, number[]>();
  private readonly lives = new Map<string, number[]>();

  constructor(truth: Truth) {
    const model = new Model();
    model.onEvent = (event, path, zxid) => this.add(event, path, zxid);
    for (const txn of truth.history()) model.apply(txn);
  }

  private add(event: NodeEvent, path: string, zxid: number): void {
    this.all.push({ event, path, zxid });
    put(this.own, path, zxid);
    if (event === 'changed') return;
    put(this.lives, path, zxid);
    put(this.ofChildren, parentOf(path), zxid);
    if (event === 'deleted') put(this.ofChildren, path, zxid);
  }

  /** The first after a zxid; infinite if there is none. */
  next(kind: Kind, path: string, after: number): number {
    const list = (kind === 'child' ? this.ofChildren : this.own).get(path) ?? [];
    return list.find((zxid) => zxid > after) ?? Number.POSITIVE_INFINITY;
  }

  /** Everything that a persistent watch at a path has to tell, in order. */
  *told(path: string, recursive: boolean): Generator<Told> {
    for (const { event, path: at, zxid } of this.all) {
      const type = TYPE_OF[event];
      if (at === path || (recursive && at.startsWith(`${path}/`))) yield { zxid, type, path: at };
      if (!recursive && event !== 'changed' && parentOf(at) === path)
        yield { zxid, type: EventType.nodeChildrenChanged, path };
    }
  }

  /** Whether the node is there at a zxid. */
  exists(path: string, zxid: number): boolean {
    return (this.lives.get(path) ?? []).filter((at) => at <= zxid).length % 2 === 1;
  }
}

function put(map: Map<string, number[]>, key: string, zxid: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [zxid]);
  else list.push(zxid);
}

type Moment =
  | { readonly order: number; readonly connection: number; readonly what: 'reply'; readonly call: Call }
  | { readonly order: number; readonly connection: number; readonly what: 'sighting'; readonly sighting: Sighting }
  | { readonly order: number; readonly connection: number; readonly what: 'event'; readonly event: Notification };

export function* checkWatches(history: History, truth: Truth): Generator<Finding> {
  const triggers = new Triggers(truth);
  const moments = new Map<SessionRecord, Moment[]>();
  const add = (session: SessionRecord, moment: Moment): void => {
    const list = moments.get(session);
    if (list === undefined) moments.set(session, [moment]);
    else list.push(moment);
  };
  for (const call of history.calls) {
    const { session, connection, reply } = call;
    if (reply !== undefined) add(session, { order: reply.order, connection, what: 'reply', call });
  }
  for (const sighting of history.sightings) {
    const { session, connection, order } = sighting;
    add(session, { order, connection, what: 'sighting', sighting });
  }
  for (const event of history.notifications) {
    const { session, connection, order } = event;
    add(session, { order, connection, what: 'event', event });
  }
  for (const [session, list] of moments) {
    list.sort((a, b) => a.order - b.order);
    yield* new SessionWatches(session, triggers).run(list);
  }
}

class SessionWatches {
  private readonly who: string;
  private readonly triggers: Triggers;
  /** The zxid at which each was set. */
  private readonly set: Record<Kind, Map<string, number>> = { data: new Map(), exist: new Map(), child: new Map() };
  /** Persistent watches by path, each with what it has still to tell. */
  private readonly lasting = new Map<string, Told[]>();
  private connection = 0;
  /** Watches are being set again on a new connection: what fires then has no order. */
  private restoring = false;
  private readonly toldGone = new Set<string>();
  private lastFired = 0;

  constructor(session: SessionRecord, triggers: Triggers) {
    this.who = session.client;
    this.triggers = triggers;
  }

  *run(moments: readonly Moment[]): Generator<Finding> {
    for (const moment of moments) {
      if (moment.connection !== this.connection) {
        this.connection = moment.connection;
        this.restoring = this.lasting.size > 0 || Object.values(this.set).some((watches) => watches.size > 0);
        this.toldGone.clear();
        this.lastFired = 0;
      }
      if (moment.what === 'event') yield* this.fired(moment.event);
      else if (moment.what === 'reply') yield* this.replied(moment.call);
      else yield* this.sighted(moment.sighting);
    }
  }

  private *sighted({ zxid, kind }: Sighting): Generator<Finding> {
    if (kind === 'setWatches') {
      this.restoring = false;
      // A node that came and went meanwhile is not told: it is as absent as before.
      for (const [path, at] of this.set.exist) {
        if (at < zxid && !this.triggers.exists(path, zxid)) this.set.exist.set(path, zxid);
      }
      // Persistent watches tell what happens from now on.
      for (const [path, due] of this.lasting) {
        this.lasting.set(
          path,
          due.filter((one) => one.zxid > zxid),
        );
      }
    }
    yield* this.saw(zxid, kind);
  }

  private *replied({ op, reply }: Call): Generator<Finding> {
    if (reply === undefined) return;
    yield* this.saw(reply.zxid, op.kind);
    if (op.kind === 'addWatch' && reply.error === ErrorCode.Ok && !this.lasting.has(op.path)) {
      const due = [...this.triggers.told(op.path, op.recursive)];
      this.lasting.set(
        op.path,
        due.filter((one) => one.zxid > reply.zxid),
      );
    }
    if ((op.kind !== 'get' && op.kind !== 'exists' && op.kind !== 'children') || !op.watch) return;
    let kind: Kind;
    if (reply.error === ErrorCode.Ok) kind = op.kind === 'children' ? 'child' : 'data';
    else if (reply.error === ErrorCode.NoNode && op.kind === 'exists') kind = 'exist';
    else return;
    if (!this.set[kind].has(op.path)) this.set[kind].set(op.path, reply.zxid);
  }

  /** The client saw the state at a zxid: what changed up to there it must have been told. */
  private *saw(zxid: number, what: string): Generator<Finding> {
    for (const [path, due] of this.lasting) {
      for (let next = due[0]; next !== undefined && next.zxid <= zxid; next = due[0]) {
        due.shift();
        if (this.restoring) continue; // what happened meanwhile is not told
        yield {
          kind: 'watches',
          message: `${this.who} saw ${hex(zxid)} (${what}), but its persistent watch at ${path} did not tell event ${next.type} at ${next.path} of ${hex(next.zxid)}`,
        };
      }
    }
    for (const kind of ['data', 'exist', 'child'] as const) {
      for (const [path, at] of this.set[kind]) {
        const due = this.triggers.next(kind, path, at);
        if (due > zxid) continue;
        this.set[kind].delete(path);
        yield {
          kind: 'watches',
          message: `${this.who} saw ${hex(zxid)} (${what}), but not that its ${kind} watch at ${path}, set at ${hex(at)}, fired at ${hex(due)}`,
        };
      }
    }
  }

  /** Whether a persistent watch told this, as the next that it had to tell. */
  private toldByLasting(type: number, path: string): boolean {
    let told = false;
    for (const due of this.lasting.values()) {
      const next = due[0];
      if (next?.type !== type || next.path !== path) continue;
      due.shift();
      told = true;
    }
    return told;
  }

  private *fired({ type, path }: Notification): Generator<Finding> {
    const lasting = !this.restoring && this.toldByLasting(type, path);
    const kinds: Kind[] =
      type === EventType.nodeChildrenChanged
        ? ['child']
        : type === EventType.nodeDeleted
          ? ['data', 'exist', 'child']
          : ['data', 'exist'];
    const found = kinds.filter((kind) => this.set[kind].has(path));
    if (found.length === 0) {
      if (lasting) return;
      // Setting them again, a data and a child watch of a node that is gone are told each by itself.
      if (this.restoring && type === EventType.nodeDeleted && this.toldGone.has(path)) return;
      yield { kind: 'watches', message: `${this.who} was told event ${type} at ${path}, where it has no such watch` };
      return;
    }
    let at = 0;
    for (const kind of found) {
      const due = this.triggers.next(kind, path, this.set[kind].get(path) ?? 0);
      if (due === Number.POSITIVE_INFINITY)
        yield { kind: 'watches', message: `${this.who} was told event ${type} at ${path}, where nothing changed` };
      else at = Math.max(at, due);
      this.set[kind].delete(path);
    }
    if (this.restoring) {
      if (type === EventType.nodeDeleted) this.toldGone.add(path);
      return;
    }
    if (at < this.lastFired)
      yield {
        kind: 'watches',
        message: `${this.who} was told event ${type} at ${path} of ${hex(at)} after one of ${hex(this.lastFired)}`,
      };
    this.lastFired = Math.max(this.lastFired, at);
  }
}
