// The shell without zkCli beside it: exit codes, JSON, completion, history, what is read from a pipe. That it prints what zkCli
// prints is tested in interop/.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Client, ErrorCode, KeeperError } from '@nodekeeper/client';
import { parseShellArguments } from '../dist/shell/arguments.js';
import { COLOURED, coloursFor, PLAIN } from '../dist/shell/colours.js';
import type { Context } from '../dist/shell/command.js';
import { nodeCommands } from '../dist/shell/commands/nodes.js';
import { parseOptions } from '../dist/shell/options.js';
import { checkPath } from '../dist/shell/path-check.js';
import { parseQuota, quotaText } from '../dist/shell/quota-text.js';
import { Shell } from '../dist/shell/shell.js';
import { complete, History } from '../dist/shell/terminal.js';
import { hexDump, parseAcl } from '../dist/shell/texts.js';
import { splitWords } from '../dist/shell/words.js';
import { atEnd, type Run, runMain, serve, temporary } from './support.js';

/** `nodekeeper shell` as a process, with lines typed into it. */
function run(args: readonly string[], input = ''): Promise<Run> {
  return runMain(['shell', ...args], input);
}

/** A shell in this process, and what it prints. */
async function shellAt(
  t: TestContext,
  server: string,
  args: readonly string[] = [],
): Promise<{ shell: Shell; said: string[] }> {
  const said: string[] = [];
  const output = { line: (text: string) => said.push(text), note: (text: string) => said.push(`! ${text}`) };
  const shell = new Shell(await parseShellArguments(['-server', server, ...args]), output, false);
  atEnd(t, () => shell.close());
  await shell.connected();
  return { shell, said };
}

test('a single command prints its result alone, and its failure is the exit code', async (t) => {
  const server = await serve(t);
  assert.deepEqual(await run(['-server', server, 'create', '/a', 'some data']), {
    code: 0,
    out: '',
    err: 'Created /a\n',
  });
  assert.deepEqual(await run(['-server', server, 'get', '/a']), { code: 0, out: 'some data\n', err: '' });
  assert.deepEqual(await run(['-server', server, 'get', '/b']), { code: 1, out: '', err: 'Node does not exist: /b\n' });
  assert.equal((await run(['-server', server, 'nonsense'])).code, 127);
  assert.equal((await run(['-server', server, 'get'])).code, 1);
  assert.equal((await run(['-sever', server, 'ls', '/'])).code, 2);
  const { code, err } = await run(['-server', '127.0.0.1:1', '-timeout', '200', 'ls', '/']);
  assert.equal(code, 1);
  assert.match(err, /^KeeperErrorCode = ConnectionLoss: no connection to 127\.0\.0\.1:1: .*ECONNREFUSED/);
  const json = await run(['-server', '127.0.0.1:1', '-timeout', '200', '--json', 'ls', '/']);
  const { code: codeName, outcomeUnknown } = JSON.parse(json.err).error;
  assert.deepEqual([json.code, codeName, outcomeUnknown], [1, 'ConnectionLoss', false]);
});

test('with --json every answer is an object, and so is every failure', async (t) => {
  const server = await serve(t);
  const json = async (...words: string[]) => {
    const { code, out, err } = await run(['-server', server, '--json', ...words]);
    return { code, value: JSON.parse(code === 0 ? out : err) };
  };
  assert.deepEqual(await json('create', '-s', '/n-', 'x'), { code: 0, value: { path: '/n-0000000000' } });
  await json('create', '/bytes');
  assert.deepEqual(await json('set', '-b', '/bytes', '/wA='), {
    code: 0,
    value: { path: '/bytes', stat: (await json('stat', '/bytes')).value.stat },
  });
  assert.deepEqual((await json('get', '/bytes')).value, { path: '/bytes', data: '/wA=', encoding: 'base64' });
  assert.deepEqual((await json('ls', '/')).value, { path: '/', children: ['bytes', 'n-0000000000', 'zookeeper'] });
  assert.deepEqual((await json('getAcl', '/bytes')).value.acl, ['world:anyone:cdrwa']);
  assert.deepEqual(await json('get', '/none'), {
    code: 1,
    value: {
      error: { message: 'Node does not exist: /none', code: 'NoNode', path: '/none', outcomeUnknown: false },
    },
  });
  await json('setquota', '-n', '5', '/bytes');
  assert.deepEqual((await json('listquota', '/bytes')).value.used, { count: 1, bytes: 2 });
});

