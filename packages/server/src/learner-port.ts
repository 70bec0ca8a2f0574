// A port at which learners connect: of a leader, or of a follower that serves observers.

import type { EnsembleServer } from './ensemble-server.js';
import { type Connection, type Listener, type ListenPlace, listenAt } from './net/network.js';

const REBIND_MS = 100;

export class LearnerPort {
  private readonly server: EnsembleServer;
  /** As it is called in messages. */
  private readonly name: string;
  private readonly onLearner: (wire: Connection, first?: Buffer) => void;
  private readonly listeners: Listener[] = [];
  /** Connections of which it is not known yet whose they are. */
  private readonly proving = new Set<Connection>();
  private closed = false;
  /** Why it does not listen; undefined while it does. */
  problem: string | undefined;

  /** @param onLearner takes a connection that has proved whose it is, and what came on it since; runs as a turn */
  constructor(server: EnsembleServer, name: string, onLearner: (wire: Connection, first?: Buffer) => void) {
    this.server = server;
    this.name = name;
    this.onLearner = onLearner;
  }

  /** Listens at own addresses from now on; as long as one is taken it tries again. */
  open(own: readonly { readonly host: string; readonly port: number }[]): void {
    for (const place of listenAt(own, this.server.ensemble.listenOnAllIPs)) void this.openOne(place);
  }

  private async openOne({ host, port }: ListenPlace): Promise<void> {
    const { server, name } = this;
    const { keepAlive } = server.ensemble;
    let told = false;
    while (!this.closed) {
      try {
        const listener = await server.quorumNetwork.listen(
          { port, host, keepAlive },
          (wire) => this.accept(wire),
          (error) => this.warn(`${name}: ${error.message}`),
        );
        if (this.closed) await listener.close();
        else this.listeners.push(listener);
        this.problem = undefined;
        return;
      } catch (e) {
        const error = e as Error & { code?: string };
        const why = error.code === 'EADDRINUSE' ? 'another process has it' : error.message;
        this.problem = `the ${name} ${host ?? '*'}:${port} cannot be opened: ${why}`;
        if (!told) this.warn(this.problem);
        told = true;
        await new Promise<void>((resolve) => server.runtime.after(REBIND_MS, resolve));
      }
    }
  }

  private accept(wire: Connection): void {
    const { server } = this;
    const { quorumAuth: auth } = server;
    if (auth === undefined) {
      server.guard(() => this.onLearner(wire));
      return;
    }
    this.proving.add(wire);
    const timer = server.runtime.after(server.config.tickTime * server.ensemble.initLimit, () => wire.destroy());
    auth.demand(wire, Buffer.alloc(0), (problem, rest) => {
      timer.cancel();
      this.proving.delete(wire);
      if (problem === undefined && !this.closed) {
        server.guard(() => this.onLearner(wire, rest));
        return;
      }
      if (!this.closed) this.warn(`a connection from ${wire.remoteAddress} at the ${this.name} is refused: ${problem}`);
      wire.destroy();
    });
  }

  private warn(message: string): void {
    this.server.portLogger.warn({}, message);
  }

  close(): void {
    this.closed = true;
    for (const listener of this.listeners) void listener.close();
    for (const wire of this.proving) wire.destroy();
  }
}
