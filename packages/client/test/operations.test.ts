// Every operation against a server, with its results and its errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, isKeeperError, KeeperError, Perms, retryNTimes, TransactionError } from '../dist/index.js';
import { Relay } from './relay.js';
import { open, serve } from './support.js';

test('a node is created, read, written and deleted', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const made = await client.create('/a', { data: 'one' });
  assert.equal(made.path, '/a');
  assert.equal(made.stat.dataLength, 3);
  const { data, stat } = await client.getData('/a');
  assert.equal(data?.toString(), 'one');
  assert.deepEqual(stat, made.stat);
  const written = await client.setData('/a', Buffer.from('two'), { version: 0 });
  assert.equal(written.version, 1);
  assert.deepEqual(await client.exists('/a'), written);
  await client.delete('/a', { version: 1 });
  assert.equal(await client.exists('/a'), null);
});

test('null and no bytes are kept apart', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.create('/null', { data: null });
  await client.create('/empty');
  assert.equal((await client.getData('/null')).data, null);
  assert.deepEqual((await client.getData('/empty')).data, Buffer.alloc(0));
});

test('nodes of every mode are created', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.create('/m');
  assert.equal((await client.create('/m/s-', { mode: 'persistentSequential' })).path, '/m/s-0000000000');
  assert.equal((await client.create('/m/', { mode: 'ephemeralSequential' })).path, '/m/0000000001');
  const ephemeral = await client.create('/m/e', { mode: 'ephemeral' });
  assert.equal(ephemeral.stat.ephemeralOwner, client.sessionId);
  assert.equal((await client.create('/m/c', { mode: 'container' })).path, '/m/c');
  assert.equal((await client.create('/m/t', { mode: 'persistentWithTtl', ttl: 60_000 })).path, '/m/t');
  const both = await client.create('/m/ts-', { mode: 'persistentSequentialWithTtl', ttl: 1 });
  assert.match(both.path, /^\/m\/ts-\d{10}$/);
});

test('a time to live stands only with the modes that have one', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await assert.rejects(client.create('/x', { ttl: 5 }), { codeName: 'BadArguments' });
  await assert.rejects(client.create('/x', { mode: 'persistentWithTtl' }), { codeName: 'BadArguments' });
  await assert.rejects(client.create('/x', { mode: 'persistentWithTtl', ttl: 2 ** 40 }), { codeName: 'BadArguments' });
  assert.throws(() => client.transaction().create('/x', { ttl: 5 }), { codeName: 'BadArguments' });
});

test('an error names its code, the operation and the path', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const error = await client.getData('/none').catch((e: unknown) => e);
  assert.ok(error instanceof KeeperError);
  assert.equal(error.code, -101);
  assert.equal(error.codeName, 'NoNode');
  assert.equal(error.operation, 'getData');
  assert.equal(error.path, '/none');
  assert.equal(error.outcomeUnknown, false);
  assert.equal(error.message, 'NoNode (-101) in getData /none');
  assert.ok(isKeeperError(error, 'NoNode'));
  assert.ok(!isKeeperError(error, 'NodeExists'));
});

test('a bad path is refused before anything is sent', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  for (const path of ['', 'a', '/a/', '//', '/a/../b']) {
    await assert.rejects(client.getData(path), { codeName: 'BadArguments', operation: 'getData', path });
  }
  assert.equal(client.backlog, 0);
});

test('children are listed, counted, and deleted with all below', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.ensurePath('/top/mid/low');
  await client.create('/top/other/deep/leaf', { createParents: true, mode: 'ephemeral' });
  const { children, stat } = await client.getChildren('/top');
  assert.deepEqual(children.sort(), ['mid', 'other']);
  assert.equal(stat.numChildren, 2);
  assert.equal(await client.getAllChildrenNumber('/top'), 5);
  assert.deepEqual(await client.getEphemerals('/top'), ['/top/other/deep/leaf']);
  assert.equal(await client.deleteRecursive('/top'), 6);
  assert.equal(await client.deleteRecursive('/top'), 0);
});

test('a path that is there is ensured though its nodes could not be made', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.ensurePath('/app/topic');
  const acl = [{ perms: Perms.read, scheme: 'world', id: 'anyone' }];
  await client.setACL('/app', acl);
  await client.setACL('/', acl);
  await client.ensurePath('/app/topic');
  await client.ensurePath('/app/topic/below');
  await (await open(t, `127.0.0.1:${clientPort}/app`)).ensurePath('/');
  await assert.rejects(client.ensurePath('/app/other'), { codeName: 'NoAuth' });
  await assert.rejects(client.ensurePath('/other/below'), { codeName: 'NoAuth' });
});

test('deleting many nodes that may not be deleted is refused, once', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort, { maxOutstanding: 20 });
  await client.create('/kept');
  await Promise.all(Array.from({ length: 100 }, (_, i) => client.create(`/kept/${i}`)));
  const withoutDelete = Perms.all & ~Perms.delete;
  await client.setACL('/kept', [{ perms: withoutDelete, scheme: 'world', id: 'anyone' }]);
  // A rejection that nobody handles would fail the test.
  await assert.rejects(client.deleteRecursive('/kept'), { codeName: 'NoAuth' });
  assert.equal((await client.getChildren('/kept')).children.length, 100);
});

