// A node that stays, a group that knows its members, and a party in kazoo's layout.

import { connect } from '@nodekeeper/client';
import { GroupMember, Party, PersistentNode } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using client = await connect(servers);
await using other = await connect(servers);

await using node = await new PersistentNode(client, '/examples/here', { data: 'I am here' }).start();
const again = new Promise((resolve) => node.once('created', resolve));
await other.delete('/examples/here'); // by mistake
await again;
console.log(`it says again: ${(await other.getData('/examples/here')).data}`);

await using a = await new GroupMember(client, '/examples/group', 'a', 'first').start();
const joined = new Promise((resolve) => a.once('joined', resolve));
await using _b = await new GroupMember(other, '/examples/group', 'b', 'second').start();
await joined;
console.log(
  `members: ${[...a.getCurrentMembers()]
    .map(([id, data]) => `${id} (${data})`)
    .sort()
    .join(', ')}`,
);

await using party = new Party(client, '/examples/party', 'typescript');
await party.join();
console.log(`at the party: ${(await party.members()).join()}`);
