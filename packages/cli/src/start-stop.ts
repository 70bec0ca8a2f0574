// start, stop and restart: a server in the background, with the outputs and exit codes of zkServer.sh.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clientPlace, loadConfig, parseProperties, type ServerConfig } from '@nodekeeper/server/config';
import { processUser } from '@nodekeeper/server/process-user';
import { nodeDisk } from '@nodekeeper/server/storage';
import { missingDataDir, type ServerArguments, sourcesOf } from './arguments.js';
import { findPortOwner, listenAddress } from './port-owner.js';
import { portTakenMessage } from './port-taken.js';
import { clientPorts } from './ports.js';
import { isAlive, pidFile, readPidFile, removePidFile } from './server-process.js';
import { accepts, answersHandshake } from './server-status.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const STOP_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
/** Enough to need a block of the disk. */
const PROBE_BYTES = 4096;

/** How is told what happened: as zkServer.sh does, as an object, or not at all. */
export type Telling = 'text' | 'json' | 'nothing';

/** A verb that could not be done: exit code 1. */
export class VerbError extends Error {
  /** What zkServer.sh has on standard output. */
  readonly said: string;
  /** Whether a server runs all the same. */
  readonly runs: boolean;

  constructor(said: string, reason: string, runs = false) {
    super(reason);
    this.said = said;
    this.runs = runs;
  }
}

export function readConfig(args: ServerArguments): ServerConfig {
  tellConfig(args);
  return loadConfig(sourcesOf(args));
}

function tellConfig(args: ServerArguments): void {
  process.stderr.write(`Using config: ${args.file ?? 'embedded defaults'}\n`);
}

export function logFile(c: ServerConfig): string {
  const dir = process.env.ZOO_LOG_DIR ?? join(c.dataDir, 'logs');
  return join(dir, `nodekeeper-${processUser().name}-server-${hostname()}.out`);
}

export function commandLine(raw: readonly string[], log: string): string {
  const words = [process.execPath, MAIN, 'start-foreground', ...raw.filter((a) => a !== '--json')];
  const quoted = (word: string): string => `"${word.replace(/["$`\\]/g, '\\$&')}"`;
  return `${words.map(quoted).join(' ')} > ${quoted(log)} 2>&1 < /dev/null`;
}

/** Whether the server serves; one of an ensemble, which may lack the others, and one with TLS are only seen to accept connections. */
function answers(c: ServerConfig): Promise<boolean> {
  const { host, port } = clientPlace(c);
  if (port !== undefined) return c.ensemble === undefined ? answersHandshake(host, port) : accepts(host, port);
  return accepts(c.secureClientPortAddress ?? 'localhost', c.secureClientPort ?? 0);
}

