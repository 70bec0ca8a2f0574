// What the tests of the client share: a server in this process, and clients that end with the test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig, type RunningServer, startServer } from '@nodekeeper/server';
import { Client, type ClientOptions, connect } from '../dist/index.js';

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
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-client-'));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export type Settings = Record<string, string | number | boolean>;
export type TestServer = Pick<RunningServer, 'clientPort' | 'close'>;

/** Other servers than this project's: a module with a function `start` is named by this variable. The interop tests use it. */
const OTHER_SERVERS = process.env.NODEKEEPER_TEST_SERVERS;

async function startOther(module: string, settings: Settings): Promise<TestServer> {
  const { start } = (await import(module)) as { start(settings: Settings): Promise<TestServer> };
  return start(settings);
}

/** A server on the loopback, on a port of its own unless one is given; it is closed with the test. */
export async function serve(t: TestContext, settings: Settings = {}): Promise<TestServer> {
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
  const server =
    OTHER_SERVERS === undefined
      ? await startServer(loadConfig({ flags: Object.entries(all).map(([key, value]) => `${key}=${value}`) }))
      : await startOther(OTHER_SERVERS, all);
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
