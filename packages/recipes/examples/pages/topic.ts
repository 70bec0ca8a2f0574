// Messages in one order for all.
import { connect } from '@nodekeeper/client';
import { jsonSerializer, Topic } from '@nodekeeper/recipes';

await using client = await connect(process.env.ZK ?? '127.0.0.1:2181');
const topic = new Topic(client, '/topics/prices', jsonSerializer<{ price: number }>(), { retention: 500 });
const subscription = topic.subscribe();
await subscription.ready;
await topic.publish({ price: 7 });
for await (const delivery of subscription) {
  if (delivery.type === 'message') console.log(`${delivery.sequence}: ${delivery.value.price}`);
  else if (delivery.type === 'gap') console.log(`${delivery.missed} were missed`);
  break;
}
