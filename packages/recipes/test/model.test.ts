// Model: typed values in nodes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecipeError, jsonSerializer, Model } from '../dist/index.js';
import { open, serve, until } from './support.js';

interface Person {
  readonly name: string;
  readonly age: number;
}

test('values are created, read, changed, listed, cached and deleted', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const people = new Model(client, '/app/people', jsonSerializer<Person>());
  assert.deepEqual(await people.list(), []);
  assert.equal(await people.create('ada', { name: 'Ada', age: 36 }), true);
  assert.equal(await people.create('ada', { name: 'Ada', age: 1 }), false);
  assert.equal((await people.read('ada'))?.value.age, 36);
  assert.equal(await people.read('bob'), undefined);
  await using cache = await people.cached().start();
  await Promise.all(
    Array.from({ length: 20 }, () => people.update('ada', (person) => ({ ...person, age: person.age + 1 }))),
  );
  await until(() => cache.current.get('ada')?.value.age === 56);
  assert.equal(await people.update('bob', (person) => person), undefined);
  await people.set('bob', { name: 'Bob', age: 3 });
  assert.deepEqual(
    (await people.list()).map(({ id, value }) => [id, value.age]),
    [
      ['ada', 56],
      ['bob', 3],
    ],
  );
  assert.equal(await people.delete('bob'), true);
  assert.equal(await people.delete('bob'), false);
  await client.setData('/app/people/ada', '{');
  await assert.rejects(people.read('ada'), (e) => isRecipeError(e, 'BadData') && e.path === '/app/people/ada');
  assert.throws(
    () => people.pathOf('a/b'),
    (e) => isRecipeError(e, 'BadArgument') && e.recipe === 'Model',
  );
});
