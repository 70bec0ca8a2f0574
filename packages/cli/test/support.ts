// What tests of the command share: folders, ports, servers in this process, and the command as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig, type RunningServer, startServer } from '@nodekeeper/server';

export const MAIN: string = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Has something done when the test ends, what was asked for last first: a server stops before its folder goes. */
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

/** A folder that goes with the test. */
export function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'nodekeeper-cli-'));
  atEnd(t, () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a server in this process, which the caller closes. */
export function start(dataDir: string, ...more: string[]): Promise<RunningServer> {
  const flags = [
    `dataDir=${dataDir}`,
    'clientPort=0',
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
    'preAllocSize=64',
    ...more,
  ];
  return startServer(loadConfig({ flags }));
}

/** A server in this process that goes with the test; resolves with its address. */
export async function serve(t: TestContext): Promise<string> {
  const server = await start(temporary(t));
  atEnd(t, () => server.close());
  return `127.0.0.1:${server.clientPort}`;
}

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `nodekeeper` as a process, with lines typed into it. */
export function runMain(args: readonly string[], input = ''): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}
