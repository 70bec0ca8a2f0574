// The network of embedded servers: the real one on loopback, in which connections between servers can be cut, a server's connections
// torn or held still, and its replies to clients delayed or lost.

import type { Connection, Listener, Network } from '@nodekeeper/server';
import { ReplyFrames, type ReplyHeader } from './reply-frames.js';
import type { StartingLine } from './starting-line.js';
import { Wire } from './wire.js';

/** What a server listens at. */
export interface Ports {
  /** For clients; the replies that leave there can be delayed and lost. */
  readonly client: number;
  /** Those that take TLS: their connections are left as they are. */
  readonly tls: readonly number[];
}

/** Whose next reply is to be lost: any that are not given. */
export interface ReplyChoice {
  readonly server?: number | undefined;
  readonly session?: bigint | undefined;
}

/** A fault that waits for its occasion. */
export interface DroppedReply {
  /** Resolves when the reply was dropped, with what it would have told. */
  readonly dropped: Promise<ReplyHeader>;
  /** Has no reply be dropped if none was yet. */
  cancel(): void;
}

interface Loss {
  readonly choice: ReplyChoice;
  readonly dropped: (reply: ReplyHeader) => void;
}

/** One server's side of the network; it outlives the server's process. */
class Place {
  dead = false;
  frozen = false;
  /** Milliseconds by which replies to clients are later. */
  replyDelay = 0;
  readonly listeners = new Set<Listener>();
  readonly connections = new Set<Connection>();
  /** Of its connections, those whose bytes can be held back, and of these the clients'. */
  readonly wires = new Set<Wire>();
  readonly clients = new Set<Wire>();
}

/** Opens real connections; `nodeNetwork` of the server. */
export class Switchboard {
  private readonly real: Network;
  private readonly places = new Map<number, Place>();
  /** The server that listens at a port. */
  private readonly listening = new Map<number, number>();
  /** Whose a connection between two ports is: one port can serve for connections to several others at once. */
  private readonly outgoing = new Map<string, number>();
  private readonly between = new Map<Connection, number>();
  private readonly cuts = new Set<string>();
  private readonly losses = new Set<Loss>();

  /** Until servers that start together all listen where they wait for votes. */
  startingLine: StartingLine | undefined;

  constructor(real: Network) {
    this.real = real;
  }

  private place(id: number): Place {
    const place = this.places.get(id) ?? new Place();
    this.places.set(id, place);
    return place;
  }

  /** The network as server `id` sees it, from now on alive. */
  of(id: number, ports: Ports): Network {
    const place = this.place(id);
    place.dead = false;
    return {
      listen: async (options, onConnection, onError) => {
        const listener = await this.real.listen(
          options,
          (connection) => {
            const from = this.outgoing.get(`${connection.remotePort}>${connection.localPort}`);
            if (place.dead || (from !== undefined && this.isCut(from, id))) {
              connection.destroy();
              return;
            }
            const kept = ports.tls.includes(options.port) ? connection : this.wire(place, connection);
            this.keep(place, kept, from);
            if (kept instanceof Wire && options.port === ports.client) this.follow(id, place, kept);
            onConnection(kept);
          },
          onError,
        );
        this.listening.set(listener.port, id);
        place.listeners.add(listener);
        await this.startingLine?.arrive(options.port);
        return listener;
      },
      connect: (host, port, options) => {
        const connection = this.wire(place, this.real.connect(host, port, options));
        const to = this.listening.get(port);
        this.keep(place, connection, to);
        connection.on('connect', () => {
          const ends = `${connection.localPort}>${port}`;
          this.outgoing.set(ends, id);
          connection.on('close', () => this.outgoing.delete(ends));
          if (to !== undefined && this.isCut(id, to)) connection.destroy();
        });
        return connection;
      },
    };
  }

  private wire(place: Place, connection: Connection): Wire {
    const wire = new Wire(connection);
    place.wires.add(wire);
    if (place.frozen) wire.freeze();
    wire.on('close', () => place.wires.delete(wire));
    return wire;
  }

  private keep({ connections }: Place, connection: Connection, peer: number | undefined): void {
    connections.add(connection);
    if (peer !== undefined) this.between.set(connection, peer);
    connection.on('close', () => {
      connections.delete(connection);
      this.between.delete(connection);
    });
  }

  /** Has a client's connection lose the replies that are to be lost, and delay the others. */
  private follow(id: number, place: Place, wire: Wire): void {
    const frames = new ReplyFrames();
    place.clients.add(wire);
    wire.on('close', () => place.clients.delete(wire));
    wire.delay = place.replyDelay;
    wire.cutBefore = (bytes) => frames.take(bytes, (reply) => this.lose(id, reply));
  }

  private lose(id: number, reply: ReplyHeader): boolean {
    for (const loss of this.losses) {
      const { server = id, session = reply.session } = loss.choice;
      if (server !== id || session !== reply.session) continue;
      this.losses.delete(loss);
      loss.dropped(reply);
      return true;
    }
    return false;
  }

  private isCut(a: number, b: number): boolean {
    return this.cuts.has(`${Math.min(a, b)}-${Math.max(a, b)}`);
  }

  /** Cuts the connections between two servers, and lets none come about. */
  cut(a: number, b: number): void {
    this.cuts.add(`${Math.min(a, b)}-${Math.max(a, b)}`);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const connection of [...this.place(from).connections])
        if (this.between.get(connection) === to) connection.destroy();
    }
  }

  /** Lets connections between two servers come about again. */
  mend(a: number, b: number): void {
    this.cuts.delete(`${Math.min(a, b)}-${Math.max(a, b)}`);
  }

  /** Takes back every {@link cut}. */
  heal(): void {
    this.cuts.clear();
  }

  /** Ends everything that a server has with the outside, as if its process had been killed. */
  kill(id: number): void {
    const place = this.place(id);
    place.dead = true;
    for (const listener of place.listeners) void listener.close();
    place.listeners.clear();
    for (const connection of [...place.connections]) connection.destroy();
  }

  /** Whether nothing reaches the server, though its connections stay. */
  isFrozen(id: number): boolean {
    return this.place(id).frozen;
  }

  /** From now on no byte comes to the server or leaves it; its connections stay, and new ones are made but not answered. */
  freeze(id: number): void {
    const place = this.place(id);
    place.frozen = true;
    for (const wire of place.wires) wire.freeze();
  }

  /** What {@link freeze} held back goes on. */
  thaw(id: number): void {
    const place = this.place(id);
    place.frozen = false;
    for (const wire of [...place.wires]) wire.thaw();
  }

  /** Has everything that the server sends to clients leave so many milliseconds later; 0 for at once. */
  delayReplies(id: number, ms: number): void {
    const place = this.place(id);
    place.replyDelay = ms;
    for (const wire of place.clients) wire.delay = ms;
  }

  /** Loses the next reply to a request: its connection ends before it is sent. */
  dropNextReply(choice: ReplyChoice): DroppedReply {
    let cancel = (): void => {};
    const dropped = new Promise<ReplyHeader>((resolve) => {
      const loss = { choice, dropped: resolve };
      this.losses.add(loss);
      cancel = () => this.losses.delete(loss);
    });
    return { dropped, cancel };
  }
}
