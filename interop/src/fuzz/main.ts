// The fuzz test: millions of damaged frames on many connections. The server must live, stay within its memory, keep a quiet
// client's session served, and change nothing but what it acknowledged; afterwards its data directory must give the same tree to
// it and to Apache's server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { OpCode } from '@nodekeeper/protocol';
import { Random } from '../differential/random.js';
import { harmsApache } from '../servers/harmful.js';
import { type Kind, type RunningServer, startServer } from '../servers/index.js';
import { dumpTree, superSession } from '../storage/dump.js';
import { Attacker } from './attacker.js';
import { validFrames } from './frames.js';
import { Guard } from './guard.js';
import { Tally } from './tally.js';

const { values: options } = parseArgs({
  options: {
    frames: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: '1' },
    connections: { type: 'string', default: '32' },
    server: { type: 'string', default: 'ours' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  console.log(`usage: npm run fuzz -- [--frames 2000000] [--seed 1] [--connections 32] [--server ours|apache]
  --frames N       how many frames the server has to deal with: answer, or close the connection
  --server KIND    ours, or apache, which is spared what it cannot survive`);
  process.exit(0);
}

const total = Number(options.frames);
const kind: Kind = options.server === 'apache' ? 'apache' : 'nodekeeper';
const LIMITS = { nodekeeper: { latencyMs: 2000, memoryMb: 700 }, apache: { latencyMs: 5000, memoryMb: 3500 } }[kind];
const LOOK_EVERY_MS = 20;
/** More children of the playground than that are deleted; lists of so many are sent in pieces. */
const SWEEP_ABOVE = 5000;
const TELL_EVERY = 500_000;
/** How much of what was sent last is kept for the report of a failure. */
const KEEP_BATCHES = 200;
/** Answered with an error always: without a quorum, without SASL, by a client. */
const NEVER_OK = new Set<number>([OpCode.reconfig, OpCode.check, OpCode.deleteContainer, OpCode.createSession]);
const SPARED = new Set<number>([OpCode.check, OpCode.createSession]);
const CFG = {
  extendedTypesEnabled: 'true',
  enforceQuota: 'true',
  'DigestAuthenticationProvider.superDigest': 'super:D/InIHSb7yEEbrWz8b9l71RjZJU=', // super:test
};
const PROPS = { 'znode.container.checkIntervalMs': '3600000' };

const dir = mkdtempSync(join(tmpdir(), 'interop-fuzz-'));
const problems: string[] = [];
const tally = new Tally();
const recent: Buffer[] = [];
const frames = validFrames();

const server = await startServer(kind, { dir, cfg: CFG, props: PROPS });
let died = false;
void server.exited.then(() => {
  died = true;
});
const guard = new Guard(server);
await guard.start();
const random = new Random(Number(options.seed));
const attack = {
  port: server.port,
  random,
  frames,
  tally,
  forbidden: (payload: Buffer) => kind === 'apache' && payload.length >= 8 && isHarmful(payload),
  over: () => tally.handled >= total || problems.length > 0 || died,
  problem: (text: string) => {
    if (problems.length < 10) problems.push(text);
  },
  sending: (bytes: Buffer) => {
    recent.push(bytes);
    if (recent.length > KEEP_BATCHES) recent.shift();
  },
};
const attackers = Array.from({ length: Number(options.connections) }, () => new Attacker(attack));
const began = performance.now();
for (const attacker of attackers) attacker.start();
await watchOver();
const seconds = (performance.now() - began) / 1000;
for (const attacker of attackers) attacker.end();
if (problems.length === 0) await afterwards();
else await server.stop('SIGKILL');
report();
rmSync(dir, { recursive: true, force: true });
process.exit(problems.length === 0 ? 0 : 1);

function isHarmful(payload: Buffer): boolean {
  const op = payload.readInt32BE(4);
  return op === OpCode.createSession || harmsApache(op, payload.subarray(8));
}

async function watchOver(): Promise<void> {
  for (let told = 0; !attack.over(); ) {
    try {
      problems.push(...(await guard.check(LIMITS.latencyMs, LIMITS.memoryMb)));
      await guard.sweep(SWEEP_ABOVE);
    } catch (e) {
      problems.push((e as Error).message);
    }
    if (tally.handled - told >= TELL_EVERY) {
      told = tally.handled;
      console.log(summary());
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  if (died) problems.push(`the server has died:\n${server.output().slice(-3000)}`);
}

/** The ledger, the coverage, and what the data directory gives to the next server. */
async function afterwards(): Promise<void> {
  const ledger = await guard.checkLedger(tally);
  if (ledger !== undefined) problems.push(ledger);
  for (const name of tally.notCovered(frames, NEVER_OK, kind === 'apache' ? SPARED : new Set()))
    problems.push(`${name} was never answered${NEVER_OK.size > 0 ? ', or never with OK' : ''}`);
  await guard.end();
  const before = await settledTree(server);
  await stopCleanly(server, kind);
  for (const next of ['nodekeeper', 'apache'] as const) {
    const again = await startServer(next, { dir, cfg: CFG, props: PROPS });
    const after = await tree(again);
    await stopCleanly(again, next);
    const changed = [...before].filter(([path, node]) => after.get(path) !== node).slice(0, 3);
    for (const [path, node] of changed)
      problems.push(`after a start of ${next} ${path} is\n  ${after.get(path)}\n  not\n  ${node}`);
    if (after.size !== before.size) problems.push(`${before.size} nodes are ${after.size} after a start of ${next}`);
  }
  console.log(`${before.size} nodes are the same after a start of nodekeeper and of apache on the directory`);
}

async function stopCleanly(running: RunningServer, which: Kind): Promise<void> {
  await running.stop();
  const code = await running.exited;
  // Java ends with 143 when it is told to.
  if (code !== 0 && which === 'nodekeeper') problems.push(`the server ended with ${code}`);
}

/**
 * The tree once all sessions of the attackers have expired, and their ephemeral nodes are gone; read twice, as they may go while it
 * is read.
 */
async function settledTree(running: RunningServer): Promise<Map<string, string>> {
  let before: Map<string, string> | undefined;
  for (;;) {
    const now = await tree(running);
    const isSettled = [...now.values()].every((node) => node.includes('"ephemeralOwner":"0"'));
    if (isSettled && isDeepStrictEqual(now, before)) return now;
    before = now;
    if (!isSettled) await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function tree(running: RunningServer): Promise<Map<string, string>> {
  const session = await superSession(running.port);
  try {
    return await dumpTree(session);
  } finally {
    session.destroy();
  }
}

function summary(): string {
  const { handled, replies, closed, notifications } = tally;
  return `${handled} frames dealt with (${replies} answers, ${closed} connections closed), ${notifications} notifications, ${Math.round(guard.largest)} MB at most, slowest look ${Math.round(guard.slowest)} ms`;
}

function report(): void {
  console.log(tally.table());
  const codes = [...tally.codes].sort(([a], [b]) => b - a).map(([code, n]) => `${code}: ${n}`);
  console.log(`answers by error code: ${codes.join(', ')}`);
  console.log(`${summary()}, ${Math.round(tally.handled / seconds)} frames a second`);
  for (const problem of problems) console.log(`problem: ${problem}`);
  if (problems.length > 0) {
    const file = join(tmpdir(), `fuzz-seed-${options.seed}-last-batches.hex`);
    writeFileSync(file, recent.map((bytes) => bytes.toString('hex')).join('\n'));
    console.log(`what was sent last is in ${file}`);
  }
  console.log(problems.length === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed');
}
