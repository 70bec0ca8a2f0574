// `npm run sim:mutants [-- --only TEXT] [-- --seeds N]`: plants one fault after the other, and sees whether the simulator finds it.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PLANTED } from './faults.js';
import { changed } from './plant.js';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, seeds: { type: 'string', default: '1000' } },
});

const simulator = fileURLToPath(new URL('../sim/main.js', import.meta.url));
for (const fault of PLANTED) changed(fault); // all of them fit

let missed = 0;
for (const { name, servers = 3 } of PLANTED) {
  if (!name.includes(values.only)) continue;
  const began = performance.now();
  const run = spawnSync(
    process.execPath,
    [
      simulator,
      ...['--plant', name, '--servers', String(servers), '--observers', '0'],
      ...['--seeds', values.seeds, '--jobs', '1', '--until-failure', '--json'],
    ],
    { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
  );
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const found = run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { seed: number; violations: { kind: string; message: string }[] })
    .find(({ violations }) => violations.length > 0);
  if (found === undefined) {
    missed++;
    console.log(`MISSED  ${name} (${seconds} s)${run.stderr === '' ? '' : `\n${run.stderr}`}`);
  } else {
    const { kind, message } = found.violations[0] as { kind: string; message: string };
    console.log(`found   ${name}: seed ${found.seed}, ${seconds} s, ${kind}: ${message.split('\n')[0]?.slice(0, 150)}`);
  }
}
console.log(missed === 0 ? 'every planted fault was found' : `${missed} planted faults were not found`);
process.exitCode = missed === 0 ? 0 : 1;
