// npm run bench:client: compares clients against one server, by turns, and prints a table.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeEnvironment } from '../report/environment.js';
import { updateSection } from '../report/files.js';
import { launch } from '../servers/servers.js';
import { type ContestantName, contestants, type Operation, versionOf } from './contestants.js';
import type { Measurement } from './worker.js';

const HELP = `Usage: npm run bench:client -- [options]

Measures this client and node-zookeeper-client against one server, by turns, and prints a table as Markdown.

  --server which   ours (default) or apache
  --rounds n       how often; the table has the medians (default 5)
  --duration s     measured seconds of each case (default 3), after --warmup s (default 1)
  --port n         where the server listens (default 21820)
  --dir path       where its data goes; in memory it is the clients that are measured (default ${tmpdir()})
  --docs           write the table into docs/client.md, too
`;
const TARGET = 3;
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const OPERATIONS: readonly Operation[] = ['get', 'set', 'create'];
const OUTSTANDING = [1, 100] as const;
const NAMES = Object.keys(contestants) as ContestantName[];

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    server: { type: 'string', default: 'ours' },
    rounds: { type: 'string', default: '5' },
    duration: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '1' },
    port: { type: 'string', default: '21820' },
    dir: { type: 'string', default: tmpdir() },
    docs: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else await run();

async function run(): Promise<void> {
  if (values.server !== 'ours' && values.server !== 'apache') throw new Error('--server is ours or apache');
  const shared = { jars: '/usr/share/java', heap: '4g', directory: values.dir, connect: undefined };
  const environment = describeEnvironment([values.server], shared);
  const cases = OPERATIONS.flatMap((operation) => OUTSTANDING.map((outstanding) => ({ operation, outstanding })));
  const results = cases.map((one) => ({ ...one, of: new Map<ContestantName, Measurement[]>() }));
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const { operation, outstanding, of } of results) {
      for (let turn = 0; turn < NAMES.length; turn++) {
        const name = NAMES[(round + turn) % NAMES.length] as ContestantName;
        // Each finds the server as new: the nodes that another has created would slow it down.
        const server = await launch(values.server, { ...shared, port: Number(values.port), config: {} });
        try {
          const one = await measure(name, operation, outstanding);
          of.set(name, [...(of.get(name) ?? []), one]);
          process.stderr.write(`[${round}] ${operation} ${outstanding} ${name}: ${Math.round(one.rate)}/s\n`);
        } finally {
          await server.stop();
        }
      }
    }
  }
  const { cpu, cores, memory, kernel, date } = environment;
  const rows = results.map(({ operation, outstanding, of }) => {
    const median = (name: ContestantName, figure: keyof Measurement): number =>
      middle((of.get(name) ?? []).map((one) => one[figure]));
    const [other, ours, bare] = NAMES.map((name) => median(name, 'rate')) as [number, number, number];
    const costs = NAMES.map((name) => median(name, 'cpu').toFixed(1));
    const ratio = ours / other;
    const cells = [`${operation}, ${outstanding} outstanding`, count(other), count(ours), `${ratio.toFixed(1)}×`];
    return [...cells, ratio >= TARGET ? 'met' : 'not met', count(bare), ...costs];
  });
  const head = [
    '',
    'node-zookeeper-client',
    '@nodekeeper/client',
    'ratio',
    `≥ ${TARGET}×`,
    'bare socket',
    'its CPU µs',
    'our CPU µs',
    'bare CPU µs',
  ];
  const report = [
    `${cpu}, ${cores} cores, ${memory}, ${kernel}; Node ${process.version}; ${date.slice(0, 10)}; medians of ${values.rounds} rounds of ${values.duration} s, clients by turns, each with the server new and empty.`,
    `Server: ${environment.servers[values.server]}${environment.warnings.length > 0 ? ', its data in memory' : ''}. Clients: ${NAMES.slice(
      0,
      2,
    )
      .map((name) => `${name} ${versionOf(name)}`)
      .join(
        ', ',
      )}. Operations a second with 100 bytes of data; CPU time of the client's process for one of them; a bare socket sends prepared requests and does not read the answers, which is what server and kernel allow.`,
    table(head, rows),
  ].join('\n\n');
  process.stdout.write(`${report}\n`);
  if (values.docs) updateSection('docs/client.md', report);
}

async function measure(name: ContestantName, operation: Operation, outstanding: number): Promise<Measurement> {
  const args = [name, values.port, operation, String(outstanding), values.warmup, values.duration];
  const child = spawn(process.execPath, [WORKER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${name} could not do ${operation}`);
  return JSON.parse(output) as Measurement;
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
