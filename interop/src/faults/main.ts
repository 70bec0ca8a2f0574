// Ensembles of processes under faults and load, and whether what their clients were told was right: `npm run test:faults`.

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FAULTS } from './nemesis.js';
import { run } from './run.js';

const { values: options } = parseArgs({
  options: {
    servers: { type: 'string', multiple: true, default: [] },
    faults: { type: 'string', default: Object.keys(FAULTS).join(',') },
    seconds: { type: 'string', default: '60' },
    runs: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    changes: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: npm run test:faults -- [--servers NNN]... [--faults LIST] [--seconds S] [--runs N] [--clients N] [--seed N]
  --servers  one letter each, N for Nodekeeper and A for Apache's server; observers behind a plus sign, as in NNA+N;
             by turns if there are several. NNN if not given
  --faults   of ${Object.keys(FAULTS).join(', ')}; all if not given
  --seconds  how long faults go on, in each run
  --changes  members leave and join; the network between servers is left alone then
  --seed     chooses faults and requests; what happens still depends on the machine
  --quiet    does not tell each fault
  --keep     keeps the directories of what failed`);
  process.exit(0);
}

const casts = options.servers.length > 0 ? options.servers : ['NNN'];
const names = options.faults.split(',');
const unknown = names.find((name) => !(name in FAULTS));
if (unknown !== undefined) throw new Error(`--faults ${unknown}: there is no such fault`);

let failed = 0;
for (let i = 0; i < Number(options.runs); i++) {
  const seed = Number(options.seed) + i;
  const cast = casts[i % casts.length];
  const { faults, summary, dir } = await run({
    cast,
    names,
    seconds: Number(options.seconds),
    clients: Number(options.clients),
    seed,
    keep: options.keep,
    changes: options.changes,
    tell: options.quiet ? () => {} : (text) => console.log(`# ${text}`),
  });
  const ok = faults.length === 0;
  if (!ok) failed += 1;
  console.log(`${ok ? '' : 'not '}ok ${i + 1} - ${cast}, seed ${seed}: ${summary}`);
  for (const fault of faults.slice(0, 20)) console.log(`#   ${fault}`);
  if (!ok && options.keep) console.log(`# kept: ${dir}`);
}
await delay(0);
process.exit(failed === 0 ? 0 : 1);
