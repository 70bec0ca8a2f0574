// `npm run sim -- --seed N [--seeds K] [--servers N] [--observers N] [--json] [--verbose] [--until-failure]`: runs seeds, and tells of
// what they find.

import { parseArgs } from 'node:util';
import { plant } from '../mutants/plant.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    servers: { type: 'string', default: '3' },
    observers: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    'until-failure': { type: 'boolean', default: false },
    plant: { type: 'string' },
  },
});

if (values.plant !== undefined) plant(values.plant);
const { makePlan, simulate } = await import('./index.js');

const first = Number(values.seed);
const count = Number(values.seeds);
let failed = 0;
let events = 0;
let runs = 0;
const began = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const plan = makePlan(seed, { servers: Number(values.servers), observers: Number(values.observers) });
  const { violations, counts, lines, hash } = await simulate(plan);
  runs++;
  events += counts.events;
  if (values.verbose) for (const line of lines) console.log(line);
  if (values.json) console.log(JSON.stringify({ seed, hash, violations, counts }));
  else if (count === 1) console.log(`seed ${seed}: ${hash} ${JSON.stringify(counts)}`);
  if (violations.length === 0) continue;
  failed++;
  if (!values.json) for (const { kind, message } of violations) console.log(`seed ${seed}: ${kind}: ${message}`);
  if (values['until-failure']) break;
}
const seconds = (performance.now() - began) / 1000;
if (!values.json) console.log(`${runs} seeds, ${failed} failed, ${events} events in ${seconds.toFixed(1)} s`);
process.exitCode = failed === 0 ? 0 : 1;
