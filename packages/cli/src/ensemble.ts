// `nodekeeper ensemble`: an ensemble on one machine, each server a process with files as one would write them by hand.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '@nodekeeper/server/config';
import { nodeDisk } from '@nodekeeper/server/storage';
import { UsageError } from './arguments.js';
import { type MemberStatus, memberStatuses, printMembers } from './member-status.js';
import { findPortOwner } from './port-owner.js';
import { takenMessage } from './port-taken.js';
import { onToldToEnd } from './signals.js';
import { VerbError } from './start-stop.js';

export interface EnsembleOptions {
  /** Numbers are undefined if they were not given. */
  readonly servers: number | undefined;
  readonly observers: number | undefined;
  readonly clientPort: number | undefined;
  readonly dir: string;
  readonly detach: boolean;
  readonly stop: boolean;
  readonly json: boolean;
  /** Further settings for every server, `key=value`. */
  readonly settings: readonly string[];
}

/** What starting and stopping one server takes, by the path of its zoo.cfg. */
export interface ServerVerbs {
  start(file: string): Promise<void>;
  stop(file: string): Promise<void>;
}

export const MOST_SERVERS = 250;
const LOOPBACK = '127.0.0.1';
const OTHER_PORTS = [
  'use other ports: nodekeeper ensemble --client-port N; 700 and 1700 above N there are those between the servers',
  'go on with an ensemble that was made before: --dir says where it is',
];
const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const HOLD_MS = 60_000;

export async function runEnsemble(options: EnsembleOptions, verbs: ServerVerbs): Promise<void> {
  const dir = resolve(options.dir);
  if (options.stop) {
    await stopAll(configFiles(dir), verbs);
    return;
  }
  const isThere = existsSync(join(dir, '1', 'zoo.cfg'));
  const files = isThere ? existingFiles(dir, options) : writeFiles(dir, options);
  const told = toldToEnd();
  const started = await startAll(files, verbs, told);
  const statuses = await ready(files[0] ?? '', told);
  if (told.aborted) {
    await stopAll(started, verbs);
    process.exitCode = 1;
    return;
  }
  if (options.json) console.log(JSON.stringify({ dir, servers: statuses }));
  else report(dir, statuses, options.detach);
  if (statuses.some(({ mode }) => mode === null)) process.exitCode = 1;
  if (options.detach) return;
  await aborted(told);
  await stopAll(files, verbs);
}

/**
 * Starts all, or none: if one does not start, those that were started are stopped again.
 * @returns those that were started before it was told to end
 */
async function startAll(files: readonly string[], verbs: ServerVerbs, told: AbortSignal): Promise<string[]> {
  const started: string[] = [];
  for (const file of files) {
    if (told.aborted) break;
    try {
      await verbs.start(file);
    } catch (e) {
      // It may run without having answered in time; one that ran before is let alone.
      if (!(e instanceof VerbError && e.runs)) started.push(file);
      await stopAll(started, verbs);
      throw e;
    }
    started.push(file);
  }
  return started;
}

/** Stops each that can be stopped; rejects with the first failure after that. */
async function stopAll(files: readonly string[], verbs: ServerVerbs): Promise<void> {
  const failures: unknown[] = [];
  for (const file of files) await verbs.stop(file).catch((e: unknown) => failures.push(e));
  if (failures.length > 0) throw failures[0];
}

/** Aborted at Ctrl-C, a signal to end, or when the terminal is closed: the servers are processes of their own, and would stay. */
function toldToEnd(): AbortSignal {
  const controller = new AbortController();
  onToldToEnd(() => controller.abort());
  return controller.signal;
}

async function aborted(told: AbortSignal): Promise<void> {
  // Listeners for signals do not keep a process alive: this timer does.
  const held = setInterval(() => {}, HOLD_MS);
  await new Promise<void>((done) => {
    told.addEventListener('abort', () => done());
    if (told.aborted) done();
  });
  clearInterval(held);
}

function configFiles(dir: string): string[] {
  if (!existsSync(dir)) throw new UsageError(`there is no ensemble in ${dir}`);
  const ids = readdirSync(dir).filter((name) => /^\d+$/.test(name) && existsSync(join(dir, name, 'zoo.cfg')));
  return ids.sort((a, b) => Number(a) - Number(b)).map((id) => join(dir, id, 'zoo.cfg'));
}

