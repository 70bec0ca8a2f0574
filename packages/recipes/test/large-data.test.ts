// Data that is larger than the server takes costs a connection each time it is sent: who brings it hears of that, soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, isKeeperError } from '@nodekeeper/client';
import {
  Cluster,
  DistributedDoubleBarrier,
  DistributedQueue,
  GroupMember,
  InterProcessMutex,
  LiveConfiguration,
  LoadBalancer,
  NameService,
  NonBlockingLease,
  Party,
  PersistentNode,
  stringSerializer,
  Topic,
} from '../dist/index.js';
import { open, serve } from './support.js';

const large = 'x'.repeat(30_000);
const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as never;

const calls: Record<string, (client: Client) => Promise<unknown>> = {
  topic: (client) => new Topic(client, '/topic', stringSerializer).publish(large),
  node: (client) => new PersistentNode(client, '/node', { data: large }).start(),
  protectedNode: (client) => new PersistentNode(client, '/protected', { data: large, protect: true }).start(),
  member: (client) => new GroupMember(client, '/group', 'me', large).start(),
  name: (client) => new NameService(client, '/names').bind('a', 'address', { large }),
  offer: (client) => new LoadBalancer(client, '/balancer').offer('a', large),
  party: (client) => new Party(client, '/party', large).join(),
  lock: (client) => new InterProcessMutex(client, '/lock', { data: large }).acquire(),
  barrier: (client) => new DistributedDoubleBarrier(client, '/barrier', 2, { data: large }).enter(),
  lease: (client) => new NonBlockingLease(client, '/lease', 1000, { identifier: large }).obtain(),
  configuration: (client) => new LiveConfiguration(client, '/new', { schema, initial: { large } }).start(),
  update: async (client) => {
    await using configuration = await new LiveConfiguration(client, '/live', { schema, initial: {} }).start();
    await configuration.update({ large } as never);
  },
  queue: (client) => new DistributedQueue(client, '/queue', stringSerializer, { whenUnknown: 'repeat' }).put(large),
};

test('what is larger than the server takes is not sent without end', async (t) => {
  const server = await serve(t, { 'jute.maxbuffer': 20_000 });
  const isLoss = (error: unknown): boolean => isKeeperError(error, 'ConnectionLoss') && error.outcomeUnknown;
  await Promise.all(
    Object.entries(calls).map(async ([name, call]) => {
      const client = await open(t, server.clientPort, { reconnect: { minDelay: 1, maxDelay: 5 } });
      await assert.rejects(call(client), isLoss, name);
    }),
  );
});

test('a member whose data could not be written has its data of before', async (t) => {
  const server = await serve(t, { 'jute.maxbuffer': 20_000 });
  const [client, other] = [
    await open(t, server.clientPort, { reconnect: { minDelay: 1, maxDelay: 5 } }),
    await open(t, server.clientPort),
  ];
  await using node = await new PersistentNode(client, '/node', { data: 'small' }).start();
  await using cluster = await new Cluster(client, '/cluster', { id: 'me' }).start();
  await assert.rejects(node.setData(large), { codeName: 'ConnectionLoss' });
  await assert.rejects(cluster.report({ state: large }), { codeName: 'ConnectionLoss' });
  assert.equal(node.data, 'small');
  const made = new Promise((resolve) => node.once('created', resolve));
  await other.delete('/node');
  await made;
  assert.equal(String((await other.getData('/node')).data), 'small');
  await cluster.report({ load: 2 });
  assert.deepEqual(JSON.parse(String((await other.getData('/cluster/me')).data)), {
    state: 'ready',
    load: 2,
    metadata: {},
  });
});
