// `nodekeeper testing-server` as tests in other languages use it: a process, commands in lines or over HTTP, answers in JSON.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, watch } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { connect, isKeeperError } from '@nodekeeper/client';
import { atEnd, MAIN, runMain, temporary } from './support.js';

// biome-ignore lint/suspicious/noExplicitAny: what JSON says is up to the test
type Json = any;

interface Running {
  readonly first: Json;
  /** Sends a line; resolves with its answer. */
  command(line: string): Promise<Json>;
  readonly process: ChildProcess;
}

async function testingServer(t: TestContext, ...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, 'testing-server', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  atEnd(t, () => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Json> => JSON.parse((await lines.next()).value ?? 'null');
  return {
    first: await next(),
    process: child,
    command(line) {
      child.stdin.write(`${line}\n`);
      return next();
    },
  };
}

async function end({ process }: Running): Promise<void> {
  const exit = once(process, 'exit');
  process.stdin?.end();
  assert.deepEqual(await exit, [0, null]);
}

test('commands in lines: a reply is lost, the disk fails, the server is started again, a session ends, time passes', async (t) => {
  const server = await testingServer(t, '--set', 'extendedTypesEnabled=true');
  const client = await connect(server.first.connectString);
  const session = `0x${client.sessionId.toString(16)}`;
  assert.deepEqual(await server.command(`drop-next-reply session=${session}`), { ok: true });
  const lost = (e: unknown): boolean => isKeeperError(e) && e.outcomeUnknown;
  await assert.rejects(client.create('/lost', { data: 'x' }), lost);
  const { dropped, leader } = await server.command('status');
  assert.equal(leader, 1);
  assert.deepEqual([dropped.length, dropped[0].session, dropped[0].error], [1, session, 0]);
  assert.equal((await client.getData('/lost')).data?.toString(), 'x');

  await server.command('fail-disk code=ENOSPC');
  await assert.rejects(client.create('/refused'), lost);
  const failed = await server.command('status');
  assert.equal(failed.servers[0].running, false);
  assert.match(failed.servers[0].failure, /ENOSPC/);
  await server.command('heal-disk');
  assert.deepEqual(await server.command('start'), { ok: true });
  assert.equal(await client.exists('/refused'), null);

  await client.create('/ttl', { mode: 'persistentWithTtl', ttl: 60_000 });
  assert.deepEqual(await server.command('advance ms=200000'), { ok: true });
  assert.equal(await client.exists('/ttl'), null);

  const expired = once(client, 'expired');
  assert.deepEqual(await server.command(`expire session=${client.sessionId}`), { ok: true, expired: true });
  await expired;
  await client.close();
  await end(server);
});

test('commands over HTTP: an ensemble is cut, slowed down, frozen, and shaken by a seed', async (t) => {
  const servers = await testingServer(t, '--servers', '3', '--control-port', '0');
  const post = async (path: string): Promise<Json> =>
    (await fetch(`${servers.first.control}/${path}`, { method: 'POST' })).json();
  const { leader } = await post('status');
  const others = [1, 2, 3].filter((id) => id !== leader);
  assert.deepEqual(await post(`partition?groups=${leader}|${others}`), { ok: true });
  for (let now = leader; now === leader || now === null; ) now = (await post('status')).leader;
  await post('heal');
  const healed = await post('ready');
  assert.equal(healed.servers.length, 3);
  for (const command of ['slow-disk?server=2&ms=20', 'delay-replies?server=3&ms=5', 'freeze?server=1', 'thaw?server=1'])
    assert.deepEqual(await post(command), { ok: true }, command);
  const client = await connect(servers.first.connectString);
  await client.create('/n');
  const { seed, plan } = await post('chaos?seed=7&duration=60000&kinds=kill,stop');
  assert.equal(seed, '7');
  assert.ok(plan.length === 1 && plan[0].length > 0);
  const { ok, lines } = await post('stop-chaos');
  assert.equal(ok, true);
  assert.match(lines.at(-1), /everything is well/);
  assert.notEqual(await client.exists('/n'), null);
  await client.close();
  await end(servers);
});

test('what is no command is refused, and changes nothing', async (t) => {
  const server = await testingServer(t, '--control-port', '0');
  for (const [line, problem] of [
    ['explode', /no command; there are .*kill/],
    ['kill sever=1', /takes no sever/],
    ['kill server=2', /there is no server 2/],
    ['kill server=one', /whole number/],
    ['slow-disk', /ms=… is missing/],
    ['partition groups=1', /1\|2,3/],
    ['expire session=abc', /an id is expected/],
    ['chaos kinds=flood', /kinds=flood/],
    ['constructor', /no command/],
  ] as const) {
    const answer = await server.command(line);
    assert.equal(answer.ok, false);
    assert.match(answer.error, problem);
  }
  const page = await fetch(`${server.first.control}/kill`, {
    method: 'POST',
    headers: { origin: 'http://example.com' },
  });
  assert.equal(page.status, 400);
  assert.equal((await fetch(`${server.first.control}/kill`)).status, 400);
  assert.equal((await server.command('status')).servers[0].running, true);
  await end(server);
});

test('what cannot be asked for is told, with exit code 2, and a port that is taken with 1', async (t) => {
  for (const args of [
    ['--servers', 'x'],
    ['--observers', '-1'],
    ['--port', '99999'],
    ['--control-port', 'x'],
    ['--set', 'tickTme=1'],
    ['--set', 'clientPort=1'],
  ]) {
    const { code, out, err } = await runMain(['testing-server', ...args]);
    assert.equal(code, 2, err);
    assert.equal(out, '');
    assert.match(err, new RegExp(`${args[0]}.*\\n$`));
    assert.doesNotMatch(err, /NaN|\n +at /);
  }
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  atEnd(t, () => other.close());
  const { port } = other.address() as AddressInfo;
  for (const option of ['--port', '--control-port']) {
    const { code, out, err } = await runMain(['testing-server', option, String(port)]);
    assert.equal(code, 1);
    assert.equal(out, '', 'what is printed there is JSON');
    assert.match(err, new RegExp(`^Port ${port} \\(${option}\\) is taken by process ${process.pid} `));
  }
});

test('commands that cannot be done are answered, and nothing is done', async (t) => {
  const server = await testingServer(t, '--servers', '2');
  for (const line of ['fail-disk code=FOO', 'partition groups=1,2|2', 'chaos kinds=foo', 'chaos atOnce=0']) {
    const answer = await server.command(line);
    assert.equal(answer.ok, false, line);
  }
  await end(server);
});

test('told to end by a signal, at once or while it starts, it leaves nothing behind', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    for (const moment of ['starting', 'started'] as const) {
      const dir = temporary(t);
      const watcher = watch(dir);
      const made = once(watcher, 'change');
      const env = { ...process.env, TMPDIR: dir };
      const child = spawn(process.execPath, [MAIN, 'testing-server'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
      atEnd(t, () => child.kill('SIGKILL'));
      await (moment === 'starting' ? made : once(child.stdout, 'data'));
      watcher.close();
      child.stdout.resume();
      child.kill(signal);
      assert.deepEqual(await once(child, 'exit'), [0, null], `${signal} ${moment}`);
      assert.deepEqual(readdirSync(dir), [], `${signal} ${moment}`);
    }
  }
});
