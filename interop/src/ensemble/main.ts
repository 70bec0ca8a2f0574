// Ensembles of this server, of Apache's, and of both mixed, through scenarios: each for one cast after the other.

import { parseArgs } from 'node:util';
import { COMMON_PACKAGES } from '../clients/clients.js';
import { installMissing } from '../clients/packages.js';
import { CASTS, castOf, type Scenario, Stage } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';

/** A scenario that takes longer hangs. */
const LIMIT_MS = 600_000;

const { values: options } = parseArgs({
  options: {
    cast: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    times: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: node interop/dist/ensemble/main.js [--cast CAST]... [--only SCENARIO]... [--times N] [--short] [--keep]
  --cast CAST      leader/followers, A for Apache's server and N for Nodekeeper: ${CASTS.join(', ')}
  --only SCENARIO  one of ${SCENARIOS.map(({ id }) => id).join(', ')}
  --times N        how often
  --short          each scenario with one or two casts only, not with all
  --keep           keeps the directories of what failed`);
  process.exit(0);
}

const casts = options.cast.flatMap((list) => list.split(','));
const only = options.only.flatMap((list) => list.split(','));
const unknown = only.find((name) => !SCENARIOS.some(({ id }) => id === name));
if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such scenario`);
installMissing(COMMON_PACKAGES);

let passed = 0;
let failed = 0;
const scenarios = SCENARIOS.filter(({ id }) => only.length === 0 || only.includes(id));
for (let time = 0; time < Number(options.times); time++) {
  for (const cast of casts.length > 0 ? casts : CASTS) {
    for (const scenario of scenarios) if (castsOf(scenario).includes(cast)) await runOne(scenario, cast);
  }
}
console.log(`1..${passed + failed}\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function castsOf(scenario: Scenario): readonly string[] {
  const all = scenario.casts ?? CASTS;
  if (!options.short || scenario.casts?.length === 1) return all;
  // Where one implementation brings the other up to date or takes over from it, both ways; else by turns.
  const mixed = ['N/AN', 'A/NN', 'N/AA', 'A/AN'].filter((cast) => all.includes(cast));
  if (scenario.bothWays) return ['N/AN', 'A/NN'];
  return mixed.length === 0 ? all.slice(0, 1) : [mixed[SCENARIOS.indexOf(scenario) % mixed.length]];
}

async function runOne(scenario: Scenario, cast: string): Promise<void> {
  const began = Date.now();
  const notes: string[] = [];
  const stage = new Stage(castOf(cast), (text) => notes.push(text));
  const name = `${scenario.id} ${cast}: ${scenario.title}`;
  const tell = (ok: boolean): void => {
    const number = passed + failed;
    console.log(`${ok ? '' : 'not '}ok ${number} - ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    for (const note of notes) console.log(`# ${note}`);
  };
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it takes longer than ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });
    await Promise.race([scenario.run(stage), late]);
    passed += 1;
    tell(true);
    await stage.close(false);
  } catch (error) {
    failed += 1;
    tell(false);
    const { stack } = error as Error;
    console.log(`${stack}\n${stage.lastWords()}`.replace(/^/gm, '#   '));
    if (options.keep) console.log(`# kept: ${stage.directories.join(' ')}`);
    await stage.close(options.keep);
  } finally {
    clearTimeout(timer);
  }
}
