// Tools on nodes: export and import, tree and find, cp, mv and diff, within one server and between two.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { type Client, connect, nextEvent, type Transaction } from '@nodekeeper/client';
import { runMove } from '../dist/tools/nodes/copy.js';
import { fromDocument, toDocument } from '../dist/tools/nodes/document.js';
import { filterOf } from '../dist/tools/nodes/look.js';
import type { TreeNode } from '../dist/tools/nodes/subtree.js';
import { runExport } from '../dist/tools/nodes/transfer.js';
import type { Output } from '../dist/tools/output.js';
import { Progress } from '../dist/tools/progress.js';
import { atEnd, MAIN, type Run, runMain, start, temporary } from './support.js';

/** A server in this process, and a client of it. */
async function serve(t: TestContext, ...flags: string[]): Promise<{ at: string; client: Client }> {
  const standard = ['extendedTypesEnabled=true', 'znode.container.checkIntervalMs=50'];
  const server = await start(temporary(t), ...standard, ...flags);
  const at = `127.0.0.1:${server.clientPort}`;
  const client = await connect(at);
  atEnd(t, async () => {
    await client.close();
    await server.close();
  });
  return { at, client };
}

const tools = (...args: string[]): Promise<Run> => runMain(['tools', ...args]);

/** Some nodes of every kind. */
async function plant(client: Client): Promise<void> {
  await client.create('/app', { data: 'root' });
  await client.create('/app/text', { data: 'grüß\nGott' });
  await client.create('/app/bytes', { data: Buffer.from([0xff, 0xfe]) });
  await client.create('/app/null', { data: null });
  await client.create('/app/empty', { data: '' });
  await client.create('/app/box', { mode: 'container' });
  await client.create('/app/box/inner', { data: 'x', acl: [{ perms: 31, scheme: 'ip', id: '127.0.0.1' }] });
  await client.create('/app/brief', { mode: 'persistentWithTtl', ttl: 3_600_000 });
  await client.create('/app/mine', { mode: 'ephemeral' });
}

test('nodes larger than usual are written where the servers take them', async (t) => {
  const { at, client } = await serve(t, 'jute.maxbuffer=5000000');
  const large = await connect(at, { maxRequest: 5_000_000 });
  await large.create('/from', { data: 'x'.repeat(3_000_000) });
  await large.close();
  const dir = temporary(t);
  const file = join(dir, 'tree.json');
  assert.equal((await tools('export', `${at}/from`, '-o', file)).code, 0);
  assert.match((await tools('import', file, `${at}/to`)).err, /maxRequest allows 1048575/);
  const imported = await tools('import', '--max-request', '5000000', file, `${at}/to`);
  assert.equal(imported.code, 0, imported.err);
  const properties = join(dir, 'client.properties');
  writeFileSync(properties, 'jute.maxbuffer=5000000\n');
  const copied = await tools('cp', '--client-configuration', properties, `${at}/to`, `${at}/copy`);
  assert.equal(copied.code, 0, copied.err);
  assert.equal((await client.exists('/copy'))?.dataLength, 3_000_000);
});

for (const format of ['json', 'yaml']) {
  test(`a subtree goes into a ${format} file and comes back the same, elsewhere`, async (t) => {
    const [one, two] = [await serve(t), await serve(t)];
    await plant(one.client);
    const file = join(temporary(t), `tree.${format}`);
    const exported = await tools('export', `${one.at}/app`, '-o', file);
    assert.deepEqual(exported, { code: 0, out: '', err: '8 nodes; 1 ephemeral nodes left out\n' });
    assert.equal(readFileSync(file, 'utf8').startsWith('{'), format === 'json');
    const dry = await tools('import', file, `${two.at}/deep/copy`, '--dry-run');
    assert.match(dry.out, /^would create \/deep\/copy\n/);
    assert.equal(await two.client.exists('/deep'), null);
    const imported = await tools('import', file, `${two.at}/deep/copy`);
    assert.equal(imported.code, 0, imported.err);
    const differences = await tools('diff', `${one.at}/app`, `${two.at}/deep/copy`);
    assert.deepEqual(differences, { code: 1, out: '- /mine\n', err: '' });
  });
}

