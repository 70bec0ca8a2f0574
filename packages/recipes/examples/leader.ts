// Three participants elect a leader; each leads for a moment and lets the next one lead.

import { connect } from '@nodekeeper/client';
import { followLeader, LeaderSelector } from '@nodekeeper/recipes';

const servers = process.env.ZK ?? '127.0.0.1:2181';
await using observer = await connect(servers);
const stop = new AbortController();
const terms = new Set<string>();
let done: () => void = () => {};
const all = new Promise<void>((resolve) => {
  done = resolve;
});

async function participate(id: string): Promise<void> {
  await using client = await connect(servers);
  const lead = async ({ fencingToken }: { readonly fencingToken: number }): Promise<void> => {
    console.log(`${id} leads, with token ${fencingToken}`);
    terms.add(id);
    if (terms.size === 3) done();
    await client.sync(); // a leader's work; returning gives the leadership on
  };
  await using _selector = new LeaderSelector(client, '/examples/leader', lead, { id, autoRequeue: true }).start();
  await all;
}

const looking = (async () => {
  for await (const leader of followLeader(observer, '/examples/leader', {
    election: 'selector',
    signal: stop.signal,
  })) {
    if (leader !== undefined) console.log(`seen from outside: ${leader.id}`);
  }
})();
await Promise.all(['a', 'b', 'c'].map(participate));
stop.abort();
await looking;
console.log('everybody has led');