test('lines are read from a pipe, whatever fails among them, and the last one is the exit code', async (t) => {
  const server = await serve(t);
  const { code, out, err } = await run(['-server', server], 'create /a\nget /none\n\nls /\nget /other\n');
  assert.equal(code, 1);
  assert.match(out, /\[a, zookeeper\]/);
  assert.equal(err, 'Created /a\nNode does not exist: /none\nNode does not exist: /other\n');
  const events = await run(['-server', server, '--json'], 'get -w /a\nset /a x\nquit\nls /\n');
  const lines = events.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const told = lines.filter((line) => 'event' in line).map(({ event }) => `${event.state} ${event.type} ${event.path}`);
  assert.deepEqual(told, ['SyncConnected None null', 'SyncConnected NodeDataChanged /a']);
  assert.equal(events.code, 0);
});

test('identities are presented from the command line', async (t) => {
  const server = await serve(t);
  const { shell, said } = await shellAt(t, server, ['--auth', 'digest:bob:secret']);
  await shell.execute('create /mine x auth::cdrwa');
  await shell.execute('whoami');
  assert.deepEqual(said, ['! Created /mine', 'Auth scheme: User', 'ip: 127.0.0.1', 'digest: bob']);
  assert.equal((await run(['-server', server, 'get', '/mine'])).err, 'Insufficient permission : /mine\n');
  assert.equal((await run(['-server', server, '--auth', 'digest:bob:secret', 'get', '/mine'])).out, 'x\n');
});

test('what was typed can be done again', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  await shell.execute('create /a');
  await shell.execute('  ');
  await shell.execute('redo 0');
  await shell.execute('redo 1');
  await shell.execute('redo 9');
  await shell.execute('history');
  assert.deepEqual(said, [
    '! Created /a',
    '! Node already exists: /a',
    '! Node already exists: /a',
    '! Command index out of range',
    '0 - create /a',
    '1 - create /a',
    '2 - create /a',
    '3 - redo 9',
    '4 - history',
  ]);
});

test('numbers below zero are data', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  await shell.execute('create /minus -5');
  await shell.execute('get /minus');
  assert.deepEqual(said, ['! Created /minus', '-5']);
});

test('deleteall deletes what is below, in transactions of the given size', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t), ['--json']);
  await shell.execute('create /d');
  for (let i = 0; i < 25; i++) await shell.execute(`create /d/${i}`);
  await shell.execute('create /d/1/2');
  said.length = 0;
  await shell.execute('deleteall /d -b 4');
  assert.deepEqual(said, ['{"path":"/d","deleted":27}']);
});

test('a node with more children than a call takes arguments is listed', async () => {
  const names = Array.from({ length: 200_000 }, (_, i) => `n${i}`);
  const client = {
    drained: async () => {},
    getChildren: async (path: string) => ({ children: path === '/' ? [...names] : [], stat: {} }),
  } as unknown as Client;
  const context: Context = { client, watches: {} as Context['watches'], json: false };
  const command = nodeCommands.find(({ name }) => name === 'ls');
  assert.ok(command);
  const reply = await command.run(context, parseOptions(['-R', '/'], command));
  assert.equal(reply.lines?.length, 200_001);
});

test('an interrupt ends the command that runs, and the shell', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  const { client } = shell;
  client.getData = () => new Promise((_, reject) => client.once('state', () => reject(new Error('over'))));
  const running = shell.execute('get /');
  shell.interrupt();
  await running;
  assert.equal(shell.exitCode, 130);
  assert.equal(shell.isOver, true);
  assert.deepEqual(said, []);
});