test('an import changes what differs, and only that', async (t) => {
  const { at, client } = await serve(t);
  await plant(client);
  const file = join(temporary(t), 'tree.yaml');
  await tools('export', `${at}/app`, '-o', file);
  assert.equal((await tools('import', file, `${at}/app`)).err, '0 changes\n');
  await client.setData('/app/text', 'other');
  await client.setACL('/app/empty', [{ perms: 1, scheme: 'world', id: 'anyone' }]);
  await client.delete('/app/null');
  await client.create('/app/extra');
  await client.create('/app/extra/below');
  await client.create('/app/locks/one/holder', { mode: 'ephemeral', createParents: true });
  await client.create('/app/locks/none');
  const kept = await tools('import', file, `${at}/app`, '--keep', '--dry-run');
  assert.equal(kept.out, 'would create /app/null\n');
  const { out, code } = await tools('import', file, `${at}/app`, '--delete');
  // Its ACL allows nobody to change it back.
  assert.equal(code, 1);
  assert.match(out, /^change \/app\/text$/m, 'what was done all the same is told');
  assert.doesNotMatch(out, /\/app\/empty/);
  const rest = await tools('import', file, `${at}/app`, '--delete', '--no-acl');
  assert.equal(rest.code, 0, rest.err);
  assert.equal((await client.getData('/app/text')).data?.toString(), 'grüß\nGott');
  assert.equal(await client.exists('/app/extra'), null);
  assert.equal(await client.exists('/app/locks/none'), null);
  // Ephemeral nodes are no part of an export, and somebody counts on them.
  assert.deepEqual((await client.getEphemerals('/app')).sort(), ['/app/locks/one/holder', '/app/mine']);
  assert.match(rest.err, /^\d changes; 2 ephemeral nodes left, and what is above them\n$/);
});

