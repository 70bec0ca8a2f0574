// What the tests of the recipes share: a server in this process, and clients that end with the test.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Client, type ClientOptions, connect, isKeeperError, nextEvent } from '@nodekeeper/client';
import { loadConfig, type RunningServer, startServer } from '@nodekeeper/server';

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Has something done when the test ends, what was asked for last first. */
export function atEnd(t: TestContext, action: () => unknown): void {
  const known = cleanups.get(t);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  cleanups.set(t, actions);
  t.after(async () => {
    for (const next of actions.reverse()) await next();
  });
}

export function dataDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-recipes-'));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A server on the loopback, on a port of its own unless one is given; it is closed with the test. */
export async function serve(
  t: TestContext,
  settings: Record<string, string | number | boolean> = {},
): Promise<RunningServer> {
  const all = {
    clientPort: 0,
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': false,
    extendedTypesEnabled: true,
    '4lw.commands.whitelist': '*',
    tickTime: 500,
    preAllocSize: 64,
    dataDir: settings.dataDir ?? dataDir(t),
    ...settings,
  };
  const server = await startServer(loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) }));
  atEnd(t, () => server.close());
  return server;
}

/** A connected client; it is closed with the test. */
export async function open(t: TestContext, target: number | string, options: ClientOptions = {}): Promise<Client> {
  const client = await connect(typeof target === 'number' ? `127.0.0.1:${target}` : target, options);
  atEnd(t, () => client.close({ timeout: 500 }));
  return client;
}

/** A client that is only started. */
export function begin(t: TestContext, target: number | string, options: ClientOptions = {}): Client {
  const client = new Client(typeof target === 'number' ? `127.0.0.1:${target}` : target, options).start();
  atEnd(t, () => client.close({ timeout: 500 }));
  return client;
}

/** Resolves when the condition holds; it is looked at every other millisecond. */
export async function until(condition: () => boolean | Promise<boolean>, what = 'the condition'): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`${what} does not come true`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Resolves when the node has exactly so many children; a node that is not there has none. */
export async function childCount(client: Client, path: string, count: number): Promise<void> {
  for (;;) {
    const next = nextEvent();
    try {
      const { children } = await client.getChildren(path, { watcher: next.watcher });
      if (children.length === count) {
        await client.removeWatches(path, { type: 'children', watcher: next.watcher }).catch(() => {});
        return;
      }
      await next.event;
    } catch (error) {
      if (!isKeeperError(error, 'NoNode')) throw error;
      if (count === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

/** What the server keeps: the nodes below `/` except its own, and how many watches it has. */
export async function leftovers(client: Client, server: RunningServer): Promise<{ nodes: string[]; watches: number }> {
  const nodes: string[] = [];
  const walk = async (path: string): Promise<void> => {
    const { children } = await client.getChildren(path).catch((error) => {
      if (!isKeeperError(error, 'NoNode')) throw error; // gone meanwhile
      return { children: [] as string[] };
    });
    for (const name of children.sort()) {
      const child = path === '/' ? `/${name}` : `${path}/${name}`;
      if (child === '/zookeeper') continue;
      nodes.push(child);
      await walk(child);
    }
  };
  await walk('/');
  // `wchs` counts those of data only.
  const report = await fourLetterWord(server, 'mntr');
  return { nodes, watches: Number(/zk_watch_count\t(\d+)/.exec(report)?.[1]) };
}

/** The answer to a four-letter word. */
export async function fourLetterWord(server: RunningServer, word: string): Promise<string> {
  const socket = connectTo({ port: server.clientPort, host: '127.0.0.1' });
  socket.write(word);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/**
 * Ends a session at once, as if its time had run out: another connection takes the session over and closes it. Resolves when
 * the server has done so; the client learns it when it connects again.
 */
export async function expire(server: RunningServer, client: Client): Promise<void> {
  const socket = connectTo({ port: server.clientPort, host: '127.0.0.1' });
  const connect = Buffer.alloc(4 + 45);
  connect.writeInt32BE(45, 0);
  connect.writeInt32BE(10_000, 16); // after protocol version and last zxid, both 0
  connect.writeBigInt64BE(client.sessionId, 20);
  connect.writeInt32BE(16, 28);
  client.sessionPassword.copy(connect, 32);
  const closeSession = Buffer.alloc(12);
  closeSession.writeInt32BE(8, 0);
  closeSession.writeInt32BE(1, 4);
  closeSession.writeInt32BE(-11, 8);
  socket.write(Buffer.concat([connect, closeSession]));
  for await (const _ of socket); // the server ends it
}

/** A promise that is settled from outside. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

export function deferred(): Deferred {
  let resolve: () => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
