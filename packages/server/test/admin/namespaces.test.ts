// Traffic and quotas by namespace, with the numbers that Apache's server 3.8.0 showed after the same requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JuteWriter, OpCode } from '@nodekeeper/protocol';
import { mntrText } from '../../dist/admin/mntr.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { NamespaceStats } from '../../dist/namespace-stats.js';
import { RawClient, serve } from '../server/raw-client.js';

const AS_APACHE = `
zk_ns24900_quota_bytes_limit_per_namespace	-1
zk_ns24900_quota_bytes_usage_per_namespace	2
zk_ns24900_quota_count_limit_per_namespace	4
zk_ns24900_quota_count_usage_per_namespace	3
zk_ns24900_quota_exceeded_error_per_namespace	2
zk_avg_ns24900_read_per_namespace	77.3333
zk_min_ns24900_read_per_namespace	77
zk_max_ns24900_read_per_namespace	78
zk_cnt_ns24900_read_per_namespace	3
zk_sum_ns24900_read_per_namespace	232
zk_avg_ns24900_write_per_namespace	10.3333
zk_min_ns24900_write_per_namespace	9
zk_max_ns24900_write_per_namespace	12
zk_cnt_ns24900_write_per_namespace	6
zk_sum_ns24900_write_per_namespace	62
zk_avg_zookeeper_write_per_namespace	57.3333
zk_min_zookeeper_write_per_namespace	24
zk_max_zookeeper_write_per_namespace	93
zk_cnt_zookeeper_write_per_namespace	3
zk_sum_zookeeper_write_per_namespace	172
`
  .trim()
  .split('\n');

test('reads, writes and quotas are counted by namespace as Apache counts them', async (t) => {
  const { clientPort, server } = await serve(t, { enforceQuota: true });
  const a = await RawClient.open(t, clientPort);
  const at = (path: string, more?: (w: JuteWriter) => void) => {
    return (w: JuteWriter): void => {
      w.string(path);
      more?.(w);
    };
  };
  const watched = (w: JuteWriter): JuteWriter => w.bool(true);
  await a.create('/ns24900', 'x');
  await a.create('/ns24900/b', 'x');
  await a.request(OpCode.getData, at('/ns24900', watched));
  await a.request(OpCode.getChildren, at('/ns24900', watched));
  await a.request(
    OpCode.getChildren2,
    at('/', (w) => w.bool(false)),
  );
  await a.request(OpCode.exists, at('/ns24900/b', watched));
  await a.request(
    OpCode.setData,
    at('/ns24900/b', (w) => w.buffer(null).int(-1)),
  );
  await a.request(OpCode.getACL, at('/ns24900'));
  await a.request(OpCode.multi, (w) => {
    w.int(OpCode.create).bool(false).int(-1).string('/ns24900/m').buffer(null);
    w.int(1).int(31).string('world').string('anyone').int(0).int(-1).bool(true).int(-1);
  });
  const quota = '/zookeeper/quota/ns24900';
  await a.create(quota, '');
  await a.create(`${quota}/zookeeper_limits`, 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=4');
  await a.create(`${quota}/zookeeper_stats`, 'count=0,bytes=0');
  for (const name of ['q1', 'q2', 'q3']) await a.create(`/ns24900/${name}`, 'x');
  await a.request(
    OpCode.delete,
    at('/ns24900/b', (w) => w.int(-1)),
  );
  const told = mntrText(viewOf(server)).trim().split('\n');
  assert.deepEqual(told.filter((line) => line.includes('_per_namespace')).sort(), [...AS_APACHE].sort());

  const watchers = (event: string): string | undefined =>
    told.find((line) => line.startsWith(`zk_cnt_node_${event}_watch_count`))?.split('\t')[1];
  assert.deepEqual(
    ['created', 'changed', 'children', 'deleted'].map(watchers),
    ['0', '1', '1', '0'],
    'the watches on the node and on its children have fired',
  );
  assert.match(told.join('\n'), /^zk_watch_bytes\t[1-9]/m);

  server.resetStats();
  const anew = mntrText(viewOf(server));
  for (const line of ['zk_cnt_ns24900_read_per_namespace', 'zk_sum_zookeeper_write_per_namespace'])
    assert.match(anew, new RegExp(`^${line}\t0$`, 'm'));
  assert.match(anew, /^zk_ns24900_quota_exceeded_error_per_namespace\t0$/m);
  assert.doesNotMatch(anew, /zookeeper_read_per_namespace/, 'nobody read there');
});

test('namespaces that look alike are told apart, and so are their paths', () => {
  const stats = new NamespaceStats();
  const read = (path: string): void => {
    const bytes = Buffer.from(`..${path}..`);
    stats.read(bytes, 2, bytes.length - 2, 0);
  };
  for (const path of ['/ab', '/ab/x', '/bb/x', '/ab', '/a', '/a/b', '/é/x', '/', '', '/bb']) read(path);
  assert.deepEqual(
    [...stats.values()].map(({ name, reads }) => [name, reads?.count]),
    [
      ['ab', 3],
      ['bb', 2],
      ['a', 2],
      ['é', 1],
    ],
  );
});

test('however many namespaces are made, those beyond a thousand are counted together', () => {
  const stats = new NamespaceStats();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 3000; i++) {
      const path = Buffer.from(`/n${i}/x`);
      stats.written(path, 0, path.length, 1);
    }
  }
  const all = [...stats.values()];
  assert.equal(all.length, 1001);
  assert.equal(all.find(({ name }) => name === 'n999')?.writes?.count, 2);
  assert.equal(all.find(({ name }) => name === '(others)')?.writes?.count, 4000);
});

test('namespaces with names longer than 256 bytes are counted together', () => {
  const stats = new NamespaceStats();
  for (const length of [256, 257, 100_000]) {
    const path = Buffer.from(`/${'x'.repeat(length)}/y`);
    stats.written(path, 0, path.length, 1);
    stats.written(path, 0, path.length - 2, 1);
  }
  assert.deepEqual(
    [...stats.values()].map(({ name, writes }) => [name.length, writes?.count]),
    [
      [256, 2],
      ['(others)'.length, 4],
    ],
  );
});
