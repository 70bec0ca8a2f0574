// `nodekeeper testing-server`: a server or an ensemble for a test in any language, gone with the test.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { TestEnsemble } from '@nodekeeper/testing';
import { UsageError } from './arguments.js';
import { nextFreePort, takenMessage } from './port-taken.js';
import { onToldToEnd } from './signals.js';
import { VerbError } from './start-stop.js';
import { TestingControl } from './testing-control.js';

export interface TestingServerOptions {
  readonly servers: number;
  readonly observers: number;
  /** The client port of a single server; a free one if not given. */
  readonly port: number | undefined;
  /** Where commands are taken over HTTP, 0 for a free one; nowhere if not given. */
  readonly controlPort: number | undefined;
  /** `key=value`, as in zoo.cfg. */
  readonly settings: readonly string[];
}

/**
 * Prints the connection string as JSON, and then the answers to the commands that come in lines. Runs until standard input ends or the
 * process is told to end.
 */
export async function runTestingServer(options: TestingServerOptions): Promise<void> {
  // Before anybody can know of the servers: who is told to end while they start ends when they can be closed.
  const signalled = new Promise<void>((resolve) => onToldToEnd(() => resolve()));
  const servers = await startServers(options).catch((error: unknown) => {
    if (isTaken(error) && options.port !== undefined) throw portTaken('--port', options.port);
    // Settings that are not known, or not to be given.
    if (error instanceof TypeError) throw new UsageError(error.message.replace(/^settings: /, '--set: '));
    throw error;
  });
  const control = new TestingControl(servers);
  let http: Awaited<ReturnType<typeof listen>> | undefined;
  try {
    http = options.controlPort === undefined ? undefined : await listen(control, options.controlPort);
  } catch (error) {
    await servers.close();
    throw isTaken(error) ? portTaken('--control-port', options.controlPort ?? 0) : error;
  }
  console.log(
    JSON.stringify({ connectString: servers.connectString, ...(http === undefined ? {} : { control: http.url }) }),
  );
  const inputEnded = new Promise<void>((resolve) => {
    process.stdin.on('error', () => resolve());
    createInterface({ input: process.stdin })
      .on('line', async (line) => {
        if (line.trim() !== '') console.log(JSON.stringify(await control.runLine(line)));
      })
      .on('close', () => resolve());
  });
  await Promise.race([signalled, inputEnded]);
  http?.close();
  await servers.close();
  process.exit(0);
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}

function portTaken(option: string, port: number): VerbError {
  const ways = [
    `use another port: ${option} ${nextFreePort(port)}`,
    option === '--port'
      ? 'leave --port out: a free one is taken, and told'
      : '--control-port 0 takes a free one, and tells it',
  ];
  return new VerbError('', takenMessage(port, option, '127.0.0.1', ways));
}

function startServers({ servers, observers, port, settings: lines }: TestingServerOptions): Promise<TestEnsemble> {
  const settings = Object.fromEntries(lines.map(settingOf));
  const alone = servers === 1 && observers === 0;
  if (!alone && port !== undefined) throw new UsageError('--port is for a single server');
  if (!alone) return TestEnsemble.start(servers, { observers, settings });
  return TestEnsemble.alone(port === undefined ? { settings } : { settings, port });
}

function settingOf(line: string): [string, string] {
  const end = line.indexOf('=');
  if (end < 1) throw new UsageError(`--set ${line}: key=value is expected`);
  return [line.slice(0, end), line.slice(end + 1)];
}

/** Takes commands as `POST /kill?server=2`, on loopback. */
async function listen(control: TestingControl, port: number): Promise<{ url: string; close(): void }> {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A page in a browser on this machine has no business here.
    const allowed = request.method === 'POST' && request.headers.origin === undefined;
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const answer = allowed
      ? await control.run(pathname.slice(1), new Map(searchParams))
      : { ok: false, error: 'commands are posted, and not by web pages' };
    response.writeHead(answer.ok === true ? 200 : 400, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(answer)}\n`);
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
