// Fake timers of a test runner (Vitest's, sinon's): whatever is global stands still from one moment on. Servers, clients and recipes
// go on, and go on when it is real again.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, connect } from '@nodekeeper/client';
import { InterProcessMutex } from '@nodekeeper/recipes';
import { startEnsemble, startServer, type TestEnsemble, type TestServer } from '../../dist/index.js';

const NAMES = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'] as const;
const LIMIT = { timeout: 30_000 };

const real = Object.getOwnPropertyDescriptors(globalThis);

function useFakeTimers(): void {
  const place = (name: string, value: unknown): void => {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  };
  for (const name of NAMES) place(name, () => 0);
  place('performance', { now: () => 0 });
  place('Date', { now: () => 0 });
}

function useRealTimers(): void {
  for (const name of [...NAMES, 'performance', 'Date'] as const) {
    const descriptor = real[name];
    if (descriptor !== undefined) Object.defineProperty(globalThis, name, descriptor);
  }
}

let server: TestServer;
let ensemble: TestEnsemble;
before(async () => {
  server = await startServer({ settings: { tickTime: 200 } });
  ensemble = await startEnsemble(3);
});
afterEach(useRealTimers);
after(async () => {
  await server.close();
  await ensemble.close();
});

/** Uses what needs timers, turns of the event loop and watches. */
async function use(client: Client): Promise<void> {
  const lock = new InterProcessMutex(client, '/lock');
  const hold = await lock.acquire();
  const waiting = lock.acquire({ timeout: 20_000 });
  await client.sync('/');
  assert.equal(await lock.tryAcquire(), undefined);
  await hold.release();
  await (await waiting).release();
  const { path } = await client.create('/n', { mode: 'persistentSequential', protect: true });
  await client.delete(path);
}

for (const which of ['server', 'ensemble'] as const) {
  const target = (): string => (which === 'server' ? server : ensemble).connectString;

  test(
    `a client of ${which === 'server' ? 'a server' : 'an ensemble'} works under fake timers, and its session lives`,
    LIMIT,
    async () => {
      const client = await connect(target(), { sessionTimeout: 800 });
      const states: string[] = [];
      client.on('state', ({ state }) => states.push(state));
      useFakeTimers();
      await use(client);
      const other = await connect(target());
      await use(other);
      await pause(2 * client.sessionTimeout);
      useRealTimers();
      await use(client);
      await pause(2 * client.sessionTimeout);
      assert.deepEqual(states, []);
      useFakeTimers();
      await client.close();
      await other.close();
    },
  );

  test(
    `${which === 'server' ? 'a server' : 'an ensemble'} starts, lets time pass and ends under fake timers`,
    LIMIT,
    async () => {
      useFakeTimers();
      const own = which === 'server' ? await startServer() : await startEnsemble(3);
      const client = await connect(own.connectString);
      await client.create('/n', { mode: 'ephemeral' });
      await own.advance(60_000, { silent: true });
      await client.close();
      await own.close();
    },
  );
}

test('a client that has lost its connection under fake timers comes back', LIMIT, async () => {
  const client = await connect(server.connectString);
  useFakeTimers();
  const suspended = new Promise((resolve) => client.once('suspended', resolve));
  await server.kill();
  await suspended;
  await pause(100);
  const [stat] = await Promise.all([client.exists('/'), server.restart()]);
  assert.notEqual(stat, null);
  await client.close();
});
