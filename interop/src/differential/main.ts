// The differential test: the same random sequences to Apache's server and to ours, everything that comes back compared.

import { parseArgs } from 'node:util';
import { type Difference, Pair, shrink, type Tested } from './compare.js';
import { untrueRows } from './proof.js';
import { Random } from './random.js';
import type { Item } from './run.js';
import { type Step, showStep } from './step.js';
import { VARIANTS, type Variant } from './variants.js';

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    ops: { type: 'string', default: '100' },
    'first-seed': { type: 'string', default: '1' },
    seed: { type: 'string' },
    variant: { type: 'string' },
    pipeline: { type: 'string', default: '1' },
    against: { type: 'string', default: 'ours' },
    bite: { type: 'boolean', default: false },
    verbose: { type: 'boolean', short: 'v', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: npm run test:differential -- [--seeds 1000] [--ops 100] [--first-seed 1] [--seed N] [--pipeline N] [-v]
  --seeds N        how many sequences
  --ops N          steps of each
  --seed N         only this one
  --variant NAME   only this configuration: ${VARIANTS.map(({ name }) => `"${name}"`).join(', ')}
  --pipeline N     send nearly all requests in batches of up to N in one write; without it a few are
  --against KIND   what is compared with Apache's server: ours, or apache for a check of the test itself; or a follower or the
                   leader of an ensemble, as follower:N/AA, leader:N/NN (see interop/src/ensemble), with those of Apache's
  --bite           damages one reply of each sequence: every one has to be found
  -v               prints every step of every sequence`);
  process.exit(0);
}

/** After so many differences the rest tells nothing new. */
const ENOUGH = 10;
const ops = Number(options.ops);
const first = Number(options.seed ?? options['first-seed']);
const count = options.seed === undefined ? Number(options.seeds) : 1;
const pipeline = Number(options.pipeline);
const tested = testedOf(options.against);
let passed = 0;
let failed = 0;

/** Each variant's part of the seeds. A seed always belongs to the same variant. */
const turns = VARIANTS.flatMap((variant) => new Array<Variant>(variant.share / 10).fill(variant));
const began = performance.now();
for (const variant of VARIANTS) {
  if (options.variant !== undefined && options.variant !== variant.name) continue;
  const seeds: number[] = [];
  for (let seed = first; seed < first + count; seed++)
    if (options.variant !== undefined || turns[seed % turns.length] === variant) seeds.push(seed);
  if (seeds.length > 0 && failed < ENOUGH) await runVariant(variant, seeds);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function testedOf(text: string): Tested {
  const [through, cast] = text.split(':');
  if (cast !== undefined && (through === 'leader' || through === 'follower')) return { cast, through };
  return text === 'apache' ? 'apache' : 'nodekeeper';
}

async function runVariant(variant: Variant, seeds: readonly number[]): Promise<void> {
  let pair = await Pair.start(variant, tested, pipeline);
  if (variant === VARIANTS[0] && !options.bite && typeof tested === 'string') {
    const untrue = await untrueRows(pair);
    if (untrue.length === 0) passed++;
    else failed++;
    for (const row of untrue) console.log(`known difference that is none - ${row}`);
    // The exchanges differ, so the servers have come apart.
    await pair.stop();
    pair = await Pair.start(variant, tested, pipeline);
  }
  for (const [done, seed] of seeds.entries()) {
    if (failed >= ENOUGH) break;
    if (options.bite) await biteInto(pair, seed);
    else if (options.verbose) await show(pair, seed);
    const difference = options.bite ? undefined : await pair.compare(seed, ops);
    if (options.bite) continue;
    if (difference === undefined) passed++;
    else {
      failed++;
      await report(pair, seed, difference);
      await pair.stop();
      pair = await Pair.start(variant, tested, pipeline);
    }
    if ((done + 1) % 100 === 0) {
      const rate = Math.round((passed + failed) / ((performance.now() - began) / 1000));
      console.log(`${variant.name}: ${done + 1} of ${seeds.length} sequences (${rate} a second)`);
    }
  }
  await pair.stop();
}

async function report(pair: Pair, seed: number, difference: Difference): Promise<void> {
  const steps = pair.generate(seed, ops, '/dxxxxxx');
  console.log(`seed ${seed} differs at step ${difference.at}: ${showStep(steps[difference.at] as Step)}`);
  console.log(showDifference(difference));
  const left = await shrink(pair, seed, ops, difference);
  const again = await pair.compare(seed, ops, left);
  console.log(`  shortest sequence that differs:\n${left.map((i) => `    ${showStep(steps[i] as Step)}`).join('\n')}`);
  if (again !== undefined) console.log(showDifference(again));
  for (const ended of pair.ended()) console.log(`  ${ended}`);
}

function showDifference({ reference, tested: ours }: Difference): string {
  const lines: string[] = [];
  for (let i = 0; i < Math.max(reference.length, ours.length); i++) {
    const [a, b] = [reference[i], ours[i]];
    if (a !== undefined && b !== undefined && a.masked.bytes.equals(b.masked.bytes)) continue;
    lines.push(`  apache: ${showItem(a)}`, `  tested: ${showItem(b)}`);
  }
  return lines.join('\n');
}

function showItem(item: Item | undefined): string {
  if (item === undefined) return 'nothing';
  const { conn, masked } = item;
  return `conn${conn} ${masked.text}\n          ${masked.bytes.toString('hex')}`;
}

async function show(pair: Pair, seed: number): Promise<void> {
  const steps = pair.generate(seed, ops, pair.nextRoot());
  const { reference } = await pair.run(steps);
  for (const [i, step] of steps.entries()) {
    console.log(showStep(step));
    for (const { conn, masked } of reference[i] as Item[])
      if (!masked.text.startsWith('xid=-2 ')) console.log(`    conn${conn} ${masked.text}`);
  }
}

/** Damages a bit of one frame where every bit counts: header, or the end. */
async function biteInto(pair: Pair, seed: number): Promise<void> {
  const random = new Random(seed);
  let wait = 10 + random.int(100);
  let what = '';
  const difference = await pair.compare(seed, ops, undefined, (frame) => {
    if (wait-- !== 0) return frame;
    const at = random.pick([0, 1, 2, 3, 4, 7, 10, 11, 12, 13, 14, 15, frame.length - 1]);
    const damaged = Buffer.from(frame);
    damaged[at] = (damaged[at] as number) ^ (1 << random.int(8));
    what = `byte ${at} of ${frame.toString('hex')}`;
    return damaged;
  });
  if (difference !== undefined || what === '') passed++;
  else {
    failed++;
    console.log(`seed ${seed}: nobody noticed the damage to ${what}`);
  }
}
