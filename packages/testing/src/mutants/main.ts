// `npm run sim:mutants [-- --only TEXT] [--seeds N]`: plants one fault after the other, and sees whether the simulator finds it.

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PLANTED, type PlantedFault } from './faults.js';
import { changed } from './plant.js';

const USAGE = `usage: npm run sim:mutants -- [--only TEXT] [--seeds N]
  --only TEXT   the faults whose names hold this text
  --seeds N     how many runs may pass without finding a fault (1000)
  --list        the names of the faults
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '1000' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help === true || values.list === true) {
  process.stdout.write(values.help === true ? USAGE : PLANTED.map(({ name }) => `${name}\n`).join(''));
  process.exit();
}

const SIMULATOR = fileURLToPath(new URL('../sim/main.js', import.meta.url));

interface Run {
  readonly seed: number;
  readonly violations: readonly { readonly kind: string; readonly message: string }[];
}

/** The first run that breaks a guarantee, or what the simulator said instead. */
function firstFailure(where: PlantedFault, options: readonly string[]): Promise<Run | string> {
  const { servers = 3, spares = 0, recipe = 'none', with: traits } = where;
  const size = ['--servers', String(servers), '--observers', '0', '--spares', String(spares), '--recipes', recipe];
  const args = [
    ...size,
    ...(traits === undefined ? [] : ['--with', traits]),
    '--jobs',
    '1',
    '--until-failure',
    '--json',
  ];
  const child = spawn(process.execPath, [SIMULATOR, ...args, ...options]);
  let out = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return new Promise((resolve) => {
    child.on('close', () => {
      const runs = out.split('\n').filter((line) => line.startsWith('{'));
      const last = JSON.parse(runs[runs.length - 1] ?? 'null') as Run | null;
      resolve(last !== null && last.violations.length > 0 ? last : errors);
    });
  });
}

async function tell(fault: PlantedFault): Promise<boolean> {
  const { name, finds } = fault;
  const began = performance.now();
  const found = await firstFailure(fault, ['--plant', name, '--seeds', values.seeds]);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (typeof found === 'string') {
    console.log(`MISSED  ${name}: ${values.seeds} seeds, ${seconds} s ${found}`);
    return false;
  }
  if (typeof (await firstFailure(fault, ['--seed', String(found.seed)])) !== 'string') {
    console.log(`UNSURE  ${name}: seed ${found.seed} fails without it too`);
    return false;
  }
  const kinds = [...new Set(found.violations.map(({ kind }) => kind))];
  if (finds !== undefined && !kinds.includes(finds)) {
    console.log(`MISSED  ${name}: seed ${found.seed} breaks ${kinds.join(', ')}, not ${finds}`);
    return false;
  }
  const [{ kind, message } = { kind: '', message: '' }] = found.violations;
  console.log(`found   ${name}: seed ${found.seed}, ${seconds} s, ${kind}: ${message.split('\n')[0]?.slice(0, 120)}`);
  return true;
}

const waiting = PLANTED.filter(({ name }) => name.includes(values.only));
for (const fault of waiting) changed(fault); // all of them fit
const asked = waiting.length;
let missed = 0;
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let fault = waiting.shift(); fault !== undefined; fault = waiting.shift()) if (!(await tell(fault))) missed++;
  }),
);
console.log(
  missed === 0 ? `all ${asked} planted faults were found` : `${missed} of ${asked} planted faults were missed`,
);
process.exitCode = missed === 0 ? 0 : 1;
