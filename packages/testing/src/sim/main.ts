// `npm run sim -- [--seed N] [--seeds K] [--servers N] [--observers N] …`: runs seeds and tells what they find; `--help` says more.

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { plant } from '../mutants/plant.js';
import { runParallel } from './parallel.js';
import type { Result } from './simulation.js';

const HELP = `npm run sim -- [options]
  --seed N          the first seed (1)
  --seeds K         how many seeds, from that one on (1)
  --servers N       servers that vote, 1 for a standalone server; each seed has a number of its own if not given
  --observers N     servers that do not vote
  --spares N        machines that wait to become members: then members change
  --with LIST       oracle (needs --servers 2 --observers 0), groups (3 or more), lostDisks (3 or more, --spares 0, no groups), localSessions,
                    mixedDigests: all runs have these, where they can; some have them if not given
  --recipes LIST    clients use these recipes: mutex,cache …, all, or none; some runs have some if not given
  --faults 1-3,7    of the faults of the plan only these ('none' for none)
  --operations …    of the operations only these
  --jobs N          processes that share the seeds (as many as there are processors)
  --until-failure   ends with the first seed that fails
  --no-shrink       shows a failure as it was found
  --verbose         shows what happened in each run
  --json            one line of JSON for each run
The same options give the same history. What a seed does changes with the simulator and the server.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    servers: { type: 'string' },
    observers: { type: 'string' },
    spares: { type: 'string' },
    with: { type: 'string' },
    recipes: { type: 'string' },
    faults: { type: 'string' },
    operations: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    'until-failure': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    plant: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(HELP);
  process.exit();
}
const first = Number(values.seed);
const count = Number(values.seeds);
const jobs = Math.min(Number(values.jobs), count);
if (![first, count, jobs].every(Number.isInteger)) {
  console.error(HELP);
  process.exit(2);
}
if (Number(values.servers) === 1 && Number(values.spares ?? 0) + Number(values.observers ?? 0) > 0) {
  console.error('--observers and --spares go with --servers 2 or more: a standalone server has no other members');
  process.exit(2);
}
process.exitCode = jobs > 1 ? await runParallel(process.argv.slice(2), first, count, jobs) : await runHere();

async function runHere(): Promise<number> {
  if (values.plant !== undefined) plant(values.plant);
  // The server is loaded only now that a fault may be planted in it.
  const { makePlan, simulate } = await import('./index.js');
  const { traitsFrom } = await import('./plan.js');
  const { recipesFrom } = await import('./recipes/index.js');
  const traits = values.with === undefined ? undefined : traitsFrom(values.with);
  const { formatPlaces, parsePlaces, select, shrink, wholeOf } = await import('./shrink.js');
  const began = performance.now();
  let failed = 0;
  let events = 0;
  let runs = 0;
  for (let seed = first; seed < first + count; seed++) {
    const whole = makePlan(seed, {
      ...(values.servers === undefined ? {} : { servers: Number(values.servers) }),
      ...(values.observers === undefined ? {} : { observers: Number(values.observers) }),
      ...(values.spares === undefined ? {} : { spares: Number(values.spares) }),
      ...(traits === undefined ? {} : { traits }),
      ...(values.recipes === undefined ? {} : { recipes: recipesFrom(values.recipes) }),
    });
    const all = wholeOf(whole);
    const faults = values.faults === undefined ? all.faults : parsePlaces(values.faults);
    const operations = values.operations === undefined ? all.operations : parsePlaces(values.operations);
    const plan = select(whole, { faults, operations });
    const result = await simulate(plan);
    runs++;
    events += result.counts.events;
    if (result.violations.length > 0) failed++;
    if (values.json) printJson(seed, result);
    else if (values.verbose) printHistory(result);
    else if (result.violations.length > 0) {
      printViolations(seed, result);
      if (!values['no-shrink'] && values.faults === undefined && values.operations === undefined) {
        const shrunk = await shrink(plan, result);
        const { selection } = shrunk;
        console.log(
          `seed ${seed} shrunk in ${shrunk.runs} runs from ${plan.faults.length} faults and ${plan.operations.length} operations:`,
        );
        printHistory(shrunk.result);
        console.log(
          `again: npm run sim -- --seed ${seed} --servers ${plan.servers} --observers ${plan.observers} --spares ${plan.spares} --recipes ${plan.recipes.join() || 'none'}${values.with === undefined ? '' : ` --with ${values.with}`} --faults ${formatPlaces(selection.faults)} --operations ${formatPlaces(selection.operations)} --verbose`,
        );
      }
    } else if (count === 1) console.log(`seed ${seed}: ${result.hash} ${JSON.stringify(result.counts)}`);
    if (result.violations.length > 0 && values['until-failure']) break;
  }
  if (!values.json) {
    const seconds = (performance.now() - began) / 1000;
    console.log(`${runs} runs, ${failed} failed, ${events} events in ${seconds.toFixed(1)} s`);
  }
  return failed === 0 ? 0 : 1;
}

function printJson(seed: number, { hash, violations, counts }: Result): void {
  console.log(JSON.stringify({ seed, hash, violations, counts }));
}

function printHistory({ lines }: Result): void {
  for (const line of lines) console.log(line);
}

function printViolations(seed: number, { plan, violations }: Result): void {
  for (const { kind, message } of violations)
    console.log(
      `seed ${seed} (${plan.servers} servers, ${plan.observers} observers, ${plan.spares} spares): ${kind}: ${message}`,
    );
}
