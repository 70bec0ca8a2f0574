// The order of children: as ZooKeeper 3.8.0 listed them after the same requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPEN_ACL_UNSAFE, OpCode, writeAclList } from '@nodekeeper/protocol';
import { MOST_ORDERED } from '../../dist/tree/child-order.js';
import { RawClient, serve } from './raw-client.js';

const locks = Array.from({ length: 300 }, (_, i) => `lock-${String((i * 7919) % 1000).padStart(10, '0')}`);

// `Aa` and `BB` have one hash in Java, and so have the words made of two of them.
const STEPS: readonly { create?: readonly string[]; remove?: readonly string[]; listed?: string }[] = [
  { create: ['c', 'b', 'a'], listed: 'a,b,c' },
  { create: ['BB', 'Aa', 'AaBB', 'BBAa', 'AaAa', 'BBBB'], listed: 'BB,Aa,a,b,c,AaBB,BBAa,AaAa,BBBB' },
  { remove: ['BB', 'AaBB'], listed: 'Aa,a,b,c,BBAa,AaAa,BBBB' },
  {
    create: ['AaBB', 'BB', 'äöü', '日本語', 'x y', 'foo13', 'foo1', 'foo12'],
    listed: 'Aa,BB,a,b,c,äöü,x y,foo12,foo13,foo1,日本語,BBAa,AaAa,BBBB,AaBB',
  },
  {
    remove: 'a b c Aa AaBB BBAa AaAa BBBB BB äöü 日本語 foo13 foo1'.split(' ').concat('x y'),
    listed: 'foo12',
  },
  // The table stays as large as it once was.
  { create: locks },
  { remove: locks.slice(0, 296), listed: 'lock-0000000943,lock-0000000024,foo12,lock-0000000862,lock-0000000781' },
  {
    create: ['q', 'w', 'e', 'r', 't', 'z'],
    listed: 'lock-0000000943,lock-0000000024,e,q,r,t,w,z,foo12,lock-0000000862,lock-0000000781',
  },
];

async function children(client: RawClient, path: string): Promise<string[]> {
  const { body: r } = await client.request(OpCode.getChildren, (w) => w.string(path).bool(false));
  return Array.from({ length: r.int() }, () => r.string() ?? '');
}

test('children are listed in the order of Apache’s server', async (t) => {
  const { clientPort } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  await client.create('/p');
  for (const { create = [], remove = [], listed } of STEPS) {
    for (const name of create) await client.create(`/p/${name}`);
    for (const name of remove) await client.request(OpCode.delete, (w) => w.string(`/p/${name}`).int(-1));
    if (listed !== undefined) assert.equal((await children(client, '/p')).join(), listed);
  }
  assert.deepEqual(await children(client, '/'), ['p', 'zookeeper']);
});

test('lists of any length are whole', async (t) => {
  const { clientPort } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  await client.create('/p');
  const names: string[] = [];
  for (const length of [1, 2, 7, MOST_ORDERED, MOST_ORDERED + 1]) {
    while (names.length < length) {
      names.push(`n${names.length}`);
      await client.create(`/p/${names.at(-1)}`);
    }
    assert.deepEqual((await children(client, '/p')).sort(), names.toSorted());
  }
});

test('names that collide, the youngest first in memory, are listed as fast as others', async (t) => {
  const { clientPort, server } = await serve(t);
  const client = await RawClient.open(t, clientPort);
  await client.create('/p');
  const all = async (op: number, names: readonly string[]): Promise<void> => {
    for (const name of names) {
      client.send(op, (w) => {
        w.string(`/p/${name}`);
        if (op === OpCode.delete) w.int(-1);
        else {
          w.buffer(null);
          writeAclList(w, OPEN_ACL_UNSAFE);
          w.int(0);
        }
      });
    }
    for (const _ of names) assert.equal((await client.reply()).error, 0);
  };
  const bits = Array.from({ length: 10 }, (_, bit) => bit);
  const colliding = Array.from({ length: 1000 }, (_, i) => bits.map((bit) => ((i >> bit) & 1 ? 'Aa' : 'BB')).join(''));
  const others = colliding.map((_, i) => `n${i}`);
  // Whoever is removed leaves his place to the last one.
  await all(OpCode.create, others);
  await all(OpCode.create, colliding);
  await all(OpCode.delete, others);
  const { store } = server.database.tree;
  const reads = t.mock.method(store, 'getLong');
  assert.deepEqual((await children(client, '/p')).sort(), colliding.sort());
  assert.ok(reads.mock.callCount() < 50_000, `${reads.mock.callCount()} looks at when a child was made`);
});