test('an ACL is read and set, and an identity counts after addAuth', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const acl = [{ perms: Perms.all, scheme: 'digest', id: 'bob:tpsL9nnQA34CxfbGZgIUuwB8uwE=' }];
  await client.create('/mine');
  await client.addAuth('digest', 'bob:secret');
  await client.setACL('/mine', [{ perms: Perms.all, scheme: 'auth', id: '' }], { version: 0 });
  const read = await client.getACL('/mine');
  assert.equal(read.acl[0]?.scheme, 'digest');
  assert.match(read.acl[0]?.id ?? '', /^bob:/);
  assert.equal(read.stat.aversion, 1);
  assert.notDeepEqual(read.acl, acl);
  assert.ok((await client.whoAmI()).some(({ scheme, id }) => scheme === 'digest' && id.startsWith('bob')));
  const other = await open(t, clientPort);
  await assert.rejects(other.getData('/mine'), { codeName: 'NoAuth' });
  const later = await open(t, clientPort, { auth: [{ scheme: 'digest', auth: 'bob:secret' }] });
  await later.getData('/mine');
});

test('an identity that the server refuses rejects addAuth, and the session goes on', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const id = client.sessionId;
  await assert.rejects(client.addAuth('nonsense', 'x'), { codeName: 'AuthFailed' });
  await client.sync();
  assert.equal(client.sessionId, id);
});

test('a transaction gives typed results, or says which operation failed', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const [made, nothing, stat, gone, numbered] = await client
    .transaction()
    .create('/t', { data: 'x' })
    .check('/t', { version: 0 })
    .setData('/t', 'yy')
    .delete('/t')
    .create('/n-', { mode: 'ephemeralSequential' })
    .commit();
  assert.equal(made.path, '/t');
  assert.equal(nothing, undefined);
  assert.equal(stat.dataLength, 2);
  assert.equal(gone, undefined);
  assert.match(numbered.path, /^\/n-\d{10}$/);
  const error = await client
    .transaction()
    .create('/u')
    .setData('/none', '')
    .delete('/u')
    .commit()
    .catch((e: unknown) => e);
  assert.ok(error instanceof TransactionError);
  assert.equal(error.index, 1);
  assert.equal(error.path, '/none');
  assert.equal(error.codeName, 'NoNode');
  assert.deepEqual(error.codes, [0, -101, -2]);
  assert.equal(await client.exists('/u'), null);
  assert.deepEqual(await client.transaction().commit(), []);
});

test('a transaction that was built on stays as it was', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const base = client.transaction().create('/b');
  base.create('/never');
  assert.equal((await base.commit()).length, 1);
  assert.equal(await client.exists('/never'), null);
});

test('a check on its own succeeds, or fails with its code', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.create('/c');
  await client.check('/c', { version: 0 });
  await assert.rejects(client.check('/c', { version: 3 }), { codeName: 'BadVersion', path: '/c' });
});

test('reads of a multiRead stand on their own', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await client.create('/r', { data: 'x' });
  const [node, children, missing] = await client.multiRead([
    { op: 'getData', path: '/r' },
    { op: 'getChildren', path: '/' },
    { op: 'getData', path: '/none' },
  ]);
  assert.ok(!(node instanceof KeeperError));
  assert.equal(node.data?.toString(), 'x');
  assert.ok(!(children instanceof KeeperError));
  assert.ok(children.includes('r'));
  assert.ok(isKeeperError(missing, 'NoNode'));
  assert.equal(missing.path, '/none');
});

test('a chroot is put before paths and taken from results', async (t) => {
  const { clientPort } = await serve(t);
  const plain = await open(t, clientPort);
  const client = await open(t, `127.0.0.1:${clientPort}/app/one`);
  await client.ensurePath('/');
  assert.ok(await plain.exists('/app/one'));
  assert.equal((await client.create('/e', { mode: 'ephemeral' })).path, '/e');
  assert.deepEqual(await client.getEphemerals(), ['/e']);
  const [made] = await client.transaction().create('/f').commit();
  assert.equal(made.path, '/f');
  assert.ok(await plain.exists('/app/one/f'));
  const { children } = await client.getChildren('/');
  assert.deepEqual(children.sort(), ['e', 'f']);
  const error = await client.getData('/none').catch((e: unknown) => e);
  assert.equal((error as KeeperError).path, '/none');
  assert.ok((await client.create('/', { mode: 'persistentSequential' })).path.startsWith('/0'));
});

