// Starts Apache's server and ours for tests: on loopback, with fresh data, ready when a handshake is answered.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Kind = 'apache' | 'nodekeeper';

export interface StartOptions {
  /** Kept after the stop; a temporary one, removed at the stop, if not given. */
  readonly dir?: string;
  readonly port?: number;
  /** Lines of zoo.cfg beyond the usual ones. */
  readonly cfg?: Readonly<Record<string, string>>;
  /** Java system properties; ours takes them as -D flags. */
  readonly props?: Readonly<Record<string, string>>;
}

export interface RunningServer {
  readonly kind: Kind;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  readonly dataDir: string;
  output(): string;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  readonly exited: Promise<number | null>;
}

const JARS = '/usr/share/java';
const WANTED =
  /^(zookeeper|zookeeper-jute|slf4j-api|slf4j-simple|netty-.*|snappy-java|metrics-core|jackson-.*|commons-cli|audience-annotations|jline.*)\.jar$/;
const READY_MS = 20_000;
const CLI = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url));

/** The class path of Debian's ZooKeeper. */
export function apacheClassPath(): string {
  if (!existsSync(join(JARS, 'zookeeper.jar')))
    throw new Error("Debian's package 'zookeeper' is not installed: apt-get install zookeeper");
  return readdirSync(JARS)
    .filter((name) => WANTED.test(name))
    .map((name) => join(JARS, name))
    .join(':');
}

export async function startServer(kind: Kind, options: StartOptions = {}): Promise<RunningServer> {
  const temporary = options.dir === undefined;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `${kind}-`));
  const dataDir = join(dir, 'data');
  mkdirSync(dataDir, { recursive: true });
  const port = options.port ?? (await freePort());
  const cfg: Record<string, string> = {
    tickTime: '2000',
    dataDir,
    clientPort: String(port),
    clientPortAddress: '127.0.0.1',
    'admin.enableServer': 'false',
    maxClientCnxns: '0',
    ...options.cfg,
  };
  const file = join(dir, 'zoo.cfg');
  writeFileSync(
    file,
    Object.entries(cfg)
      .map(([k, v]) => `${k}=${v}\n`)
      .join(''),
  );
  const props = Object.entries(options.props ?? {}).map(([k, v]) => `-D${k}=${v}`);
  const child =
    kind === 'apache'
      ? spawn('java', [
          '-Xmx2g',
          '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
          ...props,
          '-cp',
          apacheClassPath(),
          'org.apache.zookeeper.server.quorum.QuorumPeerMain',
          file,
        ])
      : spawn(process.execPath, [CLI, 'start-foreground', file, ...props]);
  return watch(kind, child, port, dir, dataDir, temporary);
}

async function watch(
  kind: Kind,
  child: ChildProcess,
  port: number,
  dir: string,
  dataDir: string,
  temporary: boolean,
): Promise<RunningServer> {
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-100_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    if (temporary) rmSync(dir, { recursive: true, force: true });
  };
  const until = Date.now() + READY_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > until) {
      await stop('SIGKILL');
      throw new Error(`${kind} did not start:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { kind, port, pid: child.pid as number, dir, dataDir, output: () => output, stop, exited };
}

/** Whether a handshake on the port is answered. */
function answers(port: number): Promise<boolean> {
  const request = Buffer.alloc(49);
  request.writeInt32BE(45, 0);
  request.writeInt32BE(4000, 16);
  request.writeInt32BE(16, 28);
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    // Apache's server can accept a connection in the moment it starts and never read it.
    socket.setTimeout(1000, () => socket.destroy());
    const done = (result: boolean): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => socket.write(request));
    socket.once('data', () => {
      // The probe's session goes at once: nothing of it may be left in the test's way.
      const close = Buffer.from('000000080000000100000000', 'hex');
      close.writeInt32BE(-11, 8);
      socket.write(close);
      socket.once('data', () => done(true));
      socket.once('close', () => done(true));
    });
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
