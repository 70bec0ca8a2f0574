// What operators see of an ensemble: Apache's servers and ours brought to the same states, and asked everything.

import { parseArgs } from 'node:util';
import { COMMON_PACKAGES } from '../clients/clients.js';
import { installMissing } from '../clients/packages.js';
import type { Kind } from '../servers/index.js';
import { knownDifference } from './known-differences.js';
import type { Looked } from './look.js';
import { metricDifferences } from './metrics.js';
import { STATES, type State, seenIn } from './states.js';

const { values: options } = parseArgs({
  options: {
    state: { type: 'string', multiple: true, default: [] },
    against: { type: 'string', default: 'ours' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (options.help) {
  console.log(`usage: node interop/dist/admin/main.js [--state N]... [--against KIND] [--keep]
  --state N       only this one: ${STATES.map(({ title }, n) => `${n + 1} (${title})`).join(', ')}
  --against KIND  what is compared with Apache's servers: ours, or apache for a check of the test itself
  --keep          keeps the directories`);
  process.exit(0);
}

const tested: Kind = options.against === 'apache' ? 'apache' : 'nodekeeper';
installMissing(COMMON_PACKAGES);
let passed = 0;
/** What failed, told again at the end: who reads the last lines of a log shall find it. */
const failed: string[] = [];
for (const [n, state] of STATES.entries()) {
  if (options.state.length === 0 || options.state.includes(String(n + 1))) await compareIn(state);
}
console.log(`1..${passed + failed.length}`);
if (failed.length > 0) console.log(`# failed:\n${failed.join('\n')}`);
console.log(`${passed} passed, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);

async function compareIn(state: State): Promise<void> {
  console.log(`# ${state.title}`);
  const apache = await seenIn(state, 'apache', options.keep);
  const ours = await seenIn(state, tested, options.keep);
  for (const [title, looked] of apache) compare(title, looked, ours.get(title));
}

function compare(title: string, apache: Looked, ours: Looked | undefined): void {
  for (const [asked, expected] of apache.answers) {
    const answer = ours?.answers.get(asked) ?? '';
    const same = answer === expected || (tested !== 'apache' && knownDifference(asked, expected, answer) !== undefined);
    report(`${title}: ${asked}`, same ? [] : differingLines(expected, answer));
  }
  report(`${title}: mntr`, metricDifferences(apache.metrics, ours?.metrics ?? new Map()));
}

function report(what: string, differences: readonly string[]): void {
  const ok = differences.length === 0;
  const lines = [
    `${ok ? 'ok' : 'not ok'} ${passed + failed.length + 1} - ${what}`,
    ...differences.map((line) => `#   ${line}`),
  ].join('\n');
  if (ok) passed += 1;
  else failed.push(lines);
  console.log(lines);
}

/** Apache's lines that ours lacks, and the other way round. */
function differingLines(apache: string, ours: string): string[] {
  const [a, b] = [apache.split('\n'), ours.split('\n')];
  const lines = [
    ...a.filter((x) => !b.includes(x)).map((x) => `Apache's: ${x}`),
    ...b.filter((x) => !a.includes(x)).map((x) => `ours: ${x}`),
  ];
  return lines.length > 0 ? lines : [`Apache's: ${apache}`, `ours: ${ours}`];
}
