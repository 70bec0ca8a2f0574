// Who is in the group.
import { connect } from '@nodekeeper/client';
import { GroupMember, Party } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
await using member = await new GroupMember(client, '/groups/workers', 'worker-1', 'ready').start();
member.on('joined', (id, data) => console.log(`${id} joined: ${data}`));
await using _other = await new GroupMember(client, '/groups/workers', 'worker-2', 'starting').start();
await new Promise((resolve) => member.once('changed', resolve) && member.setThisData('busy'));
console.log(
  [...member.getCurrentMembers()]
    .map(([id, data]) => `${id}: ${data}`)
    .sort()
    .join(', '),
);

await using party = new Party(client, '/groups/party', 'guest');
await party.join();
console.log(`${await party.size()} at the party`);
