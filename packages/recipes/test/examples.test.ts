// The example programs and the examples of the documentation: each runs to its end and says what it should.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { leftovers, open, serve, until } from './support.js';

const PACKAGE = new URL('../', import.meta.url);
const DOCS = new URL('../../docs/recipes/', PACKAGE);
const programs = (folder: string): string[] =>
  readdirSync(new URL(folder, PACKAGE))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -'.ts'.length));

/** Of each program, the last line that it prints. */
const LAST_LINES: Record<string, string | RegExp> = {
  async: 'no node /examples/none',
  barriers: 'all have done their work',
  caches: 'left: apples',
  cluster: 'left: two',
  configuration: /"port": 5432\n}$/,
  counters: 'the limit is now 8',
  crud: 'deleted 2 nodes',
  discovery: 'names below eu: payments',
  leader: 'everybody has led',
  'load-balancing': 'large has 6 clients',
  locking: 'each worker had its turns, one at a time',
  membership: 'at the party: typescript',
  model: 'Model /examples/people/alan: cannot be read: TypeError: no person',
  pubsub: 'late reads 1: it goes on',
  queues: 'done: sweep the floor',
};

const LAST_LINES_OF_PAGES: Record<string, string> = {
  atomic: 'ada',
  barrier: 'the gate is open',
  cache: 'children: a; still there: true',
  cluster: 'ready: nobody',
  configuration: 'the limit is 10',
  'double-barrier': 'both are out',
  'file-sync': 'good bye',
  'group-member': '1 at the party',
  'leader-latch': 'node-1: true',
  'leader-selector': 'the backup was made by the leader',
  lease: 'one of two: /leases/report/0',
  'load-balancer': 'goes to 10.0.0.1:80',
  model: 'ada is Ada',
  'multi-lock': 'tokens: 2, held: true',
  mutex: 'held by /locks/report/',
  naming: '0 addresses',
  'persistent-node': 'outlives me by a minute',
  'plain-queue': 'worked on before it goes',
  queue: 'mail to grace',
  'queue-sharder': 'consumed an item',
  'read-write-lock': 'a downgraded writer reads: true',
  revocable: 'given back on request',
  semaphore: 'now there is one: true',
  'set-partitioner': 'works on queue-a,queue-b',
  'shared-value': 'counted to 2',
  topic: '0: 7',
};

function runs(folder: string, name: string, last: string | RegExp | undefined): void {
  test(`${folder}${name} runs`, async (t) => {
    assert.ok(last !== undefined, 'it says something that can be checked');
    const server = await serve(t);
    process.env.ZK = `127.0.0.1:${server.clientPort}`;
    const lines: string[] = [];
    t.mock.method(console, 'log', (line: unknown) => lines.push(String(line)));
    await import(new URL(`./examples/${folder}${name}.js`, import.meta.url).href);
    const isLast = (line = ''): boolean => (typeof last === 'string' ? line.startsWith(last) : last.test(line));
    await until(() => lines.some(isLast), `${lines.join('\n')}: ${last}`);
    const client = await open(t, server.clientPort);
    await until(async () => (await leftovers(client, server)).watches === 0, 'no watch is left');
  });
}

for (const name of programs('examples/')) runs('', name, LAST_LINES[name]);
for (const name of programs('examples/pages/')) runs('pages/', name, LAST_LINES_OF_PAGES[name]);

test('the documentation shows the examples that run', () => {
  const shown = new Set<string>();
  for (const page of readdirSync(DOCS)) {
    const text = readFileSync(new URL(page, DOCS), 'utf8');
    for (const [, name, code] of text.matchAll(/<!-- ([\w-]+)\.ts -->\n```ts\n([\s\S]*?)```/g)) {
      const file = new URL(`examples/pages/${name}.ts`, PACKAGE);
      assert.equal(code, readFileSync(file, 'utf8'), `${page} shows ${fileURLToPath(file)}`);
      shown.add(name as string);
    }
  }
  assert.deepEqual([...shown].sort(), programs('examples/pages/').sort());
});