/** @throws VerbError */
export async function start(args: ServerArguments, raw: readonly string[], telling: Telling = 'text'): Promise<void> {
  const c = readConfig(args);
  const missing = missingDataDir(c);
  if (missing !== undefined) throw new VerbError(missing, '');
  const file = pidFile(c.dataDir);
  if (telling === 'text') process.stdout.write('Starting zookeeper ... ');
  const written = readPidFile(file);
  if (written.state === 'running')
    throw new VerbError(`already running as process ${written.pid}.`, othersProcess(written.pid), true);
  for (const { port, host } of clientPorts(c)) {
    const address = await listenAddress(host);
    if (findPortOwner(port, address) !== undefined) throw failedToStart(portTakenMessage(port, c, address));
  }
  for (const warning of c.warnings) process.stderr.write(`${warning}\n`);
  const log = logFile(c);
  let out: number;
  try {
    nodeDisk.makeDir(dirname(log));
    out = openSync(log, 'a');
  } catch (e) {
    const dir = process.env.ZOO_LOG_DIR === undefined ? 'dataDir (or ZOO_LOG_DIR, for the logs alone)' : 'ZOO_LOG_DIR';
    throw failedToStart(
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
  const meanwhile = readPidFile(file);
  if (meanwhile.state === 'running') {
    child.kill();
    throw new VerbError(`already running as process ${meanwhile.pid}.`, othersProcess(meanwhile.pid), true);
  }
  writeDown(child, file);
  const until = Date.now() + args.timeoutMs;
  while (exit === undefined && Date.now() < until) {
    if ((await answers(c)) && (await listens(child, c))) {
      child.unref();
      if (!names(file, child)) writeDown(child, file); // another start wrote at the same moment
      if (telling === 'text') console.log('STARTED');
      else if (telling === 'json') console.log(JSON.stringify({ started: true, pid: child.pid }));
      return;
    }
    await delay(POLL_MS);
  }
  if (exit === undefined) {
    child.unref();
    throw failedToStart(
      `The server runs as process ${child.pid} but does not answer on port ${clientPlace(c).port ?? c.secureClientPort} after ${args.timeoutMs / 1000} s. See ${resolve(log)}`,
    );
  }
  const said = readFileSync(log).subarray(before).toString().trim().split('\n').slice(-10).join('\n');
  if (names(file, child)) removePidFile(file);
  throw failedToStart(`The server ended with code ${exit}:\n${said === '' ? whySilent(log) : said}`);
}

/** @throws VerbError, and the server is ended then */
function writeDown(child: ChildProcess, file: string): void {
  try {
    nodeDisk.makeDir(dirname(file));
    writeFileSync(file, String(child.pid));
  } catch (e) {
    child.kill();
    removePidFile(file); // on a full disk it is there, and empty
    throw new VerbError('FAILED TO WRITE PID', `${file} cannot be written: ${(e as Error).message}`);
  }
}

function names(file: string, { pid }: ChildProcess): boolean {
  const written = readPidFile(file);
  return 'pid' in written && written.pid === pid;
}

/** Whether it is this process that answers, and not another's that was started at the same moment; true if the system does not tell. */
async function listens({ pid }: ChildProcess, c: ServerConfig): Promise<boolean> {
  for (const { port, host } of clientPorts(c)) {
    const owner = findPortOwner(port, await listenAddress(host));
    if (owner !== undefined && owner.pid !== pid) return false;
  }
  return true;
}

function failedToStart(reason: string): VerbError {
  return new VerbError('FAILED TO START', reason);
}

/** Why a server may have ended without a word in its log. */
function whySilent(log: string): string {
  const probe = `${log}.probe`;
  try {
    writeFileSync(probe, Buffer.alloc(PROBE_BYTES));
    return `it wrote nothing to ${log}`;
  } catch (e) {
    return `it could not write its log, ${log}: ${(e as Error).message}`;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** What to say of a process that this user may not end; empty for others. */
function othersProcess(pid: number): string {
  try {
    process.kill(pid, 0);
    return '';
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'EPERM' ? `process ${pid} belongs to another user` : '';
  }
}

/**
 * The pid file of the server to stop. A configuration that has become wrong while the server runs does not keep it running.
 * @throws ConfigError if not even a data directory is known
 */
function pidFileToStop(args: ServerArguments): string {
  tellConfig(args);
  try {
    return pidFile(loadConfig(sourcesOf(args)).dataDir);
  } catch (e) {
    const dataDir = dataDirAlone(args);
    if (process.env.ZOOPIDFILE === undefined && dataDir === undefined) throw e;
    process.stderr.write(`The configuration cannot be used any more: ${(e as Error).message}\n`);
    return pidFile(dataDir ?? '');
  }
}

/** dataDir as the sources of the configuration say, whatever else they say. */
function dataDirAlone({ file, flags }: ServerArguments): string | undefined {
  const flag = flags.findLast((one) => /^(-Dzookeeper\.)?dataDir=/.test(one));
  if (flag !== undefined) return flag.slice(flag.indexOf('=') + 1);
  const variable = process.env.NODEKEEPER_DATA_DIR ?? process.env.ZOO_DATA_DIR;
  if (variable !== undefined) return variable;
  if (file === undefined) return undefined;
  try {
    return parseProperties(readFileSync(file, 'utf8')).findLast(({ key }) => key === 'dataDir')?.value;
  } catch {
    return undefined;
  }
}

/** @throws VerbError */
export async function stop(args: ServerArguments, telling: Telling = 'text'): Promise<void> {
  const file = pidFileToStop(args);
  if (telling === 'text') process.stdout.write('Stopping zookeeper ... ');
  const written = readPidFile(file);
  if (written.state === 'unreadable') throw new VerbError('FAILED', `${file} cannot be read: ${written.error}`);
  if (written.state !== 'running') {
    const reason = {
      missing: `could not find file ${file}`,
      garbled: `${file} names no process`,
      ended: `the process that ${file} names has ended`,
      other: `the process that ${file} names is no server`,
      elsewhere: `the process that ${file} names is a server with another data directory`,
    }[written.state];
    if (telling === 'text') console.log(`no zookeeper to stop (${reason})`);
    else if (telling === 'json') console.log(JSON.stringify({ stopped: false, reason }));
    if (written.state === 'ended' || written.state === 'garbled') removePidFile(file);
    return;
  }
  const { pid } = written;
  try {
    process.kill(pid, 'SIGTERM');
  } catch (e) {
    if ((e as NodeJS.ErrnoException).code !== 'ESRCH')
      throw new VerbError('FAILED', othersProcess(pid) || (e as Error).message, true);
  }
  const until = Date.now() + STOP_TIMEOUT_MS;
  while (isAlive(pid) && Date.now() < until) await delay(POLL_MS);
  if (isAlive(pid)) {
    throw new VerbError(
      'STILL RUNNING',
      `Process ${pid} did not end within ${STOP_TIMEOUT_MS / 1000} s; kill -9 ${pid} ends it at once`,
      true,
    );
  }
  removePidFile(file);
  if (telling === 'text') console.log('STOPPED');
  else if (telling === 'json') console.log(JSON.stringify({ stopped: true, pid }));
}

/** Does not stop a server that could not be started again: its configuration is looked at first. */
export async function restart(args: ServerArguments, raw: readonly string[], telling: Telling): Promise<void> {
  try {
    loadConfig(sourcesOf(args));
  } catch (e) {
    process.stderr.write('Nothing was stopped: no server could be started with this configuration\n');
    throw e;
  }
  await stop(args, telling);
  await start(args, raw, telling);
}
