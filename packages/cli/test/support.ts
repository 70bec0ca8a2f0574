// What tests of the command share: folders, ports, servers in this process, and the command as a process.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig, type RunningServer, startServer } from '@nodekeeper/server';
import { findPortOwner } from '../dist/port-owner.js';

export const MAIN: string = fileURLToPath(new URL('../bin/nodekeeper.js', import.meta.url));

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

// Below the ports that systems give to outgoing connections, which would take one between two uses of it.
const LOWEST_PORT = 10_000;
const PORTS = 20_000;
let nextPort = (process.pid * 97 + PORTS / 2) % PORTS; // far from what `freeRange` gives

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + (nextPort++ % PORTS);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
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
export function runMain(args: readonly string[], input = '', node: readonly string[] = []): Promise<Run> {
  const child = spawn(process.execPath, [...node, MAIN, ...args], { stdio: 'pipe' });
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

/** A zoo.cfg in a folder of its own, with a free port. */
export async function zooCfg(
  t: TestContext,
  lines: readonly string[] = [],
): Promise<{ file: string; port: number; dataDir: string }> {
  const dir = temporary(t);
  const port = await freePort();
  const file = join(dir, 'zoo.cfg');
  const dataDir = join(dir, 'data');
  writeFileSync(
    file,
    [
      `dataDir=${dataDir}`,
      `clientPort=${port}`,
      'clientPortAddress=127.0.0.1',
      'admin.enableServer=false',
      'preAllocSize=64',
      ...lines,
      '',
    ].join('\n'),
  );
  return { file, port, dataDir };
}

/** `nodekeeper` run to its end; nothing else happens in this process meanwhile. */
export function run(...args: string[]): { code: number | null; out: string; err: string } {
  return runWith({}, ...args);
}

/** The same, with more in the environment. */
export function runWith(more: NodeJS.ProcessEnv, ...args: string[]): { code: number | null; out: string; err: string } {
  const env = { ...process.env, ...more };
  const result = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 60_000, env });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

/**
 * The first of three client ports of which the quorum and election ports are free too, as far as a moment ago tells.
 */
export function freeRange(): number {
  for (let first = LOWEST_PORT + ((process.pid * 97) % PORTS); ; first += 3) {
    const ports = [0, 1, 2].flatMap((i) => [first + i, first + 701 + i, first + 1701 + i]);
    if (ports.every((port) => findPortOwner(port) === undefined)) return first;
  }
}
