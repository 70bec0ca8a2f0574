// Servers in memory that do one small thing at a time, in an order that a seed draws: what a client sees of an ensemble whose members
// lag, stall and lose connections, with bytes that come in pieces of any size.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { ErrorCode, EventType, JuteReader, JuteWriter, OpCode, type Stat, writeStat, Xid } from '@nodekeeper/protocol';

/** The same numbers for the same seed. */
export type Random = (below: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Kind = 'create' | 'set' | 'delete';

interface Change {
  readonly kind: Kind;
  readonly path: string;
}

interface ModelNode {
  czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
  readonly children: Set<string>;
}

/** The tree as one server has it, after so many changes. */
class Tree {
  readonly nodes = new Map<string, ModelNode>([['/', newNode(0)]]);

  may({ kind, path }: Change): boolean {
    const node = this.nodes.get(path);
    if (kind === 'create') return node === undefined && this.nodes.has(parentOf(path));
    return node !== undefined && (kind === 'set' || node.children.size === 0);
  }

  apply({ kind, path }: Change, zxid: number): void {
    const parent = this.nodes.get(parentOf(path)) as ModelNode;
    if (kind === 'set') {
      const node = this.nodes.get(path) as ModelNode;
      node.mzxid = zxid;
      node.version++;
      return;
    }
    parent.pzxid = zxid;
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (kind === 'create') {
      this.nodes.set(path, newNode(zxid));
      parent.children.add(name);
    } else {
      this.nodes.delete(path);
      parent.children.delete(name);
    }
  }
}

function newNode(zxid: number): ModelNode {
  return { czxid: zxid, mzxid: zxid, pzxid: zxid, version: 0, children: new Set() };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function statOf({ czxid, mzxid, pzxid, version, children }: ModelNode): Stat {
  const numChildren = children.size;
  const none = { ctime: 0, mtime: 0, cversion: 0, aversion: 0, ephemeralOwner: 0n, dataLength: 0 };
  return { ...none, czxid, mzxid, pzxid, version, numChildren };
}

/** A client's end of a connection, with a socket's ways as Node has them: what comes while it is paused waits in it. */
class Wire extends Duplex {
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort = 2181;
  /** Frames that the server has not looked at. */
  readonly requests: Buffer[] = [];
  /** Bytes that are on their way to the client. */
  out = Buffer.alloc(0);
  /** Undefined until there is a session. */
  session: bigint | undefined;
  /** Whether it watches everything. */
  watches = false;
  private input = Buffer.alloc(0);

  setNoDelay(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.input = Buffer.concat([this.input, chunk]);
    while (this.input.length >= 4 && this.input.length >= 4 + this.input.readInt32BE(0)) {
      const end = 4 + this.input.readInt32BE(0);
      this.requests.push(this.input.subarray(4, end));
      this.input = this.input.subarray(end);
    }
    done();
  }

  send(content: (w: JuteWriter) => void): void {
    const w = new JuteWriter().int(0);
    content(w);
    const bytes = w.bytes();
    bytes.writeInt32BE(bytes.length - 4, 0);
    this.out = Buffer.concat([this.out, bytes]);
  }

  /** So many bytes arrive. */
  deliver(bytes: number): void {
    const chunk = this.out.subarray(0, bytes);
    this.out = this.out.subarray(chunk.length);
    this.push(chunk);
  }
}

class Server {
  readonly tree = new Tree();
  readonly wires = new Set<Wire>();
  zxid = 0;
}

const SERVERS = 3;

export class ModelServers {
  /** For the client: so many servers. */
  readonly connectString = Array.from({ length: SERVERS }, (_, i) => `10.0.0.${i + 1}:2181`).join(',');
  /** Every change there was; the zxid of the first is 1. */
  private readonly history: Change[] = [];
  private readonly newest = new Tree();
  private readonly servers = Array.from({ length: SERVERS }, () => new Server());
  private readonly random: Random;
  /** Whether events bear zxids, as those of servers from 3.9 on do. */
  private readonly tellsZxids: boolean;
  private readonly expired = new Set<bigint>();
  private sessions = 1n;

  constructor(random: Random) {
    this.random = random;
    this.tellsZxids = random(2) === 0;
  }

  /** For the client's option `open`. */
  readonly open = (address: string): Socket => {
    const server = this.servers[Number(address.slice(-1)) - 1] as Server;
    const wire = new Wire({ allowHalfOpen: false });
    wire.on('error', () => {});
    wire.once('close', () => server.wires.delete(wire));
    setImmediate(() => {
      server.wires.add(wire);
      wire.emit('connect');
    });
    return wire as unknown as Socket;
  };

  /** What there is in the end of a path and below it, by path, with the zxid of its last change. */
  listed(root: string): (readonly [string, number])[] {
    const all = [...this.newest.nodes].filter(([path]) => path === root || path.startsWith(`${root}/`));
    return all.map(([path, { mzxid }]) => [path, mzxid] as const);
  }

  /** Changes the tree, if that can be; servers come to it later. */
  change(kind: Kind, path: string): void {
    const change = { kind, path };
    if (!this.newest.may(change)) return;
    this.history.push(change);
    this.newest.apply(change, this.history.length);
  }

  /** A server does something, or the network. */
  step(): void {
    const server = this.servers[this.random(SERVERS)] as Server;
    const wires = [...server.wires];
    const wire = wires[this.random(wires.length)];
    const action = this.random(3);
    if (action === 0) this.advance(server);
    else if (wire === undefined) return;
    else if (action === 1) this.handle(server, wire);
    else if (wire.out.length > 0) wire.deliver(1 + this.random(this.random(2) === 0 ? wire.out.length : 60));
  }

  /** All connections are lost, with what is on its way; sessions too, now and then. */
  loseConnections(): void {
    for (const { wires } of this.servers) {
      for (const wire of wires) {
        if (wire.session !== undefined && this.random(4) === 0) this.expired.add(wire.session);
        wire.destroy();
      }
    }
  }

  /** All that is under way comes to its end, as far as it does without the client. */
  settle(): void {
    for (const server of this.servers) {
      while (server.zxid < this.history.length) this.advance(server);
      for (const wire of server.wires) {
        while (wire.requests.length > 0 && !wire.destroyed) this.handle(server, wire);
        if (wire.out.length > 0) wire.deliver(wire.out.length);
      }
    }
  }

  /** The server applies the next change, and tells who watches. */
  private advance(server: Server): void {
    const change = this.history[server.zxid];
    if (change === undefined) return;
    const zxid = ++server.zxid;
    server.tree.apply(change, zxid);
    const { kind, path } = change;
    const names = { create: 'nodeCreated', set: 'nodeDataChanged', delete: 'nodeDeleted' } as const;
    for (const wire of server.wires) {
      if (!wire.watches) continue;
      const told = this.tellsZxids ? zxid : -1;
      wire.send((w) => w.int(Xid.notification).long53(told).int(0).int(EventType[names[kind]]).int(3).string(path));
    }
  }

  private handle(server: Server, wire: Wire): void {
    const frame = wire.requests.shift();
    if (frame === undefined) return;
    const r = new JuteReader(frame);
    if (wire.session === undefined) {
      this.greet(server, wire, r);
      return;
    }
    if (this.expired.has(wire.session)) {
      wire.destroy();
      return;
    }
    const xid = r.int();
    const op = r.int();
    const reply = (err: number, content: (w: JuteWriter) => void = () => {}): void =>
      wire.send((w) => content(w.int(xid).long53(server.zxid).int(err)));
    const { nodes } = server.tree;
    if (op === OpCode.addWatch || op === OpCode.setWatches2) {
      wire.watches = true;
      reply(0, (w) => w.int(0));
    } else if (op === OpCode.multiRead) reply(0, (w) => readAll(nodes, r, w));
    else if (op === OpCode.getChildren2) {
      const node = nodes.get(r.string() ?? '');
      if (node === undefined) reply(ErrorCode.NoNode);
      else
        reply(0, (w) => {
          w.int(node.children.size);
          for (const name of node.children) w.string(name);
          writeStat(w, statOf(node));
        });
    } else reply(0);
  }

  // ConnectRequest: int protocolVersion, long lastZxidSeen, int timeOut, long sessionId, …
  private greet(server: Server, wire: Wire, r: JuteReader): void {
    r.int();
    const seen = r.long53();
    r.int();
    const asked = r.long();
    if (seen > server.zxid) {
      wire.destroy();
      return;
    }
    const isOver = this.expired.has(asked);
    wire.session = asked === 0n ? this.sessions++ : asked;
    const { session } = wire;
    wire.send((w) =>
      w
        .int(0)
        .int(isOver ? 0 : 30_000)
        .long(session)
        .buffer(Buffer.alloc(16))
        .bool(false),
    );
  }
}

// MultiHeader: int type, boolean done, int err; one before each operation or result, and one that ends them
function readAll(nodes: ReadonlyMap<string, ModelNode>, r: JuteReader, w: JuteWriter): void {
  for (;;) {
    r.int();
    const isDone = r.bool();
    r.int();
    if (isDone) break;
    const node = nodes.get(r.string() ?? '');
    r.bool();
    if (node === undefined) w.int(OpCode.error).bool(false).int(ErrorCode.NoNode).int(ErrorCode.NoNode);
    else {
      w.int(OpCode.getData).bool(false).int(0).buffer(Buffer.alloc(0));
      writeStat(w, statOf(node));
    }
  }
  w.int(-1).bool(true).int(-1);
}
