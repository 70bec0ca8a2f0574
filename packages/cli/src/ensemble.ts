// `nodekeeper ensemble`: an ensemble on one machine, each server a process with files as one would write them by hand.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '@nodekeeper/server/config';
import { UsageError } from './arguments.js';
import { type MemberStatus, memberStatuses, printMembers } from './member-status.js';
import { findPortOwner } from './port-owner.js';
import { portTakenMessage } from './port-taken.js';

export interface EnsembleOptions {
  readonly servers: number;
  readonly observers: number;
  readonly dir: string;
  readonly clientPort: number;
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

const MOST = 250;
const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const HOLD_MS = 60_000;

export async function runEnsemble(options: EnsembleOptions, verbs: ServerVerbs): Promise<void> {
  const dir = resolve(options.dir);
  if (options.stop) {
    for (const file of configFiles(dir)) await verbs.stop(file);
    return;
  }
  const files = existsSync(join(dir, '1', 'zoo.cfg')) ? configFiles(dir) : writeFiles(dir, options);
  for (const file of files) await verbs.start(file);
  const stopAll = async (): Promise<void> => {
    for (const file of files) await verbs.stop(file);
  };
  const statuses = await ready(files[0] ?? '');
  if (options.json) console.log(JSON.stringify({ dir, servers: statuses }));
  else report(dir, statuses, options.detach);
  if (statuses.some(({ mode }) => mode === null)) process.exitCode = 1;
  if (options.detach) return;
  await toldToEnd();
  await stopAll();
}

/** Resolves at Ctrl-C, a signal to end, or when the terminal is closed. */
async function toldToEnd(): Promise<void> {
  // Listeners for signals do not keep a process alive, and the servers are processes of their own: this timer does.
  const held = setInterval(() => {}, HOLD_MS);
  await new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => done());
  });
  clearInterval(held);
}

function configFiles(dir: string): string[] {
  if (!existsSync(dir)) throw new UsageError(`there is no ensemble in ${dir}`);
  const ids = readdirSync(dir).filter((name) => /^\d+$/.test(name) && existsSync(join(dir, name, 'zoo.cfg')));
  return ids.sort((a, b) => Number(a) - Number(b)).map((id) => join(dir, id, 'zoo.cfg'));
}

function writeFiles(dir: string, { servers, observers, clientPort, settings }: EnsembleOptions): string[] {
  const count = servers + observers;
  if (!(servers >= 1) || !(observers >= 0) || count > MOST)
    throw new UsageError(
      `from 1 to ${MOST} servers are possible, ${servers} and ${observers} observers were asked for`,
    );
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  const ports = (id: number) => ({
    client: clientPort + id - 1,
    quorum: clientPort + 700 + id,
    election: clientPort + 1700 + id,
  });
  for (const port of ids.flatMap((id) => Object.values(ports(id)))) {
    if (port > 65_535) throw new UsageError(`port ${port} would be needed: choose a lower --client-port`);
    if (findPortOwner(port) !== undefined) throw new UsageError(portTakenMessage(port));
  }
  const members = ids.map((id) => {
    const { client, quorum, election } = ports(id);
    const role = id <= servers ? 'participant' : 'observer';
    return `server.${id}=127.0.0.1:${quorum}:${election}:${role};127.0.0.1:${client}`;
  });
  return ids.map((id) => {
    const home = join(dir, String(id));
    const data = join(home, 'data');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'myid'), `${id}\n`);
    const file = join(home, 'zoo.cfg');
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
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  });
}

/** Waits until every server serves, or the time is over. */
async function ready(file: string): Promise<MemberStatus[]> {
  const until = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const statuses = await memberStatuses(loadConfig({ file }));
    if (statuses.every(({ mode }) => mode !== null) || performance.now() > until) return statuses;
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
