// The differential test: the same random sequences to Apache's server and to ours, everything that comes back compared.

import { parseArgs } from 'node:util';
import { opName } from '@nodekeeper/protocol';
import { type Kind, type RunningServer, startServer } from '../servers/index.js';
import { generate, type Step } from './generate.js';
import { isKnown } from './known-differences.js';
import { runSequence } from './run.js';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    ops: { type: 'string', default: '100' },
    'first-seed': { type: 'string', default: '1' },
    seed: { type: 'string' },
    ours: { type: 'string', default: 'nodekeeper' },
    pipeline: { type: 'string', default: '1' },
    verbose: { type: 'boolean', short: 'v', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: npm run test:differential -- [--seeds 1000] [--ops 100] [--first-seed 1] [--seed N] [-v]
  --seeds N        how many sequences
  --ops N          steps of each
  --seed N         only this one
  --ours KIND      what is compared with Apache's server: nodekeeper, or apache for a check of the test itself
  --pipeline N     send up to N requests of a connection in one write
  -v               print every step of a sequence`);
  process.exit(0);
}

const ops = Number(options.ops);
const depth = Number(options.pipeline);
const first = Number(options.seed ?? options['first-seed']);
const count = options.seed === undefined ? Number(options.seeds) : 1;
const SUPER = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='; // super:test
const cfg = { extendedTypesEnabled: 'true', enforceQuota: 'true', snapCount: '1000000', maxSessionTimeout: '60000' };
// Containers and TTL nodes are deleted by the clock, at another moment on each server: not during this test.
const props = {
  'znode.container.checkIntervalMs': '3600000',
  'zookeeper.DigestAuthenticationProvider.superDigest': SUPER,
};

const servers: RunningServer[] = await Promise.all([
  startServer('apache', { cfg, props }),
  startServer(options.ours as Kind, { cfg, props }),
]);
const [apache, ours] = servers as [RunningServer, RunningServer];

interface Difference {
  readonly at: number;
  readonly apache: string;
  readonly ours: string;
}

/** A sequence leaves its nodes behind; another run of it begins below another root. */
let salt = 0;

function relocated(steps: readonly Step[], seed: number): Step[] {
  salt++;
  const from = `/d${seed}`;
  const to = `/d${seed}s${salt}`.padEnd(0);
  return steps.map((step) =>
    step.kind === 'request' ? { ...step, body: replaceInStrings(step.body, from, to) } : step,
  );
}

/** Replaces a prefix in length-prefixed strings of an encoded body. */
function replaceInStrings(body: Buffer, from: string, to: string): Buffer {
  const needle = Buffer.from(from);
  const parts: Buffer[] = [];
  let copied = 0;
  for (let at = body.indexOf(needle); at >= 0; at = body.indexOf(needle, at + needle.length)) {
    const start = stringStart(body, at);
    if (start < 0) continue;
    const length = body.readInt32BE(start - 4);
    const prefix = Buffer.alloc(4);
    prefix.writeInt32BE(length + to.length - from.length);
    parts.push(body.subarray(copied, start - 4), prefix, body.subarray(start, at), Buffer.from(to));
    copied = at + needle.length;
  }
  parts.push(body.subarray(copied));
  return Buffer.concat(parts);
}

/** Where the string that holds position `at` begins: at it, or behind the quota root. */
function stringStart(body: Buffer, at: number): number {
  for (const before of [0, '/zookeeper/quota'.length]) {
    const start = at - before;
    if (start < 4) continue;
    const length = body.readInt32BE(start - 4);
    if (length >= before + 2 && length < 200) return start;
  }
  return -1;
}

async function compare(steps: readonly Step[]): Promise<Difference | undefined> {
  const [a, b] = await Promise.all([runSequence(apache.port, steps, depth), runSequence(ours.port, steps, depth)]);
  for (let at = 0; at < steps.length; at++) {
    if (a[at] === b[at]) continue;
    if (isKnown(steps[at] as Step, a[at] as string, b[at] as string)) continue;
    return { at, apache: a[at] as string, ours: b[at] as string };
  }
  if (options.verbose)
    for (let at = 0; at < steps.length; at++) console.log(`${show(steps[at] as Step)}\n    ${a[at]}`);
  return undefined;
}

function show(step: Step): string {
  if (step.kind === 'open') return `conn${step.conn} opens a session with timeout ${step.timeout}`;
  if (step.kind === 'reconnect') return `conn${step.conn} reconnects with the ${step.password} password`;
  return `conn${step.conn} ${opName(step.op)} xid=${step.xid} ${step.body.toString('latin1').replace(/[^\x20-\x7e]/g, '.')} (${step.body.toString('hex')})`;
}

/** Takes away steps as long as the sequence still differs. */
async function shrink(steps: readonly Step[], seed: number): Promise<Step[]> {
  let best = [...steps];
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length; ) {
      const shorter = [...best.slice(0, at), ...best.slice(at + size)];
      const difference = await compare(relocated(shorter, seed)).catch(() => undefined);
      if (difference === undefined) at += size;
      else best = shorter.slice(0, difference.at + 1);
    }
  }
  return best;
}

let failed = 0;
let passed = 0;
for (let seed = first; seed < first + count; seed++) {
  const steps = generate(seed, ops);
  const difference = await compare(steps);
  if (difference === undefined) {
    passed++;
    if (passed % 100 === 0) console.log(`${passed} seeds without a difference`);
    continue;
  }
  failed++;
  console.log(
    `seed ${seed} differs at step ${difference.at}:\n  ${show(steps[difference.at] as Step)}\n  apache: ${difference.apache}\n  ours:   ${difference.ours}`,
  );
  const shortest = await shrink(steps.slice(0, difference.at + 1), seed);
  console.log(`  shortest sequence that differs:\n${shortest.map((step) => `    ${show(step)}`).join('\n')}`);
  if (failed >= 10) {
    console.log('ten differences, giving up');
    break;
  }
}
await Promise.all(servers.map((server) => server.stop('SIGKILL')));
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
