// Starts Apache's server and ours for tests: on loopback, with fresh data, ready when a handshake is answered.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST, nextPort } from '../ensemble/ports.js';

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
  /** Always loopback. */
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  readonly dataDir: string;
  /** The end of what the server has printed. */
  output(): string;
  /** Sends the signal (SIGTERM if not given) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves at the end of the process with its exit code, null if a signal ended it. */
  readonly exited: Promise<number | null>;
}

export type ServerHandle = RunningServer;

const DEBIAN_JARS = '/usr/share/java';
/** Another folder of jars, with nothing in it that one Apache server of that version doesn't need; Debian's if not set. */
const OWN_JARS = process.env.NODEKEEPER_APACHE_JARS;
const WANTED =
  /^(zookeeper|zookeeper-jute|slf4j-api|slf4j-simple|netty-.*|snappy-java|metrics-core|jackson-.*|commons-cli|audience-annotations|jline.*|jetty9-(server|servlet|util|util-ajax|http|io|security)|servlet-api)\.jar$/;
const READY_MS = 60_000;
/** A probe that is not answered gets another one beside it after this: Apache's server can accept one and never read it. */
const PROBE_MS = 1000;
/** This repository's command. */
export const NODEKEEPER: string = fileURLToPath(new URL('../../../packages/cli/bin/nodekeeper.js', import.meta.url));

/** The class path of Debian's ZooKeeper, or of the jars in the folder that NODEKEEPER_APACHE_JARS names. */
export function apacheClassPath(): string {
  const jars = OWN_JARS ?? DEBIAN_JARS;
  if (!existsSync(join(jars, 'zookeeper.jar')))
    throw new Error(
      OWN_JARS === undefined
        ? "Debian's package 'zookeeper' is not installed: apt-get install zookeeper"
        : `NODEKEEPER_APACHE_JARS: there is no zookeeper.jar in ${OWN_JARS}`,
    );
  return readdirSync(jars)
    .filter((name) => (OWN_JARS === undefined ? WANTED.test(name) : name.endsWith('.jar')))
    .map((name) => join(jars, name))
    .join(':');
}

/** Starts Debian's Apache ZooKeeper, or that of NODEKEEPER_APACHE_JARS. Throws with the server's output if it doesn't answer in time. */
export function startApache(options: StartOptions = {}): Promise<ServerHandle> {
  return startServer('apache', options);
}

/** Starts this repository's server by its command line, as a user would. */
export function startNodekeeper(options: StartOptions = {}): Promise<ServerHandle> {
  return startServer('nodekeeper', options);
}

/** Starts a server of the given kind; resolves once a handshake is answered. */
export async function startServer(kind: Kind, options: StartOptions = {}): Promise<RunningServer> {
  const temporary = options.dir === undefined;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), `${kind}-`));
  const dataDir = join(dir, 'data');
  mkdirSync(dataDir, { recursive: true });
  const port = options.port ?? (await nextPort());
  const cfg: Record<string, string> = {
    tickTime: '2000',
    dataDir,
    clientPort: String(port),
    clientPortAddress: HOST,
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
      : spawn(process.execPath, [NODEKEEPER, 'start-foreground', file, ...props]);
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
  // A test that fails half-way must not leave its servers behind.
  const reap = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', reap);
  let output = '';
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-100_000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const exited = once(child, 'exit').then(([code]) => {
    process.removeListener('exit', reap);
    return code as number | null;
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    if (temporary) rmSync(dir, { recursive: true, force: true });
  };
  const until = Date.now() + READY_MS;
  const silent = new Set<Socket>();
  while (!(await answers(port, silent))) {
    if (child.exitCode !== null || Date.now() > until) {
      await stop('SIGKILL');
      throw new Error(`${kind} did not start:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const socket of silent) socket.destroy();
  return { kind, host: HOST, port, pid: child.pid as number, dir, dataDir, output: () => output, stop, exited };
}

/**
 * Whether a handshake on the port is answered. One that is not yet joins the silent ones: a session that it gets late would be in
 * the test's way, and is closed too.
 */
function answers(port: number, silent: Set<Socket>): Promise<boolean> {
  const request = Buffer.alloc(49);
  request.writeInt32BE(45, 0);
  request.writeInt32BE(4000, 16);
  request.writeInt32BE(16, 28);
  return new Promise((resolve) => {
    const socket = connect({ port, host: HOST });
    const timer = setTimeout(() => {
      silent.add(socket);
      resolve(false);
    }, PROBE_MS);
    const done = (result: boolean): void => {
      clearTimeout(timer);
      silent.delete(socket);
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
