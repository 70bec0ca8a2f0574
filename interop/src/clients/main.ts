// The interop tests: Debian's unmodified ZooKeeper clients against the server under test, each through its own checks.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { castOf } from '../ensemble/scenario.js';
import type { Kind } from '../servers/index.js';
import { CLIENTS, type Client, COMMON_PACKAGES } from './clients.js';
import type { Check } from './features.js';
import { installMissing, versionOf } from './packages.js';
import { type Outcome, type SuiteResult, scorecard } from './scorecard.js';
import { Stage } from './stage.js';
import { runSuite, SUITES, type Suite } from './suites.js';

const SCORECARD = fileURLToPath(new URL('../../../docs/compatibility.md', import.meta.url));

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', default: 'nodekeeper' },
    ensemble: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    record: { type: 'boolean', default: false },
    out: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: npm run test:interop -- [--server nodekeeper|apache] [--only NAME]... [--out FILE]
  --server KIND  the server under test; apache validates the checks themselves
  --ensemble C   a follower of an ensemble of that cast, such as N/AN (see interop/src/ensemble), is the server under test
  --only NAME    only this one of ${[...CLIENTS, ...SUITES].map(({ id }) => id).join(', ')}
  --record       with Apache's server: keep what a client prints as what is expected of it (zkcli, cli_mt)
  --out FILE     where the scorecard goes; a full run against nodekeeper writes docs/compatibility.md`);
  process.exit(0);
}

const kind = kindOf(options.server);
const cast = options.ensemble === undefined ? undefined : castOf(options.ensemble);
if (options.record && kind !== 'apache') throw new Error('--record goes with --server apache');
const only = options.only.flatMap((list) => list.split(','));
const unknown = only.filter((name) => ![...CLIENTS, ...SUITES].some(({ id }) => id === name));
if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: no such client or suite`);
const chosen = <T extends { readonly id: string }>(all: readonly T[]): T[] =>
  all.filter(({ id }) => only.length === 0 || only.includes(id));

const clients = chosen(CLIENTS);
// Apache's server is what those suites compare ours with: against itself they would show nothing about a client.
const suites = (kind === 'apache' || cast !== undefined) && only.length === 0 ? [] : chosen(SUITES);
installMissing([...COMMON_PACKAGES, ...clients.flatMap(({ packages }) => packages)]);

const work = mkdtempSync(join(tmpdir(), 'interop-'));
let number = 0;
let serverTitle: string = kind;
try {
  report(...(await runAll()));
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function runClient(client: Client): Promise<Outcome> {
  const started = Date.now();
  const version = (versionOf(client.packages[0]) ?? 'unknown').replace(/-[^-]*$/, '');
  console.log(`# ${client.title} ${version}`);
  const checks = await checksOf(client);
  const passed = checks.filter(({ ok }) => ok).length;
  console.log(`# ${client.title}: ${passed} of ${checks.length} in ${seconds(started)} s`);
  return { id: client.id, title: client.title, version, checks };
}

/** Runs the client's checks against a server of its own. That it couldn't be done is a failed check, not the end. */
async function checksOf(client: Client): Promise<readonly Check[]> {
  let stage: Stage | undefined;
  try {
    const dir = join(work, client.id);
    mkdirSync(dir);
    client.build(dir);
    stage = await Stage.start(kind, client.cfg, cast);
    serverTitle = `${kind} ${await serverVersion(stage.port)}`;
    const record = options.record ? client.record : undefined;
    const all = await (record === undefined ? client.run(dir, stage, print) : record(stage, print));
    const checks = all.filter(counts);
    if (checks.some(({ ok }) => !ok))
      console.log(`# the server's last words:\n${indent(lastLines(stage.serverOutput()))}`);
    return checks;
  } catch (error) {
    const check: Check = { feature: 'program', name: 'can be run', ok: false, message: String(error) };
    print(check);
    return [check];
  } finally {
    await stage?.stop();
  }
}

/**
 * Three lanes: the clients and then suites from the front of the list; twice suites from its end, those of ensembles, which wait for
 * their servers most of the time.
 */
async function runAll(): Promise<[Outcome[], SuiteResult[]]> {
  const outcomes: Outcome[] = [];
  const results = new Map<Suite, SuiteResult>();
  const left = [...suites];
  const runSuites = async (next: () => Suite | undefined): Promise<void> => {
    for (let suite = next(); suite !== undefined; suite = next()) results.set(suite, await runOther(suite));
  };
  const runClients = async (): Promise<void> => {
    for (const client of clients) outcomes.push(await runClient(client));
  };
  const last = (): Suite | undefined => left.pop();
  await Promise.all([runClients().then(() => runSuites(() => left.shift())), runSuites(last), runSuites(last)]);
  return [outcomes, suites.map((suite) => results.get(suite) as SuiteResult)];
}

async function runOther(suite: Suite): Promise<SuiteResult> {
  const started = Date.now();
  const result = await runSuite(suite);
  number += 1;
  console.log(`${result.ok ? '' : 'not '}ok ${number} - ${suite.id}: ${result.summary} (${seconds(started)} s)`);
  return result;
}

function report(outcomes: readonly Outcome[], results: readonly SuiteResult[]): void {
  const checks = outcomes.flatMap((outcome) => outcome.checks);
  const passed = [...checks, ...results].filter(({ ok }) => ok).length;
  for (const { feature, name } of checks.filter(({ ok }) => !ok)) console.log(`# failed: ${feature}: ${name}`);
  for (const { title } of results.filter(({ ok }) => !ok)) console.log(`# failed: ${title}`);
  console.log(`1..${number}\n# server ${serverTitle}\n# pass ${passed}\n# fail ${number - passed}`);
  const full = only.length === 0 && kind === 'nodekeeper' && cast === undefined;
  const file = options.out ?? (full ? SCORECARD : undefined);
  if (file !== undefined) writeFileSync(file, scorecard(serverTitle, outcomes, results));
  process.exitCode = passed === number && number > 0 ? 0 : 1;
}

/** What checks of these features expect holds for standalone servers only. */
function counts({ feature }: Check): boolean {
  return cast === undefined || (feature !== 'config' && feature !== 'words');
}

function print(check: Check): void {
  if (!counts(check)) return;
  const { ok, feature, name, message } = check;
  number += 1;
  console.log(`${ok ? '' : 'not '}ok ${number} - ${feature}: ${name}`);
  if (!ok) console.log(indent(message));
}

function kindOf(text: string): Kind {
  if (text !== 'apache' && text !== 'nodekeeper') throw new Error(`--server ${text}: apache or nodekeeper`);
  return text;
}

/** What `srvr` calls itself, as far as it is a version. */
function serverVersion(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('srvr'));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(/version: ([\d.]+)/.exec(text)?.[1] ?? 'of unknown version'));
  });
}

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, '#   ');
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => !line.startsWith('\tat '));
  return lines.slice(-15).join('\n');
}

function seconds(since: number): string {
  return ((Date.now() - since) / 1000).toFixed(1);
}
