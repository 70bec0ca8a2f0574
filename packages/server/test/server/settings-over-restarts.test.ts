// Settings that differ from start to start: what was acknowledged is there, or the start says why it cannot be.
import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OpCode } from '@nodekeeper/protocol';
import { loadConfig, startServer } from '../../dist/index.js';
import { nodeDisk } from '../../dist/storage/node-disk.js';
import { readLog } from '../../dist/storage/txn-log-reader.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { dataDir, RawClient, serve } from './raw-client.js';

const createTtl = (client: RawClient, path: string) =>
  client.request(OpCode.createTTL, (w) =>
    w.string(path).buffer(null).int(1).int(31).string('world').string('anyone').int(5).long53(60_000),
  );

test('TTL nodes and what is below them stay where extended types are off, and are TTL nodes again after that', async (t) => {
  const dir = dataDir(t);
  for (const [i, extendedTypesEnabled] of [true, false, false, true].entries()) {
    const running = await serve(t, { dataDir: dir, extendedTypesEnabled });
    const client = await RawClient.open(t, running.clientPort);
    if ((await client.getData('/t')) === undefined) {
      assert.equal((await createTtl(client, '/t')).error, 0);
      assert.equal((await createTtl(client, '/alone')).error, 0);
      assert.equal((await client.create('/t/child', 'x')).error, 0);
    }
    assert.equal(await client.getData('/t/child'), 'x');
    assert.notEqual(await client.getData('/alone'), undefined);
    assert.equal((await client.create(`/t/more-${i}`)).error, extendedTypesEnabled ? 0 : -108);
    assert.equal((await client.create('/n-', '', 2)).error, 0);
    assert.equal(running.server.database.tree.digestMismatches, 0);
    await running.close();
  }
});

test('members start again after extended types were off, TTL nodes or not', async (t) => {
  const ensemble = await Ensemble.of(t, ['participant', 'participant']);
  for (const extendedTypesEnabled of [true, false, false, true]) {
    await Promise.all([1, 2].map((id) => ensemble.start(id, { extendedTypesEnabled })));
    await ensemble.settled();
    const client = await ensemble.client(1);
    if (extendedTypesEnabled) await createTtl(client, '/t');
    await client.create('/t/child', 'x');
    assert.equal(await client.getData('/t/child'), 'x');
    assert.equal((await client.create('/n-', '', 2)).error, 0);
    await Promise.all([1, 2].map((id) => ensemble.stop(id)));
  }
});

test('without its list the end of a session carries no digest, which Apache’s servers would take for one', async (t) => {
  const dir = dataDir(t);
  const running = await serve(t, { dataDir: dir, 'closeSessionTxn.enabled': false });
  const client = await RawClient.open(t, running.clientPort);
  await client.create('/e', '', 1);
  await client.request(OpCode.closeSession);
  await running.close();
  const lengths: number[] = [];
  const logs = join(dir, 'version-2');
  const [log = ''] = readdirSync(logs).filter((name) => name.startsWith('log.'));
  readLog(nodeDisk, logs, log, 2 ** 20, (_buf, start, stop, _zxid, type) => {
    if (type === OpCode.closeSession) lengths.push(stop - start);
  });
  assert.deepEqual(lengths, [32]); // the header
  const again = await serve(t, { dataDir: dir });
  const other = await RawClient.open(t, again.clientPort);
  assert.equal(await other.getData('/e'), undefined);
  assert.equal(again.server.database.tree.digestMismatches, 0);
});

test('a member that may have forgotten transactions does not serve alone, until its marker is taken away', async (t) => {
  const dir = dataDir(t);
  await (await serve(t, { dataDir: dir })).close();
  const marker = join(dir, 'version-2', 'must-rejoin');
  writeFileSync(marker, 'log.1 is damaged');
  await assert.rejects(serve(t, { dataDir: dir }), /must-rejoin.*set damaged files aside/s);
  rmSync(marker);
  await serve(t, { dataDir: dir });
});

async function withNodes(t: TestContext, dataDir: string, name: string, count: number): Promise<void> {
  const running = await serve(t, { dataDir });
  const client = await RawClient.open(t, running.clientPort);
  for (let i = 0; i < count; i++) await client.create(`/${name}${i}`, name);
  await running.server.takeSnapshot();
  await running.close();
}

test('a history that was being replaced when a member ended is the new one for a server alone, too', async (t) => {
  const [old, fresh] = [dataDir(t), dataDir(t)];
  await withNodes(t, old, 'old', 12);
  await withNodes(t, fresh, 'new', 3);
  const files = join(fresh, 'version-2');
  const snapshots = readdirSync(files).filter((name) => name.startsWith('snapshot.'));
  const newest = snapshots.sort((a, b) => statSync(join(files, a)).size - statSync(join(files, b)).size).at(-1) ?? '';
  const replaced = readdirSync(join(old, 'version-2')).filter((name) => /^(log|snapshot)\./.test(name));
  copyFileSync(join(files, newest), join(old, 'version-2', newest));
  writeFileSync(join(old, 'version-2', 'replaced-by'), [newest, ...replaced].join('\n'));
  for (const written of [undefined, 'yes']) {
    const running = await serve(t, { dataDir: old });
    const client = await RawClient.open(t, running.clientPort);
    assert.equal(await client.getData('/new2'), 'new');
    assert.equal(await client.getData('/old11'), undefined);
    assert.equal(await client.getData('/written'), written);
    await client.create('/written', 'yes');
    await running.close();
  }
});

test('a server whose sessions would look like TTL nodes is not started', async (t) => {
  for (const [id, settings] of [
    [255, ['extendedTypesEnabled=true']],
    [128, ['extendedTypesEnabled=true', 'emulate353TTLNodes=true']],
  ] as const) {
    const dir = dataDir(t);
    writeFileSync(join(dir, 'myid'), `${id}\n`);
    const members = [
      `server.${id}=127.0.0.1:1:2`,
      'server.1=127.0.0.1:3:4',
      'clientPort=0',
      'initLimit=5',
      'syncLimit=5',
    ];
    const flags = [`dataDir=${dir}`, 'admin.enableServer=false', ...members, ...settings];
    await assert.rejects(startServer(loadConfig({ flags })), /would be taken for TTL nodes/);
  }
});
