// The recipes of three languages on the same nodes: a Java process with Curator, a Python one with kazoo, and this
// project's take the same locks, join the same elections, and share counters, queues, barriers and groups.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connect } from '@nodekeeper/client';
import { compileJava, java, SOURCES } from '../clients/clients.js';
import { installMissing } from '../clients/packages.js';
import { type Kind, startServer } from '../servers/index.js';
import { Peer } from './peer.js';

const { values: options } = parseArgs({
  options: { server: { type: 'string', default: 'nodekeeper' }, only: { type: 'string', default: '' } },
});
const PACKAGES = [
  'zookeeper',
  'default-jdk-headless',
  'libcurator-recipes-java',
  'libcurator-client-java',
  'python3-kazoo',
];
const SHORT = 300;
const LONG = 20_000;

installMissing(PACKAGES);
const dir = mkdtempSync(join(tmpdir(), 'interop-recipes-'));
compileJava(dir, ['RecipePeer.java']);
const server = await startServer(options.server === 'apache' ? 'apache' : ('nodekeeper' satisfies Kind));
const client = await connect(`127.0.0.1:${server.port}`);
const port = String(server.port);
const own = fileURLToPath(new URL('./ours.js', import.meta.url));
const curator = new Peer('Curator', { ...java(dir, 'RecipePeer'), args: [...java(dir, 'RecipePeer').args, port] });
const kazoo = new Peer('kazoo', {
  file: '/usr/bin/python3',
  args: [join(SOURCES, 'python/recipe_peer.py'), port],
});
const likeCurator = new Peer('ours', { file: process.execPath, args: [own, port, 'curator'] });
const likeKazoo = new Peer('ours', { file: process.execPath, args: [own, port, 'kazoo'] });

/** Each library, with this project's process that uses its layouts. */
const PAIRS: readonly (readonly [Peer, Peer])[] = [
  [curator, likeCurator],
  [kazoo, likeKazoo],
];

let passed = 0;
let failed = 0;
let paths = 0;