test('a file that is no export is refused, with the place', () => {
  const base = { format: 'nodekeeper-tree/1', root: '/x' };
  const refused = (nodes: unknown): string => {
    try {
      fromDocument({ ...base, nodes }, true);
      return 'accepted';
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.match(refused(undefined), /no export/);
  assert.match(refused([{ path: 'a' }]), /^node 1 \(a\): path must begin with \/$/);
  assert.match(refused([{ path: '/' }, { path: '/a/b' }]), /^\/a\/b: its parent is not there$/);
  assert.match(refused([{ path: '/' }, { path: '/' }]), /twice/);
  assert.match(refused([{ path: '/', data: 5 }]), /data must be/);
  // A node that no server takes would be found out midway, with those before it made.
  assert.match(refused([{ path: '/' }, { path: '/a/' }]), /^node 2 \(\/a\/\): path must not end with \/$/);
  assert.match(refused([{ path: '/' }, { path: '/..' }]), /^node 2 \(\/\.\.\): relative component/);
  for (const ttl of [-1, 0.5, 2 ** 40]) assert.match(refused([{ path: '/', ttl }]), /ttl must be/);
  assert.match(refused([{ path: '/', acl: [5] }]), /acl must be/);
  assert.match(refused([{ path: '/', acl: 'world' }]), /world does not have the form/);
  assert.equal(refused([{ path: '/a' }, { path: '/' }]), 'accepted');
});

test('text of blank lines comes back the same', async (t) => {
  const { at, client } = await serve(t);
  await client.create('/from');
  const texts = [' ', '\n', ' \n', '   \n', '   \n\t\n', '\n \n', ' \r\n', ' \n x'];
  for (const [i, data] of texts.entries()) await client.create(`/from/${i}`, { data });
  const file = join(temporary(t), 'tree.yaml');
  for (const args of [
    ['export', `${at}/from`, '-o', file],
    ['import', file, `${at}/to`],
  ])
    assert.equal((await tools(...args)).code, 0);
  assert.deepEqual(await tools('diff', `${at}/from`, `${at}/to`), { code: 0, out: '', err: '' });
});

test('ids with commas, as certificates have, are exported and imported', () => {
  const acl = [
    { perms: 31, scheme: 'x509', id: 'CN=ada,OU=a:c,O=x' },
    { perms: 1, scheme: 'world', id: 'anyone' },
  ];
  const node = { below: '', data: null, acl, stat: { ephemeralOwner: 0n } } as unknown as TreeNode;
  const { document } = toDocument('/x', [node]);
  assert.deepEqual(document.nodes[0]?.acl, ['x509:CN=ada,OU=a:c,O=x:cdrwa', 'world:anyone:r']);
  assert.deepEqual(fromDocument(document, true)[0]?.acl, acl);
});

test('a tree is drawn', async (t) => {
  const { at, client } = await serve(t);
  await plant(client);
  const { out, err } = await tools('tree', `${at}/app`, '--data', '-L', '1');
  assert.deepEqual(out.replace(/0x[0-9a-f]+/, '0x…').split('\n'), [
    '/app = root',
    '├── box',
    '├── brief',
    '├── bytes = ��',
    '├── empty',
    '├── mine [ephemeral 0x…]',
    '├── null',
    '└── text = grüß Gott',
    '',
  ]);
  assert.match(err, /^8 nodes, \d+ bytes\n$/);
  const whole = await tools('tree', '-s', at);
  assert.match(whole.out, /^\/\n└── app\n {4}├── box\n {4}│ {3}└── inner\n/);
  assert.doesNotMatch(whole.out, /zookeeper/);
});

test('nodes are found by what they are', async (t) => {
  const { at, client } = await serve(t);
  await plant(client);
  const found = async (...options: string[]) =>
    (await tools('find', `${at}/app`, ...options)).out.trimEnd().split('\n');
  assert.deepEqual(await found('--name', 'b*'), ['/app/box', '/app/brief', '/app/bytes']);
  assert.deepEqual(await found('--path', '/app/*/i?ner'), ['/app/box/inner']);
  assert.deepEqual(await found('--data', '^gr.*Gott$'), ['/app/text']);
  assert.deepEqual(await found('--ephemeral'), ['/app/mine']);
  assert.deepEqual(await found('--owner', `0x${client.sessionId.toString(16)}`), ['/app/mine']);
  assert.deepEqual(await found('--larger', '4', '--leaf'), ['/app/text']);
  assert.deepEqual(await found('--newer', '1h', '--name', 'app'), ['/app']);
  assert.deepEqual(await found('--older', '1h'), ['']);
  assert.equal((await tools('find', `${at}/app`, '--owner', 'me')).code, 2);
  assert.equal((await tools('find', `${at}/none`)).err, 'Node does not exist: /none\n');
});

test('times are durations or dates', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  const node = { stat: { mtime: now - 90_000 } } as unknown as TreeNode;
  assert.equal(filterOf({ newer: '2m' }, now)(node, '/'), true);
  assert.equal(filterOf({ newer: '1m' }, now)(node, '/'), false);
  assert.equal(filterOf({ older: '2026-01-31T12:00Z' }, now)(node, '/'), true);
  assert.throws(() => filterOf({ older: 'yesterday' }, now), /neither a time/);
});

test('nodes are copied, also to another server', async (t) => {
  const [one, two] = [await serve(t), await serve(t)];
  await plant(one.client);
  assert.equal((await tools('cp', `${one.at}/app`, `${one.at}/b`)).err, '/app has children; -r copies them as well\n');
  assert.deepEqual(await tools('cp', `${one.at}/app/text`, `${one.at}/single`), {
    code: 0,
    out: 'create /single\n',
    err: '',
  });
  const copied = await tools('cp', '-r', `${one.at}/app`, `${two.at}/app`);
  assert.equal(copied.code, 0, copied.err);
  assert.equal(copied.err, '1 ephemeral nodes left out\n');
  assert.equal(
    (await tools('diff', '--json', `${one.at}/app`, `${two.at}/app`)).out,
    '{"path":"/mine","change":"only in the first"}\n',
  );
  assert.equal((await tools('cp', '-r', `${one.at}/app`, `${two.at}/app`)).code, 1);
  await two.client.setData('/app/text', 'changed');
  assert.equal((await tools('cp', '-r', '-f', `${one.at}/app`, `${two.at}/app`)).out, 'change /app/text\n');
  assert.equal((await tools('cp', '-r', `${one.at}/app`, `${one.at}/app/below`)).code, 2);
});

test('a subtree is moved at once', async (t) => {
  const { at, client } = await serve(t);
  await plant(client);
  const refused = await tools('mv', `${at}/app`, `${at}/b`);
  assert.match(refused.err, /^\/app\/mine is ephemeral/);
  assert.ok(await client.exists('/app/text'));
  await client.delete('/app/mine');
  const { stat: before } = await client.getData('/app/text');
  assert.equal((await tools('mv', `${at}/app`, `${at}/b`)).code, 0);
  assert.equal(await client.exists('/app'), null);
  const { stat, data } = await client.getData('/b/text');
  assert.equal(data?.toString(), 'grüß\nGott');
  // One transaction has made all of it.
  assert.ok(stat.czxid > before.czxid);
  assert.equal((await client.exists('/b'))?.czxid, stat.czxid);
  assert.equal((await client.exists('/b/box/inner'))?.czxid, stat.czxid);
  assert.deepEqual((await client.getACL('/b/box/inner')).acl, [{ perms: 31, scheme: 'ip', id: '127.0.0.1' }]);
});

test('what is too large for a transaction is moved in steps, and that is told', async (t) => {
  const { at, client } = await serve(t);
  await client.create('/big');
  for (const name of ['a', 'b']) await client.create(`/big/${name}`, { data: Buffer.alloc(600_000, name) });
  const { code, err } = await tools('mv', `${at}/big`, `${at}/moved`);
  assert.equal(code, 0, err);
  assert.match(err, /not in one transaction/);
  assert.equal(await client.exists('/big'), null);
  assert.equal((await client.getData('/moved/b')).data?.toString('latin1', 0, 2), 'bb');
});

test('differences are told by kind', async (t) => {
  const { at, client } = await serve(t);
  for (const root of ['/l', '/r']) {
    await client.create(root);
    for (const name of ['same', 'data', 'acl', 'type']) {
      const mode = name === 'type' && root === '/r' ? 'ephemeral' : 'persistent';
      await client.create(`${root}/${name}`, { data: name === 'data' ? root : 'x', mode });
    }
  }
  await client.create('/l/gone');
  await client.create('/r/new');
  await client.setACL('/r/acl', [{ perms: 1, scheme: 'world', id: 'anyone' }]);
  const { code, out } = await tools('diff', `${at}/l`, `${at}/r`, '--data');
  assert.equal(code, 1);
  assert.deepEqual(out.trimEnd().split('\n'), [
    '~ /acl acl',
    '  < world:anyone:cdrwa',
    '  > world:anyone:r',
    '~ /data data',
    '  < /l',
    '  > /r',
    '- /gone',
    '+ /new',
    '~ /type ephemeral in the second',
  ]);
  assert.deepEqual(await tools('diff', `${at}/l`, `${at}/l`), { code: 0, out: '', err: '' });
});

test('data of nodes and of files are shown so that they steer no terminal', async (t) => {
  const { at, client } = await serve(t);
  await client.create('/l', { data: 'a\x1b]0;title\x07\u202eb\u009b2J' });
  await client.create('/r', { data: 'c\nd' });
  const shown = 'a\\u001b]0;title\\u0007\\u202eb\\u009b2J';
  assert.equal((await tools('tree', `${at}/l`, '--data')).out, `/l = ${shown}\n`);
  assert.equal((await tools('diff', `${at}/l`, `${at}/r`, '--data')).out, `~ / data\n  < ${shown}\n  > c\nd\n`);
  const file = join(temporary(t), 'tree.yaml');
  writeFileSync(file, 'a: [\x1b]0;title\x07 {x');
  const { code, err } = await tools('import', file, `${at}/l`);
  assert.equal(code, 2);
  assert.match(err, /a: \[\\u001b\]0;title\\u0007 \{x/);
});

test('what is wrong on the command line has exit code 2, and no server 1', async () => {
  assert.equal((await tools('nonsense')).code, 2);
  assert.equal((await tools('cp', '/a')).code, 2);
  assert.equal((await tools('tree', 'host:1')).code, 2);
  assert.equal((await tools('--help')).code, 0);
  const { code, err } = await tools('tree', '127.0.0.1:1/a', '--timeout', '200');
  assert.equal(code, 1);
  assert.match(err, /^no connection to 127\.0\.0\.1:1: .*ECONNREFUSED/);
});

test('a document may be written by hand', async (t) => {
  const { at, client } = await serve(t);
  const file = join(temporary(t), 'hand.yaml');
  writeFileSync(
    file,
    'format: nodekeeper-tree/1\nnodes:\n  - path: /\n    data: hello\n  - { path: /a, data: { base64: AAE= }, acl: "world:anyone:r" }\n',
  );
  assert.equal((await tools('import', file, `${at}/hand`)).out, 'create /hand\ncreate /hand/a\n');
  assert.deepEqual((await client.getData('/hand/a')).data, Buffer.from([0, 1]));
  writeFileSync(file, '{ "format": "nodekeeper-tree/1", "nodes": [{ "path": "/", "ttl": 1 }] }');
  await tools('import', file, `${at}/short`);
  // The server takes it for a node with a time to live: it has no children, and goes.
  const { watcher, event } = nextEvent();
  if ((await client.exists('/short', { watcher })) !== null) assert.equal((await event).type, 'nodeDeleted');
});

test('a document with bytes or keys that cannot be meant changes nothing', async (t) => {
  const { at, client } = await serve(t);
  const file = join(temporary(t), 'bad.json');
  for (const [node, said] of [
    [{ path: '/x', data: { base64: 'AAEC@@@DAwM=' } }, /node 2 \(\/x\): data.base64 is no base64/],
    [{ path: '/x', data: { base64: '@@@' } }, /no base64/],
    [{ path: '/x', data: 'x', adta: 'y' }, /adta is not known/],
  ] as const) {
    writeFileSync(file, JSON.stringify({ format: 'nodekeeper-tree/1', nodes: [{ path: '/' }, node] }));
    const { code, err } = await tools('import', file, `${at}/bad`);
    assert.equal(code, 2);
    assert.match(err, said);
  }
  assert.equal(await client.exists('/bad'), null);
  const good = [{ path: '/' }, { path: '/x', data: { base64: 'AAEC\n Aw' } }];
  writeFileSync(file, JSON.stringify({ format: 'nodekeeper-tree/1', nodes: good }));
  assert.equal((await tools('import', file, `${at}/good`)).code, 0);
  assert.deepEqual((await client.getData('/good/x')).data, Buffer.from([0, 1, 2, 3]));
});

test('a node that changes while its subtree is moved stays, and what was done is told', async (t) => {
  const { client } = await serve(t);
  await client.create('/from', { data: 'root' });
  await client.create('/from/x', { data: 'old' });
  await client.create('/to', { data: 'there already, so that it is no single transaction' });
  const said: string[] = [];
  const output: Output = {
    json: false,
    line: (text) => said.push(text),
    part: (text) => said.push(text),
    note: (text) => said.push(text),
    progress: () => {},
    taken: async () => {},
    value: (value) => said.push(JSON.stringify(value)),
  };
  const create = client.create.bind(client);
  client.create = async (path, options) => {
    const created = await create(path, options);
    await client.setData('/from/x', 'new');
    return created;
  };
  const move = runMove(
    { client, path: '/from', name: '/from' },
    { client, path: '/to', name: '/to' },
    { force: true, acl: true, dryRun: false },
    output,
  );
  await assert.rejects(move, /\/from\/x has changed since it was copied, and stays/);
  assert.equal((await client.getData('/from/x')).data?.toString(), 'new');
  assert.ok(said.some((line) => /^0 of 2 changes were made/.test(line)));
});

test('an import that fails tells what it has done', async (t) => {
  const { at, client } = await serve(t);
  await client.create('/app', { data: 'x' });
  await client.create('/app/mine', { mode: 'ephemeral' });
  const file = join(temporary(t), 'tree.json');
  const nodes = ['/', '/first', '/mine', '/mine/child'].map((path) => ({ path, data: 'x' }));
  writeFileSync(file, JSON.stringify({ format: 'nodekeeper-tree/1', root: '/app', nodes }));
  const failed = await tools('import', file, `${at}/app`);
  assert.equal(failed.code, 1);
  assert.match(failed.out, /^create \/app\/first$/m);
  assert.match(failed.err, /2 of 3 changes were made/);
  assert.match(failed.err, /Ephemerals cannot have children/);
});

test('an import that is interrupted says what it has done', async (t) => {
  const { at, client } = await serve(t);
  const file = join(temporary(t), 'tree.json');
  const count = 30_000;
  const nodes = Array.from({ length: count }, (_, i) => ({ path: `/n${i}`, data: 'x' }));
  writeFileSync(file, JSON.stringify({ format: 'nodekeeper-tree/1', root: '/app', nodes: [{ path: '/' }, ...nodes] }));
  const child = spawn(process.execPath, [MAIN, 'tools', 'import', file, `${at}/app`], { stdio: 'pipe' });
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  while ((await client.exists('/app/n0')) === null);
  child.kill('SIGINT');
  const [out, err] = await ended;
  const { numChildren } = (await client.exists('/app')) ?? { numChildren: 0 };
  assert.ok(numChildren < count);
  assert.equal(out.match(/^create \/app\/n/gm)?.length, numChildren);
  assert.match(err, new RegExp(`${numChildren + 1} of ${count + 1} changes were made:\ninterrupted`));
  assert.equal(child.exitCode, 130);
});

test('progress is shown on a terminal, now and then, and gives way to what is printed', () => {
  let now = 0;
  const written: string[] = [];
  const terminal = { write: (text: string) => written.push(text) > 0 } as unknown as NodeJS.WriteStream;
  const progress = new Progress(terminal, () => now);
  progress.show(1, undefined, 'nodes read');
  progress.clear();
  assert.deepEqual(written, [], 'nothing for what is done at once');
  now = 200;
  progress.show(12_345, undefined, 'nodes read');
  progress.show(12_346, undefined, 'nodes read');
  now = 400;
  progress.show(7, 2000, 'changes');
  progress.clear();
  progress.clear();
  const clear = '\r\x1b[K';
  assert.deepEqual(written, [`${clear}12,345 nodes read`, `${clear}7 of 2,000 changes`, clear]);
  const none = new Progress(undefined, () => now);
  now = 9999;
  none.show(1, 2, 'changes');
  assert.equal(written.length, 3);
  const narrow = new Progress(Object.assign(terminal, { columns: 10 }), () => now);
  now += 200;
  narrow.show(12_345, undefined, 'nodes read');
  assert.equal(written.at(-1), `${clear}12,345 no`, 'a line that is broken could not be written over');
});

test('one of very many nodes that cannot be read is told like one of few', async (t) => {
  const { at, client } = await serve(t);
  const shut = { acl: [{ perms: 2, scheme: 'world', id: 'anyone' }] };
  for (const [path, count] of [
    ['/few', 3],
    ['/many', 4000],
  ] as const) {
    await client.create(path);
    await Promise.all(Array.from({ length: count }, (_, i) => client.create(`${path}/${i}`, i === 0 ? shut : {})));
    const err = `Insufficient permission : ${path}/0\n`;
    assert.deepEqual(await tools('export', `${at}${path}`), { code: 1, out: '', err });
    assert.deepEqual(await runMain(['shell', '-server', at, 'ls', '-R', path]), { code: 1, out: '', err });
  }
});

test('what cannot be read is marked, and the rest is printed', async (t) => {
  const { at, client } = await serve(t);
  await client.create('/app');
  await client.create('/app/open', { data: 'x' });
  await client.create('/app/shut', { data: 'secret', acl: [{ perms: 2, scheme: 'world', id: 'anyone' }] });
  const refused = 'Insufficient permission : 1 of 3 nodes cannot be read, nor what is below them\n';
  const tree = await tools('tree', `${at}/app`);
  assert.equal(tree.code, 1);
  assert.equal(tree.out, '/app\n├── open\n└── shut [cannot be read]\n');
  assert.ok(tree.err.endsWith(refused));
  const found = await tools('find', `${at}/app`, '--name', 's*');
  assert.deepEqual(found, { code: 1, out: '/app/shut\n', err: `/app/shut cannot be read\n${refused}` });
  const old = await tools('find', `${at}/app`, '--older', '1h');
  assert.deepEqual(old, { code: 1, out: '', err: refused }, 'its age is not known');
  const values = (await tools('tree', '--json', `${at}/app`)).out.trimEnd().split('\n');
  assert.deepEqual(
    values.map((line) => JSON.parse(line).problem ?? null),
    [null, null, 'cannot be read'],
  );
  // A copy must be whole.
  const file = join(temporary(t), 'app.json');
  assert.equal((await tools('export', `${at}/app`, '-o', file)).code, 1);
  assert.ok(!existsSync(file));
});

test('an export that is given up while it reads leaves no empty file', (t) => {
  const file = join(temporary(t), 'app.json');
  const waits = new Proxy({}, { get: () => () => new Promise(() => {}) }) as Client;
  void runExport({ client: waits, path: '/', name: '/' }, { format: 'json', acl: false, file }, {} as Output);
  assert.ok(!existsSync(file));
});

test('differences and failures have codes of their own; ephemeral nodes can be left out', async (t) => {
  const { at, client } = await serve(t);
  for (const root of ['/l', '/r']) await client.create(root);
  await client.create('/l/mine', { mode: 'ephemeral' });
  assert.equal((await tools('diff', `${at}/l`, `${at}/r`)).code, 1);
  assert.deepEqual(await tools('diff', '--no-ephemerals', `${at}/l`, `${at}/r`), { code: 0, out: '', err: '' });
  assert.equal((await tools('diff', `${at}/l`, `${at}/none`)).code, 2);
  assert.equal((await tools('diff', '/a', '/b', '-s', '127.0.0.1:1', '--timeout', '200')).code, 2);
});

test('an address, a time or a file that cannot be is told, with exit code 2', async (t) => {
  const { at, client } = await serve(t);
  for (const server of ['localhost:99999', 'localhost:abc', '', 'host:2181/bad/']) {
    const { code, err } = await tools('tree', '-s', server);
    assert.equal(code, 2, server);
    assert.match(err, /^'.*': .*\n$/, 'one line, no stack');
  }
  assert.equal((await tools('tree', '-s', at, '--timeout', 'abc')).code, 2);
  const stores = join(temporary(t), 'client.properties');
  writeFileSync(stores, 'zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=/none/store.pem\n');
  const unread = await tools('tree', '-s', at, '--client-configuration', stores);
  assert.equal(unread.code, 2);
  assert.match(unread.err, /\/none\/store\.pem/);
  await client.create('/app');
  const unwritten = await tools('export', `${at}/app`, '-o', '/none/x.json');
  assert.equal(unwritten.code, 2);
  assert.match(unwritten.err, /^\/none\/x\.json cannot be written: ENOENT/);
});

test('a tree of thousands of levels is drawn, and deleted in requests that a server takes', async (t) => {
  const LEVELS = 3000;
  const { at, client } = await serve(t);
  for (let done = 0; done < LEVELS; done += 100) {
    let transaction = client.transaction() as Transaction<readonly unknown[]>;
    for (let level = done + 1; level <= done + 100; level++) transaction = transaction.create('/d'.repeat(level));
    await transaction.commit();
  }
  const drawn = await runMain(['tools', 'tree', `${at}/d`], '', ['--stack-size=200']);
  assert.equal(drawn.code, 0, drawn.err);
  assert.equal(drawn.out.split('\n').length, LEVELS + 1);
  const deleted = await runMain(['shell', '-server', at, 'deleteall', '/d']);
  assert.deepEqual([deleted.code, deleted.err], [0, '']);
  assert.equal(await client.exists('/d'), null);
});