test('commands, options and paths are completed', async (t) => {
  const { shell } = await shellAt(t, await serve(t));
  for (const path of ['/app', '/app/one', '/app/other', '/else']) await shell.execute(`create ${path}`);
  const completed = async (line: string) => (await complete(shell, line))[0];
  assert.deepEqual(await completed('getA'), ['getAcl ', 'getAllChildrenNumber ']);
  assert.deepEqual(await completed('help wh'), ['whoami']);
  assert.deepEqual(await completed('ls '), ['/']);
  assert.deepEqual(await completed('ls /'), ['/app', '/else', '/zookeeper']);
  assert.deepEqual(await completed('get -s /app/o'), ['/app/one', '/app/other']);
  assert.deepEqual(await completed('get /app'), ['/app/']);
  assert.deepEqual(await completed('get /else'), ['/else']);
  assert.deepEqual(await completed('get /none/x'), []);
  assert.deepEqual(await completed('create -'), ['-c', '-e', '-s', '-t']);
  assert.deepEqual(await complete(shell, 'set /app/one da'), [[], 'da']);
});

test('the history is kept for its owner alone, without secrets', (t) => {
  const file = join(temporary(t), 'history');
  const history = new History(file);
  assert.deepEqual(history.read(), []);
  for (const line of ['ls /', ' ', 'addauth digest bob:secret', 'get /a']) history.add(line);
  assert.deepEqual(new History(file).read(), ['get /a', 'ls /']);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.doesNotMatch(readFileSync(file, 'utf8'), /secret/);
  new History('/none/there').add('ls /');
});

test('colours are for terminals that want them', () => {
  assert.equal(coloursFor({ isTTY: true }, {}), COLOURED);
  assert.equal(coloursFor({ isTTY: true }, { NO_COLOR: '1' }), PLAIN);
  assert.equal(coloursFor({ isTTY: true }, { TERM: 'dumb' }), PLAIN);
  assert.equal(coloursFor({}, {}), PLAIN);
  assert.equal(COLOURED.error('x'), '\u001b[31mx\u001b[0m');
});

test('lines are cut into words as zkCli cuts them', () => {
  assert.deepEqual(splitWords(`create /a "two words" 'and "more"' x`), [
    'create',
    '/a',
    'two words',
    'and "more"',
    'x',
  ]);
  assert.deepEqual(splitWords('  ls   /  '), ['ls', '/']);
  assert.deepEqual(splitWords('set /a ""'), ['set', '/a', '']);
  assert.deepEqual(splitWords(''), []);
});

test('options stand anywhere, together or apart', () => {
  const spec = { flags: ['s', 'e'], values: ['t', 'file'] };
  const read = (...words: string[]) => {
    const { flags, values, rest } = parseOptions(words, spec);
    return [[...flags].join(''), Object.fromEntries(values), rest];
  };
  assert.deepEqual(read('/a', '-se', 'x'), ['se', {}, ['/a', 'x']]);
  assert.deepEqual(read('-t', '-5', '-file=f', '/a'), ['', { t: '-5', file: 'f' }, ['/a']]);
  assert.deepEqual(read('-t9', '--', '-s'), ['', { t: '9' }, ['-s']]);
  assert.throws(() => read('-x'), { message: 'Unrecognized option: -x' });
  assert.throws(() => read('-t'), { message: 'Missing argument for option: t' });
});

