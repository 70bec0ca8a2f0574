// npm run bench:recipes: compares the recipes with Curator's against one server, by turns, and prints a table.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Client, connect } from '@nodekeeper/client';
import { describeEnvironment } from '../report/environment.js';
import { updateSection } from '../report/files.js';
import { launch } from '../servers/servers.js';
import {
  CACHE_CHANGES,
  CACHE_NODES,
  CASES,
  type CaseName,
  CONTENDERS,
  type Figures,
  HAND_OVERS,
  QUEUE_ITEMS,
} from './cases.js';

const HELP = `Usage: npm run bench:recipes -- [options]

Measures this project's recipes and Debian's Curator against one server, by turns, and prints a table as Markdown.

  --server which   ours (default) or apache
  --rounds n       how often; the table has the medians (default 5)
  --duration s     measured seconds of each rate (default 5), after --warmup s (default 3)
  --only case      one of ${CASES.join(', ')}
  --port n         where the server listens (default 21830)
  --dir path       where its data goes; in memory it is the recipes that are measured (default ${tmpdir()})
  --docs           write the table into docs/recipes/README.md, too
`;
const TARGET = 2;
const JARS = '/usr/share/java';
const WANTED =
  /^(zookeeper|zookeeper-jute|slf4j-api|slf4j-simple|netty-[a-z-]+|snappy-java|metrics-core|jackson-[a-z-]+|commons-cli|audience-annotations|jline2?|curator-(client|framework|recipes)|guava)\.jar$/;
const NAMES = ['curator', 'ours'] as const;
type Name = (typeof NAMES)[number];

/** A line of the table: a figure of a case, and whether more of it is better. */
interface Row {
  readonly title: string;
  readonly of: CaseName;
  readonly figure: string;
  readonly isRate: boolean;
  readonly unit: string;
}

const ROWS: readonly Row[] = [
  { title: 'lock: acquire and release', of: 'lock', figure: 'rate', isRate: true, unit: '/s' },
  { title: `the same with ${CONTENDERS} contenders`, of: 'contended-lock', figure: 'rate', isRate: true, unit: '/s' },
  { title: 'election: hand-over', of: 'hand-over', figure: 'median', isRate: false, unit: ' ms' },
  ...(['cache', 'large-cache'] as const).flatMap((of) => [
    { title: `cache of ${count(CACHE_NODES[of])} nodes: fill`, of, figure: 'fill', isRate: false, unit: ' ms' },
    { title: `cache of ${count(CACHE_NODES[of])} nodes: memory`, of, figure: 'memory', isRate: false, unit: ' MB' },
    { title: `cache of ${count(CACHE_NODES[of])} nodes: changes`, of, figure: 'changes', isRate: true, unit: '/s' },
    { title: 'CPU time of a change', of, figure: 'cpu', isRate: false, unit: ' µs' },
  ]),
  { title: 'queue: put', of: 'queue-put', figure: 'rate', isRate: true, unit: '/s' },
  { title: 'queue: take, at most once', of: 'queue-take', figure: 'rate', isRate: true, unit: '/s' },
  { title: 'queue: take, at least once', of: 'queue-take-locked', figure: 'rate', isRate: true, unit: '/s' },
];

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    server: { type: 'string', default: 'ours' },
    rounds: { type: 'string', default: '5' },
    duration: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '3' },
    only: { type: 'string' },
    port: { type: 'string', default: '21830' },
    dir: { type: 'string', default: tmpdir() },
    docs: { type: 'boolean', default: false },
  },
});
const classPath = readdirSync(JARS)
  .filter((name) => WANTED.test(name))
  .map((name) => join(JARS, name))
  .join(':');
if (values.help) process.stdout.write(HELP);
else await run();

