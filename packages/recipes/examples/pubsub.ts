// A publisher and two subscribers, one of which comes late.

import { connect } from '@nodekeeper/client';
import { jsonSerializer, type Subscription, Topic } from '@nodekeeper/recipes';

interface News {
  readonly headline: string;
}

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using publisher = await connect(servers);
await using reader = await connect(servers);
const topic = new Topic(publisher, '/examples/news', jsonSerializer<News>(), { retention: 100 });
const sameTopic = new Topic(reader, '/examples/news', jsonSerializer<News>());

async function print(name: string, subscription: Subscription<News>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { value } = await subscription.next();
    if (value?.type === 'message') console.log(`${name} reads ${value.sequence}: ${value.value.headline}`);
  }
  await subscription.return();
}

const early = sameTopic.subscribe();
await early.ready;
await topic.publish({ headline: 'it begins' });
await topic.publish({ headline: 'it goes on' });
await print('early', early, 2);
await print('late', sameTopic.subscribe({ from: 'oldest' }), 2);