test('paths are refused in the words of zkCli', () => {
  const problem = (path: string) => {
    try {
      checkPath(path);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(problem('/a/b'), undefined);
  assert.equal(problem('/a..b/...'), undefined);
  assert.equal(problem('/a\u0000'), 'Invalid path string "/a\u0000" caused by null character not allowed @2');
  assert.equal(problem('/a\u0001b'), 'Invalid path string "/a\u0001b" caused by invalid character @2');
  assert.equal(problem('/a/..'), 'Invalid path string "/a/.." caused by relative paths not allowed @4');
});

test('a quota is read and written as it is kept', () => {
  const text = 'count=5,bytes=-1=;byteHardLimit=900;countHardLimit=-1';
  assert.equal(quotaText(parseQuota(text)), text);
  assert.equal(quotaText(parseQuota('count=2,bytes=4')), 'count=2,bytes=4');
});

test('an ACL is read as far as it is one', () => {
  const said: string[] = [];
  const acl = parseAcl('digest:a:b:rw,x,world:anyone:q', (message) => said.push(message));
  assert.deepEqual(acl, [
    { perms: 3, scheme: 'digest', id: 'a:b' },
    { perms: 0, scheme: 'world', id: 'anyone' },
  ]);
  assert.deepEqual(said, ['x does not have the form scheme:id:perm', 'Unknown perm type: q']);
});

test('bytes are shown as a table', () => {
  assert.deepEqual(hexDump(Buffer.from('0123456789abcdefé\n')).slice(3, -1), [
    '|00000000| 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|',
    '|00000010| c3 a9 0a                                        |...             |',
  ]);
});

test('TLS is set up from files, as Apache’s clients are told or by options', async (t) => {
  const pems = fileURLToPath(new URL('../../client/test/fixtures/tls/', import.meta.url));
  const file = join(temporary(t), 'client.properties');
  writeFileSync(
    file,
    [
      'zookeeper.client.secure=true',
      `zookeeper.ssl.keyStore.location=${pems}client.pem`,
      `zookeeper.ssl.trustStore.location=${pems}ca.pem`,
      'zookeeper.ssl.hostnameVerification=false',
      'jute.maxbuffer=4194304',
    ].join('\n'),
  );
  const { client } = await parseShellArguments(['-client-configuration', file, 'ls', '/']);
  const tls = client.tls as Record<string, unknown>;
  assert.match(String(tls.key), /PRIVATE KEY/);
  assert.match(String(tls.cert), /BEGIN CERTIFICATE/);
  assert.match(String(tls.ca), /BEGIN CERTIFICATE/);
  assert.equal(typeof tls.checkServerIdentity, 'function');
  assert.equal(client.maxRequest, 4_194_304);
  const own = await parseShellArguments(['--ca', `${pems}ca.pem`, '--max-request', '100']);
  assert.equal(own.client.maxRequest, 100);
  assert.deepEqual(own.client.tls, { ca: readFileSync(`${pems}ca.pem`) });
  await assert.rejects(parseShellArguments(['--ca', '/none/there']), /ENOENT/);
});

test('servers that cannot be are told, with exit code 2', async () => {
  for (const server of ['localhost:99999', 'localhost:abc', '', 'host:2181/bad/']) {
    for (const args of [
      ['-server', server, 'ls', '/'],
      ['-server', server],
    ]) {
      const { code, err } = await run(args);
      assert.equal(code, 2, server);
      assert.match(err, /^-server '.*': .*\n$/, 'one line, no stack');
    }
  }
});

test('a time-out that cannot be is told, with exit code 2', async () => {
  for (const timeout of ['soon', '0', '-1', '0.5', '3000000000']) {
    const { code, err } = await run(['-timeout', timeout, 'ls', '/']);
    assert.equal(code, 2, timeout);
    assert.match(err, /^-timeout .*: a whole number from 1 to 2147483647 is expected\n$/, 'one line, no stack');
  }
});

test('files for TLS that cannot be used are told before anything is tried', async (t) => {
  const dir = temporary(t);
  const garbage = join(dir, 'garbage.pem');
  writeFileSync(garbage, 'no certificate');
  const stores = join(dir, 'client.properties');
  writeFileSync(stores, 'zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=/none/store.pem\n');
  const large = join(dir, 'client.large');
  writeFileSync(large, 'jute.maxbuffer=4 MB\n');
  const tls = fileURLToPath(new URL('../../server/test/fixtures/tls/', import.meta.url));
  const bare = join(dir, 'bare.pem');
  writeFileSync(
    bare,
    readFileSync(`${tls}client.pem`, 'utf8').replace(/-----BEGIN [A-Z ]*PRIVATE KEY[\s\S]*?KEY-----/g, ''),
  );
  const cases: [string[], RegExp][] = [
    [['--ca', garbage], /--ca .*: there is no certificate/],
    [['--cert', bare], /--cert needs --key/],
    [['--key', `${tls}client.pem`], /--key needs --cert/],
    [['--cert', garbage, '--key', garbage], /--cert .*garbage/],
    [['-client-configuration', large], /client\.large: jute\.maxbuffer 4 MB: a whole number/],
    [['-client-configuration', stores], /client\.properties: .*\/none\/store\.pem/],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await run([...args, 'ls', '/']);
    assert.equal(code, 2, err);
    assert.match(err, message);
  }
  const { client } = await parseShellArguments(['--cert', `${tls}client.pem`]);
  assert.ok(typeof client.tls === 'object' && client.tls.key !== undefined, 'a file may hold both');
});

test('of letters together the last may have a value', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  const spec = { flags: ['s', 'e'], values: ['t'] };
  for (const words of [
    ['-st', '5', '/x'],
    ['-st5', '/x'],
    ['-s', '-t5', '/x'],
  ]) {
    const { flags, values, rest } = parseOptions(words, spec);
    assert.deepEqual([[...flags], values.get('t'), rest], [['s'], '5', ['/x']]);
  }
  assert.throws(() => parseOptions(['-sx'], spec), /Unrecognized option: -sx/);
  assert.throws(() => parseOptions(['-st'], spec), /Missing argument for option: t/);
  await shell.execute('create -et 100 /x');
  assert.deepEqual(said, ['! TTLs cannot be used with Ephemeral znodes']);
});

test('a digest without a user is no identity', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  await shell.execute('addauth digest');
  await shell.execute('whoami');
  assert.deepEqual(said, ['! KeeperErrorCode = AuthFailed', 'Auth scheme: User', 'ip: 127.0.0.1']);
});