/**
 * The files of an ensemble that was made before.
 * @throws UsageError if another one is asked for
 */
function existingFiles(dir: string, { servers, observers, clientPort, settings }: EnsembleOptions): string[] {
  const files = configFiles(dir);
  const { ensemble, clientPort: ownPort } = loadConfig({ file: files[0] });
  const members = [...(ensemble?.members.members.values() ?? [])];
  const voters = members.filter(({ role }) => role === 'participant').length;
  const differs = (option: string, asked: number | undefined, there: number | undefined): void => {
    if (asked !== undefined && there !== undefined && asked !== there)
      throw new UsageError(
        `the ensemble in ${dir} was made with ${option} ${there}, not ${asked}: leave the option out, or take another --dir`,
      );
  };
  differs('--servers', servers, voters);
  differs('--observers', observers, members.length - voters);
  differs('--client-port', clientPort, members.find(({ id }) => id === 1)?.clientAddress?.port ?? ownPort);
  for (const file of files) {
    const lines = readFileSync(file, 'utf8').split('\n');
    const missing = settings.find((setting) => !lines.includes(setting));
    if (missing !== undefined)
      throw new UsageError(`the ensemble in ${dir} was made without --set ${missing}: put it into ${file}`);
  }
  return files;
}

function writeFiles(dir: string, options: EnsembleOptions): string[] {
  const { servers = 3, observers = 0, clientPort = 2181, settings } = options;
  const count = servers + observers;
  if (count > MOST_SERVERS)
    throw new UsageError(`at most ${MOST_SERVERS} servers are possible, ${count} were asked for`);
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  const ports = (id: number) => ({
    client: clientPort + id - 1,
    quorum: clientPort + 700 + id,
    election: clientPort + 1700 + id,
  });
  for (const port of ids.flatMap((id) => Object.values(ports(id)))) {
    if (port > 65_535) throw new UsageError(`port ${port} would be needed: choose a lower --client-port`);
    if (findPortOwner(port, LOOPBACK) !== undefined)
      throw new UsageError(takenMessage(port, '', LOOPBACK, OTHER_PORTS));
  }
  const members = ids.map((id) => {
    const { client, quorum, election } = ports(id);
    const role = id <= servers ? 'participant' : 'observer';
    return `server.${id}=${LOOPBACK}:${quorum}:${election}:${role};${LOOPBACK}:${client}`;
  });
  const written = ids.map((id) => {
    const home = join(dir, String(id));
    const data = join(home, 'data');
    const lines = [
      'tickTime=2000',
      'initLimit=10',
      'syncLimit=5',
      `dataDir=${data}`,
      'admin.enableServer=false',
      'standaloneEnabled=false',
      '4lw.commands.whitelist=*',
      ...settings,
      ...members,
    ];
    return { id, data, file: join(home, 'zoo.cfg'), text: `${lines.join('\n')}\n` };
  });
  // Nothing is written that a server would not take.
  for (const { file, text } of written) loadConfig({ file, read: () => text });
  for (const { id, data, file, text } of written) {
    nodeDisk.makeDir(data);
    writeFileSync(join(data, 'myid'), `${id}\n`);
    writeFileSync(file, text);
  }
  return written.map(({ file }) => file);
}

/** Waits until every server serves, the time is over, or it is told to end. */
async function ready(file: string, told: AbortSignal): Promise<MemberStatus[]> {
  const until = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const statuses = await memberStatuses(loadConfig({ file }));
    if (statuses.every(({ mode }) => mode !== null) || performance.now() > until || told.aborted) return statuses;
    await delay(POLL_MS);
  }
}

function report(dir: string, statuses: readonly MemberStatus[], detached: boolean): void {
  printMembers(statuses);
  const places = statuses.map(({ client }) => client).join(',');
  console.log(`\nConnect with ${places}`);
  console.log(`Files are in ${dir}: <id>/zoo.cfg, <id>/data, <id>/data/logs.`);
  console.log(`nodekeeper status ${join(dir, '1', 'zoo.cfg')} tells the roles.`);
  console.log(detached ? `nodekeeper ensemble --stop --dir ${dir} stops it.` : 'Ctrl-C stops it.');
}
