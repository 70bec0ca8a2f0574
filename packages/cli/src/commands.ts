// The verbs of zkServer.sh: start, stop, restart, status, print-cmd, version; with its outputs and exit codes.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { clientPlace, loadConfig, type ServerConfig } from '@nodekeeper/server/config';
import { Command } from 'commander';
import { parseServerArguments, type ServerArguments, sourcesOf, UsageError } from './arguments.js';
import { runEnsemble } from './ensemble.js';
import { memberStatuses, printMembers } from './member-status.js';
import { findPortOwner } from './port-owner.js';
import { portTakenMessage } from './port-taken.js';
import { accepts, answersHandshake, fourLetterWord } from './server-status.js';
import { versionLine } from './version-line.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
const NOT_SERVING = 'The server runs, but does not serve: it looks for a leader.';
const TLS_NOTE =
  'To ask for its mode over TLS: CLIENT_JVMFLAGS="-Dzookeeper.ssl.trustStore.location=… -Dzookeeper.ssl.keyStore.location=…"';
const NOT_RUNNING = 'Error contacting service. It is probably not running.';

/** For an option that may come several times. */
const collect = (value: string, all: string[]): string[] => [...all, value];

export async function runCommand(argv: readonly string[]): Promise<void> {
  const program = new Command('nodekeeper')
    .description('A coordination service that speaks ZooKeeper’s protocols')
    .configureHelp({ sortSubcommands: false })
    .exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 1));
  const verb = (
    name: string,
    description: string,
    action: (args: ServerArguments, raw: readonly string[]) => Promise<void>,
  ): void => {
    program
      .command(name)
      .description(description)
      .argument(
        '[options...]',
        '[--config DIR] [ZOO_CFG] [--client-port N] [--data-dir DIR] [--set KEY=VALUE] [-DPROPERTY=VALUE] [--json] [--timeout SECONDS]',
      )
      .allowUnknownOption()
      .action(async (raw: string[]) => action(parseServerArguments(raw), raw));
  };
  verb('start-foreground', 'run a server until it is stopped', async () => {});
  verb('start', 'start a server in the background and wait until it answers', start);
  verb('stop', 'stop the server', (args) => stop(args));
  verb('restart', 'stop and start', async (args, raw) => {
    await stop(args);
    await start(args, raw);
  });
  verb('status', 'tell whether the server runs, and its mode', status);
  verb('print-cmd', 'print the command that start runs', async (args, raw) => {
    console.log(commandLine(raw, logFile(config(args))));
  });
  verb('version', 'print the version', async (args) => {
    console.log(args.json ? JSON.stringify({ version: versionLine() }) : versionLine());
  });
  program
    .command('shell')
    .description('read and change nodes: zkCli’s commands, at a terminal, from a pipe, or one')
    .helpOption(false);
  program
    .command('doctor')
    .description('find out why a client cannot connect, or a quorum does not form')
    .helpOption(false);
  program
    .command('tools')
    .description('look into logs and snapshots; copy, compare, export and import nodes')
    .helpOption(false);
  program
    .command('testing-server')
    .description('run a server or an ensemble for a test, gone when standard input ends')
    .option('--servers <n>', 'servers that vote', '1')
    .option('--observers <n>', 'servers that do not', '0')
    .option('--port <n>', 'the client port of a single server')
    .option('--control-port <n>', 'take commands over HTTP too, 0 for a free port')
    .option('--set <key=value>', 'a setting for every server', collect, [] as string[])
    .action(
      async (o: Record<'servers' | 'observers', string> & { port?: string; controlPort?: string; set: string[] }) => {
        const { runTestingServer } = await import('./testing-server.js');
        await runTestingServer({
          servers: Number(o.servers),
          observers: Number(o.observers),
          port: o.port === undefined ? undefined : Number(o.port),
          controlPort: o.controlPort === undefined ? undefined : Number(o.controlPort),
          settings: o.set,
        });
      },
    );
  program
    .command('ensemble')
    .description('run an ensemble on this machine, each server a process of its own')
    .option('--servers <n>', 'servers that vote', '3')
    .option('--observers <n>', 'servers that do not', '0')
    .option('--dir <path>', 'where their files are, or are made', './nodekeeper-ensemble')
    .option('--client-port <n>', 'the first client port; the others follow it', '2181')
    .option('--set <key=value>', 'a setting for every server', collect, [] as string[])
    .option('--detach', 'leave it running in the background')
    .option('--stop', 'stop the ensemble in --dir')
    .option('--json', 'tell the roles as JSON')
    .action((o: Record<'servers' | 'observers' | 'dir' | 'clientPort', string> & { set: string[] } & Flags) =>
      runEnsemble(
        {
          servers: Number(o.servers),
          observers: Number(o.observers),
          dir: o.dir,
          clientPort: Number(o.clientPort),
          detach: o.detach ?? false,
          stop: o.stop ?? false,
          json: o.json ?? false,
          settings: o.set,
        },
        {
          start: (file) => start(parseServerArguments([file]), [file], o.json),
          stop: (file) => stop(parseServerArguments([file]), o.json),
        },
      ),
    );
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (e) {
    if (!(e instanceof Error) || !(e instanceof UsageError || e.name === 'ConfigError' || e.name === 'TlsError'))
      throw e;
    process.stderr.write(`${e.message}\n`);
    process.exit(2);
  }
}