/** Runs the check with a path of its own. */
async function check(name: string, action: (path: string) => Promise<void>): Promise<void> {
  if (!name.includes(options.only)) return;
  try {
    await action(`/interop/p${++paths}`);
    passed++;
    console.log(`ok - ${name}`);
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}\n  ${(error as Error).stack}`);
  }
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} instead of ${String(expected)}`);
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + LONG;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what} does not come true`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What goes with an item of such a queue: when it is due, its id, its priority. */
function detailOf(kind: string, delay: number): string | number {
  if (kind === 'delay') return Date.now() + delay;
  if (kind === 'id') return 'an-id';
  return kind === 'queue' || kind === 'locked' || kind === 'simple' ? '' : 7;
}

/** Both orders of two peers. */
function orders(pair: readonly [Peer, Peer]): readonly (readonly [Peer, Peer])[] {
  return [pair, [pair[1], pair[0]]];
}

for (const pair of PAIRS) {
  for (const [one, two] of orders(pair)) {
    for (const [first, second] of [
      ['mutex', 'mutex'],
      ['write', 'write'],
      ['write', 'read'],
      ['read', 'write'],
      ['semaphore1', 'semaphore1'],
    ] as const) {
      await check(
        `${first} of ${one.name} keeps ${second} of ${two.name} waiting until it is released`,
        async (path) => {
          equal(await one.ask('acquire', first, path, LONG), 'true', 'the first is acquired');
          equal(await two.ask('acquire', second, path, SHORT), 'false', 'the second is acquired');
          const waiting = two.ask('acquire', second, path, LONG);
          await one.ask('release', first, path);
          equal(await waiting, 'true', 'the second is acquired after the release');
          await two.ask('release', second, path);
        },
      );
    }
    await check(`readers of ${one.name} and ${two.name} read together`, async (path) => {
      equal(await one.ask('acquire', 'read', path, LONG), 'true', 'the first reads');
      equal(await two.ask('acquire', 'read', path, LONG), 'true', 'the second reads');
      await one.ask('release', 'read', path);
      await two.ask('release', 'read', path);
    });
    await check(`two leases are shared by ${one.name} and ${two.name}`, async (path) => {
      equal(await one.ask('acquire', 'semaphore2', path, LONG), 'true', 'the first');
      equal(await two.ask('acquire', 'semaphore2', path, LONG), 'true', 'the second');
      await one.ask('release', 'semaphore2', path);
      await two.ask('release', 'semaphore2', path);
    });
    await check(`${one.name} leads, then ${two.name}`, async (path) => {
      await one.ask('lead', 'selector', path, 'first');
      await until(async () => (await one.ask('leads', 'selector', path)) === 'true', 'the first leads');
      await two.ask('lead', 'selector', path, 'second');
      await until(async () => (await client.getChildren(path)).children.length === 2, 'both take part');
      equal(await two.ask('leader', 'selector', path), 'first', 'the leader that the second sees');
      equal(await two.ask('leads', 'selector', path), 'false', 'the second leads');
      await one.ask('resign', 'selector', path);
      await until(async () => (await two.ask('leads', 'selector', path)) === 'true', 'the second leads');
      await two.ask('resign', 'selector', path);
    });
    await check(`${one.name} and ${two.name} enter and leave a double barrier together`, async (path) => {
      await Promise.all([one.ask('enter', path, 2), two.ask('enter', path, 2)]);
      await Promise.all([one.ask('leave', path), two.ask('leave', path)]);
    });
    await check(`a barrier of ${one.name} holds ${two.name} back`, async (path) => {
      await client.ensurePath('/interop');
      await one.ask('gate', path, 'set');
      let isOpen = false;
      const waiting = two.ask('gate', path, 'wait').then(() => {
        isOpen = true;
      });
      await two.ask('acquire', 'mutex', `${path}-other`, LONG);
      equal(isOpen, false, 'the barrier is open');
      await one.ask('gate', path, 'remove');
      await waiting;
    });
  }
  const [library, ours] = pair;
  await check(`${library.name} and ours count together under a lock`, async (path) => {
    await client.create(`${path}-n`, { data: '0', createParents: true });
    await Promise.all(pair.map((peer) => peer.ask('hammer', 'mutex', path, `${path}-n`, 40)));
    equal(String((await client.getData(`${path}-n`)).data), '80', 'the sum');
  });
  for (const kind of library === curator ? ['long', 'int', 'shared'] : ['shared', 'decimal']) {
    await check(`${library.name} and ours share a counter (${kind})`, async (path) => {
      await Promise.all([0, 1, 2, 3, 4].flatMap(() => pair.map((peer) => peer.ask('add', kind, path, 3))));
      equal(await library.ask('add', kind, path, -1), '29', 'the sum that the library sees');
      equal(await ours.ask('add', kind, path, -2), '27', 'the sum that we see');
    });
  }
  const kinds = library === curator ? ['queue', 'locked', 'priority', 'delay', 'id', 'simple'] : ['plain', 'locking'];
  for (const kind of kinds) {
    for (const [from, to] of orders(pair)) {
      await check(`${to.name} takes what ${from.name} has put (${kind} queue)`, async (path) => {
        await from.ask('put', kind, path, 'one', detailOf(kind, 50));
        await from.ask('put', kind, path, 'two', detailOf(kind, 100));
        equal(await to.ask('take', kind, path), 'one', 'the first item');
        equal(await to.ask('take', kind, path), 'two', 'the second item');
      });
    }
  }
  for (const kind of library === curator ? ['group'] : ['party', 'shallow']) {
    await check(`${library.name} and ours see each other (${kind})`, async (path) => {
      await library.ask('join', kind, path, 'theirs');
      await ours.ask('join', kind, path, 'mine');
      for (const peer of pair) {
        await until(async () => (await peer.ask('members', kind, path)) === 'mine,theirs', `${peer.name} sees both`);
      }
      await library.ask('part', kind, path);
      await until(async () => (await ours.ask('members', kind, path)) === 'mine', 'the other has gone');
      await ours.ask('part', kind, path);
    });
  }
}

for (const [one, two] of orders([curator, likeCurator])) {
  await check(`the latch of ${one.name} is followed by that of ${two.name}`, async (path) => {
    await one.ask('lead', 'latch', path, 'first');
    await until(async () => (await one.ask('leads', 'latch', path)) === 'true', 'the first leads');
    await two.ask('lead', 'latch', path, 'second');
    await until(async () => (await client.getChildren(path)).children.length === 2, 'both take part');
    equal(await two.ask('leader', 'latch', path), 'first', 'the leader that the second sees');
    await one.ask('resign', 'latch', path);
    await until(async () => (await two.ask('leads', 'latch', path)) === 'true', 'the second leads');
    await two.ask('resign', 'latch', path);
  });
}

for (const [one, two] of orders([kazoo, likeKazoo])) {
  await check(`a lease of ${one.name} is respected by ${two.name}`, async (path) => {
    equal(await one.ask('lease', path, 3600, 'first'), 'true', 'the first has it');
    equal(await two.ask('lease', path, 3600, 'second'), 'false', 'the second has it');
    equal(await two.ask('lease', path, 3600, 'first'), 'true', 'it is renewed under the same name');
  });
}
await check('kazoo and ours divide a set', async (path) => {
  const members: readonly [Peer, string][] = [
    [kazoo, 'k'],
    [likeKazoo, 'o'],
  ];
  for (const [peer, id] of members) await peer.ask('partition', path, id, 'a,b,c,d');
  await until(async () => (await kazoo.ask('share', path)) === 'a,c', 'kazoo has its share');
  await until(async () => (await likeKazoo.ask('share', path)) === 'b,d', 'we have ours');
  await kazoo.ask('unpartition', path);
  await until(async () => (await likeKazoo.ask('share', path)) === 'a,b,c,d', 'we have all');
  await likeKazoo.ask('unpartition', path);
});

await check('Curator revokes our lock', async (path) => {
  await likeCurator.ask('acquire', 'mutex', path, LONG);
  await curator.ask('revoke', await likeCurator.ask('node', 'mutex', path));
  await until(async () => (await likeCurator.ask('holds', 'mutex', path)) === 'false', 'it is given back');
});

for (const ours of [likeCurator, likeKazoo]) {
  const layout = ours === likeCurator ? 'Curator' : 'kazoo';
  await check(`all three libraries count together under one lock, ours in the layout of ${layout}`, async (path) => {
    await client.create(`${path}-n`, { data: '0', createParents: true });
    const peers = [curator, kazoo, ours];
    await Promise.all(peers.flatMap((peer) => [0, 1].map(() => peer.ask('hammer', 'any', path, `${path}-n`, 15))));
    equal(String((await client.getData(`${path}-n`)).data), '90', 'the sum');
  });
}
await check('all three libraries share a counter', async (path) => {
  const peers = [curator, kazoo, likeCurator];
  await client.create(path, { data: Buffer.alloc(4), createParents: true });
  await Promise.all(peers.flatMap((peer) => [0, 1, 2, 3, 4].map(() => peer.ask('add', 'shared', path, 2))));
  equal(await likeCurator.ask('add', 'shared', path, 0), '30', 'the sum');
});
await check('all three libraries enter and leave a double barrier together', async (path) => {
  const peers = [curator, kazoo, likeCurator];
  await Promise.all(peers.map((peer) => peer.ask('enter', path, 3)));
  await Promise.all(peers.map((peer) => peer.ask('leave', path)));
});

await Promise.all([curator, kazoo, likeCurator, likeKazoo].map((peer) => peer.stop()));
await client.close();
await server.stop();
rmSync(dir, { recursive: true, force: true });
console.log(`${passed} checks of recipes shared with Curator and kazoo passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
