// Whose connection is whose: ports alone do not tell, as systems give the same one for connections to different places.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { Connection, Listener, Network } from '@nodekeeper/server';
import { Switchboard } from '../../dist/embedded/switchboard.js';

class End extends EventEmitter {
  readonly localPort: number;
  readonly remotePort: number;
  readonly writableLength = 0;
  destroyed = false;

  constructor(localPort: number, remotePort: number) {
    super();
    this.localPort = localPort;
    this.remotePort = remotePort;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

/** A network that gives out the port it is told to. */
class Ports implements Network {
  private readonly listeners = new Map<number, (connection: Connection) => void>();
  next = 0;

  async listen({ port }: { port: number }, onConnection: (connection: Connection) => void): Promise<Listener> {
    this.listeners.set(port, onConnection);
    return { port, close: async () => {} };
  }

  connect(_host: string, port: number): Connection {
    const near = new End(this.next, port);
    const far = new End(port, this.next);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    queueMicrotask(() => {
      // As it may come about: the one end is there before the other knows.
      this.listeners.get(port)?.(far as unknown as Connection);
      near.emit('connect');
    });
    return near as unknown as Connection;
  }
}

test('a cut between two servers leaves those of a third alone, whatever ports they have', async () => {
  const ports = new Ports();
  const switchboard = new Switchboard(ports);
  const [one, two, three] = [1, 2, 3].map((id) => switchboard.of(id, { client: 2180 + id, tls: [] }));
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  for (const port of [2882, 3882]) await two.listen({ port }, () => {});
  switchboard.cut(2, 3);
  ports.next = 40_000;
  const refused = three.connect('127.0.0.1', 3882);
  const kept = one.connect('127.0.0.1', 2882);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(refused.destroyed, true);
  assert.equal(kept.destroyed, false);
  // A port whose connection has ended is anybody's.
  const later = one.connect('127.0.0.1', 3882);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(later.destroyed, false);
});