test('what is missing above a node is created, the chroot as well', async (t) => {
  const { clientPort } = await serve(t);
  for (const [chroot, path] of [
    ['/one/top', '/a'],
    ['/two/top', '/a/b'],
    ['/three/top', '/'],
  ] as const) {
    const client = await open(t, `127.0.0.1:${clientPort}${chroot}`);
    const mode = path === '/' ? 'persistentSequential' : 'persistent';
    await assert.rejects(client.create(path, { mode }), { codeName: 'NoNode' });
    const made = await client.create(path, { mode, createParents: true });
    assert.ok(await client.exists(made.path));
  }
});

test('a request beyond maxRequest is refused here, and the connection stays', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const id = client.sessionId;
  await assert.rejects(client.create('/big', { data: Buffer.alloc(1_100_000) }), { codeName: 'BadArguments' });
  const { data } = await client.create('/ok', { data: Buffer.alloc(1_000_000, 7) }).then(() => client.getData('/ok'));
  assert.equal(data?.length, 1_000_000);
  assert.equal(data?.[999_999], 7);
  assert.equal(client.sessionId, id);
});

test('with a larger maxRequest what is written can be read again', async (t) => {
  const limit = 70_000_000;
  const { clientPort } = await serve(t, { 'jute.maxbuffer': limit, maxSessionTimeout: 30_000 });
  const client = await open(t, clientPort, { maxRequest: limit, sessionTimeout: 30_000 });
  assert.equal(client.sessionTimeout, 30_000, 'pings wait behind what is large');
  await client.create('/large', { data: Buffer.alloc(limit - 100) });
  const { data } = await client.getData('/large');
  assert.equal(data?.length, limit - 100);
});

test('thousands of calls at once are all answered, in order', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  const calls = [];
  for (let i = 0; i < 5000; i++) calls.push(client.create('/q-', { mode: 'ephemeralSequential' }));
  const paths = (await Promise.all(calls)).map(({ path }) => path);
  assert.deepEqual(paths, [...paths].sort());
  assert.equal(new Set(paths).size, 5000);
});

test('a client is disposed of with `await using`', async (t) => {
  const { clientPort } = await serve(t);
  const other = await open(t, clientPort);
  const client = await open(t, clientPort);
  await client.create('/temporary', { mode: 'ephemeral' });
  await client[Symbol.asyncDispose]();
  assert.equal(client.state, 'closed');
  assert.equal(await other.exists('/temporary'), null);
  await assert.rejects(client.exists('/'), { codeName: 'Closed' });
});

test('the CommonJS entry works', async (t) => {
  const { clientPort } = await serve(t);
  const { createRequire } = await import('node:module');
  const required = createRequire(import.meta.url)('@nodekeeper/client') as typeof import('../dist/index.js');
  assert.notEqual(required.Client, (await import('../dist/index.js')).Client);
  const client = await required.connect(`127.0.0.1:${clientPort}`);
  assert.ok(await client.exists('/zookeeper'));
  await client.close();
});

test('ephemeral nodes below the chroot are listed, and not those of a path that begins with its letters', async (t) => {
  const { clientPort } = await serve(t);
  const relay = await Relay.start(t, clientPort);
  const root = await open(t, relay.port);
  for (const path of ['/app', '/apple']) await root.create(path);
  for (const path of ['/app/mine', '/apple/other', '/app2']) await root.create(path, { mode: 'ephemeral' });
  const session = { id: root.sessionId, password: root.sessionPassword };
  assert.deepEqual((await root.getEphemerals('/ap')).sort(), ['/app/mine', '/app2', '/apple/other']);
  relay.down(); // else it would take the session back
  const inside = await open(t, `127.0.0.1:${clientPort}/app`, { session });
  assert.deepEqual(await inside.getEphemerals(), ['/mine']);
});

test('a time-out that is no number is told, and not taken as over', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  for (const timeout of [Number.NaN, null, '5'] as never[]) {
    for (const call of [
      () => client.exists('/', { timeout }),
      () => client.exists('/', { timeout, retry: retryNTimes(1, 0) }),
      () => client.deleteRecursive('/x', { timeout }),
      () => client.connected({ timeout }),
      () => client.addAuth('digest', 'a:b', { timeout }),
      () => client.transaction().delete('/x').commit({ timeout }),
      () => connect(`127.0.0.1:${clientPort}`, { timeout }),
      () => client.close({ timeout }),
    ])
      await assert.rejects(call(), { codeName: 'BadArguments', message: /timeout must be a number/ });
  }
  await client.exists('/', { timeout: Number.POSITIVE_INFINITY });
});

test('an identity that is none is told', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  await assert.rejects(client.addAuth('digest', undefined as never), { codeName: 'BadArguments' });
  await assert.rejects(client.addAuth(4 as never, 'a:b'), { codeName: 'BadArguments' });
  await client.exists('/');
});

test('data in place of options is told, and makes no node', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, clientPort);
  for (const wrong of ['data', Buffer.from('data'), null]) {
    const expected = { codeName: 'BadArguments', message: /expected are a path and options/ };
    await assert.rejects(client.create('/wrong', wrong as never), expected);
  }
  assert.equal(await client.exists('/wrong'), null);
});