async function run(): Promise<void> {
  if (values.server !== 'ours' && values.server !== 'apache') throw new Error('--server is ours or apache');
  const shared = { jars: JARS, heap: '4g', directory: values.dir, connect: undefined };
  const environment = describeEnvironment([values.server], shared);
  const classes = mkdtempSync(join(tmpdir(), 'bench-recipes-'));
  const results = new Map<string, number[]>();
  try {
    compile(classes);
    for (let round = 1; round <= Number(values.rounds); round++) {
      const server = await launch(values.server, { ...shared, port: Number(values.port), config: {} });
      try {
        await measureAll(round, classes, results);
      } finally {
        await server.stop();
      }
    }
  } finally {
    rmSync(classes, { recursive: true, force: true });
  }
  const { cpu, cores, memory, kernel, date } = environment;
  const rows = ROWS.filter(({ of }) => values.only === undefined || values.only === of).map((row) => {
    const [theirs, ours] = NAMES.map((name) => middle(results.get(`${row.of} ${row.figure} ${name}`) ?? [])) as [
      number,
      number,
    ];
    if (theirs === undefined) return [row.title, 'stops half-way', count(ours) + row.unit, '', 'met'];
    const ratio = row.isRate ? ours / theirs : theirs / ours;
    const cells = [row.title, count(theirs) + row.unit, count(ours) + row.unit, `${ratio.toFixed(1)}×`];
    return [...cells, ratio >= TARGET ? 'met' : 'not met'];
  });
  const report = [
    `${cpu}, ${cores} cores, ${memory}, ${kernel}; Node ${process.version}; ${javaVersion()}; ${date.slice(0, 10)}; medians of ${values.rounds} rounds of ${values.duration} s, by turns. Server: ${environment.servers[values.server]}${environment.warnings.length > 0 ? ', its data in memory' : ''}.`,
    table(['', 'Curator', '@nodekeeper/recipes', 'ratio', `≥ ${TARGET}×`], rows),
  ].join('\n\n');
  process.stdout.write(`${report}\n`);
  if (values.docs) updateSection('docs/recipes/README.md', report);
}

async function measureAll(round: number, classes: string, results: Map<string, number[]>): Promise<void> {
  const client = await connect(`127.0.0.1:${values.port}`);
  const cases = CASES.filter((one) => values.only === undefined || values.only === one);
  for (const one of cases) if (isCache(one)) await fillCache(client, one);
  for (const one of cases) {
    for (const name of round % 2 === 0 ? NAMES : [...NAMES].reverse()) {
      const figures = await measure(name, one, classes, client);
      process.stderr.write(`[${round}] ${one} ${name}: ${JSON.stringify(figures)}\n`);
      for (const [figure, value] of Object.entries(figures)) {
        const key = `${one} ${figure} ${name}`;
        results.set(key, [...(results.get(key) ?? []), value]);
      }
    }
  }
  await client.close();
}

type CacheCase = keyof typeof CACHE_NODES;

function isCache(one: CaseName): one is CacheCase {
  return one in CACHE_NODES;
}

async function fillCache(client: Client, which: CacheCase): Promise<void> {
  const data = Buffer.alloc(100);
  await client.create(`/${which}`);
  for (let i = 0; i < CACHE_NODES[which] / 1000; i++) await client.create(`/${which}/${i}`, { data });
  await allOf(client, leaves(which), (path) => client.create(path, { data }));
}

/** Below some nodes so many others that there are as many as are wanted in all. */
function* leaves(which: CacheCase): Generator<string> {
  const parents = CACHE_NODES[which] / 1000;
  for (let i = 0; i < CACHE_NODES[which] - parents; i++) yield `/${which}/${i % parents}/${i}`;
}

async function changeCache(client: Client, which: CacheCase): Promise<void> {
  const paths = [...leaves(which)].slice(0, CACHE_CHANGES);
  await allOf(client, paths, (path) => client.setData(path, Buffer.alloc(100)));
}

async function allOf(client: Client, paths: Iterable<string>, call: (path: string) => Promise<unknown>): Promise<void> {
  const calls: Promise<unknown>[] = [];
  for (const path of paths) {
    calls.push(call(path));
    await client.drained();
  }
  await Promise.all(calls);
}

async function measure(name: Name, one: CaseName, classes: string, client: Client): Promise<Figures> {
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url));
  const args = [one, values.port, values.warmup, values.duration];
  const sizes = [isCache(one) ? CACHE_NODES[one] : 0, CACHE_CHANGES, CONTENDERS, HAND_OVERS, QUEUE_ITEMS].map(String);
  const java = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=off', '-cp', `${classes}:${classPath}`, 'RecipeBench'];
  const child =
    name === 'ours'
      ? spawn(process.execPath, ['--expose-gc', worker, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('java', [...java, ...args, ...sizes], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let last = '';
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'ready' && isCache(one)) await changeCache(client, one);
    else last = line;
  }
  const [code] = (await closed) as [number | null];
  if (code !== 0) throw new Error(`${name} could not do ${one}`);
  return JSON.parse(last) as Figures;
}

function compile(classes: string): void {
  const source = fileURLToPath(new URL('../../java/RecipeBench.java', import.meta.url));
  const run = spawnSync('javac', ['-nowarn', '-encoding', 'UTF-8', '-d', classes, '-cp', classPath, source], {
    encoding: 'utf8',
  });
  if (run.status !== 0) throw new Error(`javac failed:\n${run.stderr}`);
}

function javaVersion(): string {
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  return run.stderr.split('\n')[0]?.replaceAll('"', '') ?? 'java';
}

function middle(all: readonly number[]): number | undefined {
  return [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
}

function count(value: number): string {
  return value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
