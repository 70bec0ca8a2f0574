// Nodes as values of one type, checked when they are read.

import { connect } from '@nodekeeper/client';
import { jsonSerializer, Model } from '@nodekeeper/recipes';

interface Person {
  readonly name: string;
  readonly age: number;
}

function person(value: unknown): Person {
  const { name, age } = value as Partial<Person>;
  if (typeof name !== 'string' || typeof age !== 'number') throw new TypeError('no person');
  return { name, age };
}

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const people = new Model(client, '/examples/people', jsonSerializer(person));
await people.create('ada', { name: 'Ada', age: 36 });
await people.create('alan', { name: 'Alan', age: 41 });
await people.update('ada', ({ name, age }) => ({ name, age: age + 1 }));
for (const { id, value } of await people.list()) console.log(`${id}: ${value.name} is ${value.age}`);

await client.setData(people.pathOf('alan'), '"no person"');
await people.read('alan').catch((error) => console.log(error.message));