interface Flags {
  readonly detach?: boolean;
  readonly stop?: boolean;
  readonly json?: boolean;
}

function config(args: ServerArguments): ServerConfig {
  process.stderr.write(`Using config: ${args.file ?? 'embedded defaults'}\n`);
  return loadConfig(sourcesOf(args));
}

function pidFile(c: ServerConfig): string {
  return process.env.ZOOPIDFILE ?? join(c.dataDir, 'zookeeper_server.pid');
}

function logFile(c: ServerConfig): string {
  const dir = process.env.ZOO_LOG_DIR ?? join(c.dataDir, 'logs');
  return join(dir, `nodekeeper-${userInfo().username}-server-${hostname()}.out`);
}

function commandLine(raw: readonly string[], log: string): string {
  return `"${process.execPath}" "${MAIN}" start-foreground ${raw.map((a) => `"${a}"`).join(' ')} > "${log}" 2>&1 < /dev/null`;
}

/** Whether the server serves; one of an ensemble, which may lack the others, and one with TLS are only seen to accept connections. */
function answers(c: ServerConfig): Promise<boolean> {
  const { host, port } = clientPlace(c);
  if (port !== undefined) return c.ensemble === undefined ? answersHandshake(host, port) : accepts(host, port);
  return accepts(c.secureClientPortAddress ?? 'localhost', c.secureClientPort ?? 0);
}

/** The pid in the file, if such a process runs and is a Nodekeeper server. */
function runningPid(file: string): number | undefined {
  let pid: number;
  try {
    pid = Number(readFileSync(file, 'utf8').trim());
  } catch {
    return undefined;
  }
  if (!Number.isInteger(pid) || pid <= 0 || !alive(pid)) return undefined;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start-foreground') ? pid : undefined;
  } catch {
    return pid; // no /proc here: the file is believed
  }
}

