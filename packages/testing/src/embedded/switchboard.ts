// The network of embedded servers: the real one on loopback, in which connections between servers can be cut, and a server's can be
// torn all at once.

import type { Connection, Listener, Network } from '@nodekeeper/server';

/** Opens real connections; `nodeNetwork` of the server. */
export class Switchboard {
  private readonly real: Network;
  /** The server that listens at a port, and the server whose outgoing connection has a port. */
  private readonly listening = new Map<number, number>();
  private readonly outgoing = new Map<number, number>();
  private readonly connections = new Map<number, Set<Connection>>();
  private readonly between = new Map<Connection, number>();
  private readonly listeners = new Map<number, Set<Listener>>();
  private readonly cuts = new Set<string>();
  private readonly dead = new Set<number>();

  constructor(real: Network) {
    this.real = real;
  }

  /** The network as server `id` sees it, from now on alive. */
  of(id: number): Network {
    this.dead.delete(id);
    return {
      listen: async (options, onConnection, onError) => {
        const listener = await this.real.listen(
          options,
          (connection) => {
            const from = this.outgoing.get(connection.remotePort ?? 0);
            if (this.dead.has(id) || (from !== undefined && this.isCut(from, id))) {
              connection.destroy();
              return;
            }
            this.keep(id, connection, from);
            onConnection(connection);
          },
          onError,
        );
        this.listening.set(listener.port, id);
        const set = this.listeners.get(id) ?? new Set();
        this.listeners.set(id, set.add(listener));
        return listener;
      },
      connect: (host, port, options) => {
        const connection = this.real.connect(host, port, options);
        const to = this.listening.get(port);
        this.keep(id, connection, to);
        connection.on('connect', () => {
          if (connection.localPort !== undefined) this.outgoing.set(connection.localPort, id);
          if (to !== undefined && this.isCut(id, to)) connection.destroy();
        });
        return connection;
      },
    };
  }

  private keep(id: number, connection: Connection, peer: number | undefined): void {
    const set = this.connections.get(id) ?? new Set();
    this.connections.set(id, set.add(connection));
    if (peer !== undefined) this.between.set(connection, peer);
    connection.on('close', () => {
      set.delete(connection);
      this.between.delete(connection);
    });
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
      for (const connection of [...(this.connections.get(from) ?? [])])
        if (this.between.get(connection) === to) connection.destroy();
    }
  }

  heal(): void {
    this.cuts.clear();
  }

  /** Ends everything that a server has with the outside, as if its process had been killed. */
  kill(id: number): void {
    this.dead.add(id);
    for (const listener of this.listeners.get(id) ?? []) void listener.close();
    this.listeners.delete(id);
    for (const connection of [...(this.connections.get(id) ?? [])]) connection.destroy();
  }
}