test('blanks are those of ASCII', () => {
  assert.deepEqual(splitWords('set\t/a\u00a0b c\u2003d\u3000 \v'), ['set', '/a\u00a0b', 'c\u2003d\u3000']);
});

test('errors of a reconfiguration name no path', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  shell.client.reconfig = () => Promise.reject(new KeeperError(ErrorCode.BadArguments, 'reconfig'));
  await shell.execute('reconfig -remove 9');
  shell.client.reconfig = () => Promise.reject(new KeeperError(ErrorCode.NoAuth, 'reconfig'));
  await shell.execute('reconfig -remove 9');
  assert.deepEqual(said, ['! Arguments are not valid : ', '! Insufficient permission : ']);
});

test('help names all options, and is an object with --json', async (t) => {
  const server = await serve(t);
  const { shell, said } = await shellAt(t, server);
  for (const name of ['get', 'set', 'removewatches']) await shell.execute(`help ${name}`);
  assert.match(
    said.join('\n'),
    /get \[-s\] \[-w\] \[-b\|-x\] path[\s\S]*set .*\[-b\] path data[\s\S]*\[-c\|-d\|-p\|-r\|-a\] \[-l\]/,
  );
  const { out } = await run(['-server', server, '--json', 'help', 'get']);
  assert.match(JSON.parse(out).help[0], /^get /);
});

test('a zxid in an event is written as everywhere else', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t), ['--json']);
  await shell.execute('create /a');
  await shell.execute('printwatches on');
  await shell.execute('addWatch /a');
  await shell.execute('set /a x');
  await shell.execute('sync /a');
  const events = said.flatMap((line) => JSON.parse(line.replace(/^! /, '')).event ?? []);
  assert.match(events[0].zxid, /^0x[0-9a-f]+$/);
});

test('what zkCli notes of old forms is noted of commands that fail, too; an empty list names no path', async (t) => {
  const { shell, said } = await shellAt(t, await serve(t));
  await shell.execute('ls /none w');
  await shell.execute('delete /none 1');
  await shell.execute('create /x data nonsense');
  assert.deepEqual(said, [
    "! 'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead.",
    '! Node does not exist: /none',
    "! 'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
    '! Node does not exist: /none',
    '! nonsense does not have the form scheme:id:perm',
    '! KeeperErrorCode = InvalidACL',
    '! Acl is not valid : null',
  ]);
});