/** Whether the process runs. One that has ended may stay in the table until its parent looks, in some containers for ever. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return true; // no /proc here, or not ours to read
  }
}

async function start(args: ServerArguments, raw: readonly string[], quiet = false): Promise<void> {
  const c = config(args);
  const file = pidFile(c);
  if (!quiet) process.stdout.write('Starting zookeeper ... ');
  const running = runningPid(file);
  if (running !== undefined) {
    console.log(`already running as process ${running}.`);
    process.exit(1);
  }
  for (const port of [clientPlace(c).port, c.secureClientPort]) {
    if (port === undefined || port === 0 || findPortOwner(port) === undefined) continue;
    failedToStart(portTakenMessage(port, c));
  }
  for (const warning of c.warnings) process.stderr.write(`${warning}\n`);
  const log = logFile(c);
  let out: number;
  try {
    mkdirSync(dirname(log), { recursive: true });
    out = openSync(log, 'a');
  } catch (e) {
    const dir = process.env.ZOO_LOG_DIR === undefined ? 'dataDir (or ZOO_LOG_DIR, for the logs alone)' : 'ZOO_LOG_DIR';
    failedToStart(
      `${log} cannot be written: ${(e as Error).message}. Correct ${dir}, or give the right to write there`,
    );
  }
  const before = statSync(log).size;
  const child = spawn(process.execPath, [MAIN, 'start-foreground', ...raw.filter((a) => a !== '--json')], {
    detached: true,
    stdio: ['ignore', out, out],
  });
  closeSync(out);
  let exit: number | null | undefined;
  child.on('exit', (code) => {
    exit = code;
  });
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, String(child.pid));
  } catch {
    child.kill();
    console.log('FAILED TO WRITE PID');
    process.exit(1);
  }
  const until = Date.now() + args.timeoutMs;
  while (exit === undefined && Date.now() < until) {
    if (await answers(c)) {
      child.unref();
      if (!quiet) console.log('STARTED');
      return;
    }
    await delay(POLL_MS);
  }
  const said = readFileSync(log).subarray(before).toString().trim().split('\n').slice(-10).join('\n');
  if (exit !== undefined) rmSync(file, { force: true });
  failedToStart(
    exit === undefined
      ? `The server runs as process ${child.pid} but does not answer on port ${clientPlace(c).port ?? c.secureClientPort} after ${args.timeoutMs / 1000} s. See ${resolve(log)}`
      : `The server ended with code ${exit}:\n${said}`,
  );
}

function failedToStart(reason: string): never {
  console.log('FAILED TO START');
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

async function stop(args: ServerArguments, quiet = false): Promise<void> {
  const c = config(args);
  const file = pidFile(c);
  if (!quiet) process.stdout.write('Stopping zookeeper ... ');
  const pid = runningPid(file);
  if (pid === undefined) {
    if (!quiet) console.log(`no zookeeper to stop (could not find file ${file})`);
    rmSync(file, { force: true });
    return;
  }
  process.kill(pid, 'SIGTERM');
  const until = Date.now() + STOP_TIMEOUT_MS;
  while (alive(pid) && Date.now() < until) await delay(POLL_MS);
  if (alive(pid)) {
    console.log('STILL RUNNING');
    process.stderr.write(
      `Process ${pid} did not end within ${STOP_TIMEOUT_MS / 1000} s; kill -9 ${pid} ends it at once\n`,
    );
    process.exit(1);
  }
  rmSync(file, { force: true });
  if (!quiet) console.log('STOPPED');
}

/** TLS as zkServer.sh has its client told; undefined if it is not. */
async function clientTls(): Promise<ConnectionOptions | undefined> {
  const properties = (process.env.CLIENT_JVMFLAGS ?? '').split(/\s+/).filter((word) => word.startsWith('-D'));
  if (!properties.some((word) => word.startsWith('-Dzookeeper.ssl.'))) return undefined;
  const { readClientConfiguration } = await import('./shell/client-configuration.js');
  const lines = [...properties.map((word) => word.slice(2)), 'zookeeper.client.secure=true'];
  return readClientConfiguration(lines.join('\n'));
}

async function status(args: ServerArguments): Promise<void> {
  const c = config(args);
  const place = clientPlace(c);
  const secure = place.port === undefined;
  const host = secure ? (c.secureClientPortAddress ?? 'localhost') : place.host;
  const port = place.port ?? c.secureClientPort ?? 0;
  const tls = secure ? await clientTls() : undefined;
  const text = secure && tls === undefined ? undefined : await fourLetterWord(host, port, 'srvr', undefined, tls);
  const mode = /^Mode: .*$/m.exec(text ?? '')?.[0];
  const running = secure && tls === undefined ? await accepts(host, port) : mode !== undefined;
  const members = c.ensemble === undefined ? undefined : await memberStatuses(c);
  if (args.json) {
    console.log(
      JSON.stringify({
        clientPort: port,
        clientAddress: host,
        running,
        mode: mode?.slice(6) ?? null,
        ...(members === undefined ? {} : { members }),
      }),
    );
  } else {
    console.log(`Client port found: ${port}. Client address: ${host}. Client SSL: ${secure}.`);
    const absent = text === undefined ? NOT_RUNNING : NOT_SERVING;
    console.log(mode ?? (running ? 'The server accepts connections.' : absent));
    if (secure && tls === undefined) process.stderr.write(`${TLS_NOTE}\n`);
    if (members !== undefined) {
      console.log('');
      printMembers(members);
    }
  }
  if (!running) process.exit(1);
}
