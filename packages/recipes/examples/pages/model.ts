// Values of one type in nodes.
import { connect } from '@nodekeeper/client';
import { jsonSerializer, Model } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const people = new Model(client, '/people', jsonSerializer<{ name: string; age: number }>());
await people.create('ada', { name: 'Ada', age: 36 });
await people.update('ada', (person) => ({ ...person, age: person.age + 1 }));
console.log((await people.read('ada'))?.value.age);
for (const { id, value } of await people.list()) console.log(`${id} is ${value.name}`);
