// A value that all see, and that nobody overwrites unseen.
import { connect } from '@nodekeeper/client';
import { jsonSerializer, SharedCount, SharedValue } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using mode = await new SharedValue(client, '/shared/mode', 'normal', jsonSerializer<string>()).start();
mode.on('change', ({ value }) => console.log(`the mode is now ${value}`));
await mode.setValue('read only');
const isSet = await mode.trySetValue({ ...mode.versionedValue, version: 0 }, 'normal');
console.log(`with an old version: ${isSet}`);

await using count = await new SharedCount(client, '/shared/count', 1).start();
while (!(await count.trySetCount(count.versionedValue, count.count + 1)));
console.log(`counted to ${count.count}`);
