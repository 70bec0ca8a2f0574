// `npm run sim -- --seed N [--seeds K] [--servers N] [--json] [--verbose]`: runs seeds, and tells of what they find.

import { parseArgs } from 'node:util';
import { makePlan } from './plan.js';
import { simulate } from './simulation.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    servers: { type: 'string', default: '3' },
    observers: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed);
const count = Number(values.seeds);
let failed = 0;
const began = performance.now();
let events = 0;
for (let seed = first; seed < first + count; seed++) {
  const result = await simulate(
    makePlan(seed, { servers: Number(values.servers), observers: Number(values.observers) }),
  );
  events += result.counts.events;
  if (values.verbose) for (const line of result.lines) console.log(line);
  if (values.json) {
    const { hash, violations, counts } = result;
    console.log(JSON.stringify({ seed, hash, violations, counts }));
  } else if (count === 1) console.log(`seed ${seed}: ${result.hash} ${JSON.stringify(result.counts)}`);
  if (result.violations.length === 0) continue;
  failed++;
  for (const { kind, message } of result.violations) console.log(`seed ${seed}: ${kind}: ${message}`);
}
const seconds = (performance.now() - began) / 1000;
console.log(`${count} seeds, ${failed} failed, ${events} events in ${seconds.toFixed(1)} s`);
process.exitCode = failed === 0 ? 0 : 1;
