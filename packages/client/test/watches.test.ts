// Watches: one-shot and persistent, over lost connections and sessions, side by side on one path.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import {
  type Client,
  EventStream,
  nextEvent,
  type PersistentEvent,
  type WatchEvent,
  type WatchStream,
} from '../dist/index.js';
import type { Session } from '../dist/session.js';
import { WatchRegistry } from '../dist/watch-registry.js';
import { Relay } from './relay.js';
import { open, serve } from './support.js';

/** Reads `count` events; what of them matters here. */
async function take(stream: WatchStream, count: number): Promise<string[]> {
  const seen: string[] = [];
  while (seen.length < count) {
    const { value } = await stream.next();
    assert.ok(value !== undefined);
    seen.push(text(value));
  }
  return seen;
}

function text(event: PersistentEvent): string {
  return `${event.type === 'resync' ? `resync ${event.reason}` : event.type} ${event.path}`;
}

/** A server, a client through a relay, and one that changes things behind its back. */
async function stage(t: TestContext, settings: { tickTime?: number; sessionTimeout?: number } = {}) {
  const { tickTime = 500, sessionTimeout = 10_000 } = settings;
  const { clientPort } = await serve(t, { tickTime });
  const relay = await Relay.start(t, clientPort);
  const client = await open(t, relay.port, { sessionTimeout });
  const other = await open(t, clientPort);
  return { relay, client, other };
}

async function cut(relay: Relay, client: Client, meanwhile: () => Promise<unknown>): Promise<void> {
  relay.down();
  if (client.state !== 'suspended') await once(client, 'suspended');
  await meanwhile();
  relay.up();
  await once(client, 'reconnected');
}

test('a one-shot watch tells what has happened to what was read, once', async (t) => {
  const { client, other } = await stage(t);
  const seen: string[] = [];
  const note = (name: string) => (event: WatchEvent) => void seen.push(`${name}: ${text(event)}`);
  await client.exists('/a', { watcher: note('exists') });
  await client.getChildren('/', { watcher: note('children') });
  await other.create('/a');
  await client.getData('/a', { watcher: note('data') });
  await client.getChildren('/a', { watcher: note('below') });
  await other.create('/a/b');
  await other.setData('/a', 'x');
  await other.setData('/a', 'y');
  await client.exists('/a', { watcher: note('again') });
  await client.getChildren('/a/b', { watcher: note('deleted') });
  await other.delete('/a/b');
  await other.delete('/a');
  await client.sync();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen.sort(), [
    'again: nodeDeleted /a',
    'below: nodeChildrenChanged /a',
    'children: nodeChildrenChanged /',
    'data: nodeDataChanged /a',
    'deleted: nodeDeleted /a/b',
    'exists: nodeCreated /a',
  ]);
});

test('an event is told after the answers before it, and before those that show its change', async (t) => {
  const { client } = await stage(t);
  await client.create('/a', { data: '0' });
  const order: string[] = [];
  const calls = [
    client.getData('/a', { watcher: () => order.push('event') }).then(() => order.push('armed')),
    client.setData('/a', '1').then(() => order.push('set')),
    client.getData('/a').then(({ data }) => order.push(`read ${data}`)),
  ];
  await Promise.all(calls);
  assert.deepEqual(order, ['armed', 'event', 'set', 'read 1']);
});

test('a default watcher hears of reads with `watch: true`', async (t) => {
  const { clientPort } = await serve(t);
  const events: string[] = [];
  const client = await open(t, clientPort, { onEvent: (event) => events.push(`option ${text(event)}`) });
  const stop = client.onEvent((event) => events.push(`listener ${text(event)}`));
  await client.create('/a');
  await client.getData('/a', { watch: true });
  await client.setData('/a', 'x');
  stop();
  await client.getData('/a', { watch: true });
  await client.delete('/a');
  assert.deepEqual(events, ['option nodeDataChanged /a', 'listener nodeDataChanged /a', 'option nodeDeleted /a']);
});

test('one-shot watches fire after a reconnect for what has changed meanwhile, and stay for the rest', async (t) => {
  const { relay, client, other } = await stage(t);
  for (const path of ['/set', '/gone', '/kept', '/parent']) await client.create(path);
  const watch = (path: string) => {
    const { watcher, event } = nextEvent();
    return { event, read: client.exists(path, { watcher }) };
  };
  const set = watch('/set');
  const gone = watch('/gone');
  const made = watch('/made');
  const kept = watch('/kept');
  const parent = nextEvent();
  await Promise.all([set, gone, made, kept].map(({ read }) => read));
  await client.getChildren('/parent', { watcher: parent.watcher });
  await cut(relay, client, async () => {
    await other.setData('/set', 'x');
    await other.delete('/gone');
    await other.create('/made');
    await other.create('/parent/child');
  });
  const events = await Promise.all([set.event, gone.event, made.event, parent.event]);
  assert.deepEqual(events.map(text), [
    'nodeDataChanged /set',
    'nodeDeleted /gone',
    'nodeCreated /made',
    'nodeChildrenChanged /parent',
  ]);
  await other.setData('/kept', 'x');
  assert.equal(text(await kept.event), 'nodeDataChanged /kept');
});

/** Watches for 1.2 MB of paths, more than jute.maxbuffer; with a persistent one beside them, setWatches2 has to do it. */
async function rearmMany(t: TestContext, isBesidePersistent: boolean): Promise<void> {
  const { relay, client, other } = await stage(t);
  const name = 'n'.repeat(400);
  const count = 3000;
  let fired = 0;
  let allFired: () => void = () => {};
  const done = new Promise<void>((resolve) => {
    allFired = resolve;
  });
  const watcher = (): void => {
    fired++;
    if (fired === count) allFired();
  };
  await client.ensurePath('/many');
  if (isBesidePersistent) await client.watch('/persistent').ready;
  await Promise.all(Array.from({ length: count }, (_, i) => client.exists(`/many/${name}${i}`, { watcher })));
  await cut(relay, client, async () => {
    for (let i = 0; i < count; i += 2) void other.create(`/many/${name}${i}`);
    await other.sync();
  });
  for (let i = 1; i < count; i += 2) void other.create(`/many/${name}${i}`);
  await done;
}

test('watches of more paths than one request holds are all set again', (t) => rearmMany(t, false));
test('so they are beside a persistent watch', (t) => rearmMany(t, true));

test('one-shot watches end with the session, and say so', async (t) => {
  const { relay, client, other } = await stage(t, { tickTime: 200, sessionTimeout: 3000 });
  await client.create('/e', { mode: 'ephemeral' });
  await client.create('/a');
  const { watcher, event } = nextEvent();
  await client.getData('/a', { watcher });
  const gone = nextEvent();
  await other.exists('/e', { watcher: gone.watcher });
  relay.down();
  await gone.event;
  relay.up();
  const { type, state, path } = await event;
  assert.deepEqual([type, state, path], ['none', 'expired', '/a']);
  const second = nextEvent();
  await client.connected();
  await client.getData('/a', { watcher: second.watcher });
  await client.close();
  assert.deepEqual([(await second.event).type, (await second.event).state], ['none', 'closed']);
});

test('a persistent watch is read as a stream, until the reader leaves', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a');
  const stream = client.watch('/a');
  await stream.ready;
  await other.setData('/a', '1');
  await other.create('/a/b');
  await other.setData('/a/b', 'not told');
  await other.setData('/a', '2');
  await other.delete('/a/b');
  await other.delete('/a');
  await other.create('/a');
  const seen: string[] = [];
  for await (const event of stream) {
    seen.push(text(event));
    if (event.type === 'nodeCreated') break;
  }
  assert.deepEqual(seen, [
    'nodeDataChanged /a',
    'nodeChildrenChanged /a',
    'nodeDataChanged /a',
    'nodeChildrenChanged /a',
    'nodeDeleted /a',
    'nodeCreated /a',
  ]);
  await assert.rejects(client.checkWatches('/a', 'any'), { codeName: 'NoWatcher' });
});

test('a recursive watch tells of everything below', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/r');
  const stream = client.watch('/r', { recursive: true });
  await stream.ready;
  await other.create('/r/a');
  await other.create('/r/a/b');
  await other.setData('/r/a/b', 'x');
  await other.setData('/r', 'x');
  await other.delete('/r/a/b');
  assert.deepEqual(await take(stream, 5), [
    'nodeCreated /r/a',
    'nodeCreated /r/a/b',
    'nodeDataChanged /r/a/b',
    'nodeDataChanged /r',
    'nodeDeleted /r/a/b',
  ]);
});

test('a persistent watch says that it may have missed something after a reconnect, and goes on', async (t) => {
  const { relay, client, other } = await stage(t);
  const stream = client.watch('/', { recursive: true });
  const plain = client.watch('/a');
  await plain.ready;
  await other.create('/a');
  await client.sync(); // the event has arrived
  await cut(relay, client, () => other.setData('/a', 'missed'));
  await client.sync();
  await other.setData('/a', 'seen');
  assert.deepEqual(await take(stream, 3), ['nodeCreated /a', 'resync reconnected /', 'nodeDataChanged /a']);
  assert.deepEqual(await take(plain, 3), ['nodeCreated /a', 'resync reconnected /a', 'nodeDataChanged /a']);
});

test('a persistent watch goes on in the session that follows an expired one', async (t) => {
  const { relay, client, other } = await stage(t, { tickTime: 200, sessionTimeout: 3000 });
  await client.create('/e', { mode: 'ephemeral' });
  const stream = client.watch('/', { recursive: true });
  await stream.ready;
  const gone = nextEvent();
  await other.exists('/e', { watcher: gone.watcher });
  relay.down();
  await gone.event;
  relay.up();
  await once(client, 'connected');
  await client.sync();
  await other.create('/b');
  assert.deepEqual(await take(stream, 2), ['resync newSession /', 'nodeCreated /b']);
  await client.close();
  assert.equal((await stream.next()).done, true);
});

test('a reader who is too slow is told what was dropped', async (t) => {
  const { client, other } = await stage(t);
  const stream = client.watch('/', { recursive: true, limit: 3 });
  await stream.ready;
  for (let i = 0; i < 5; i++) await other.create(`/${i}`);
  await client.sync();
  assert.deepEqual(await take(stream, 2), ['resync overflow /', 'nodeCreated /4']);
});

test('a watch is set before what is called after it, so that nothing falls between', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a', { data: '0' });
  const stream = client.watch('/a');
  const { data } = await client.getData('/a');
  await other.setData('/a', '1');
  assert.equal(data?.toString(), '0');
  assert.deepEqual(await take(stream, 1), ['nodeDataChanged /a']);
});

test('plain and recursive watches of one path each tell what they are to tell', async (t) => {
  for (const order of [
    [false, true],
    [true, false],
  ]) {
    const { relay, client, other } = await stage(t);
    await client.create('/a');
    const streams = order.map((recursive) => client.watch('/a', { recursive }));
    const plain = streams[order.indexOf(false)] as WatchStream;
    const recursive = streams[order.indexOf(true)] as WatchStream;
    await Promise.all(streams.map(({ ready }) => ready));
    const change = async (): Promise<void> => {
      await other.create('/a/b');
      await other.setData('/a/b', 'x');
      await other.setData('/a', 'x');
      await other.delete('/a/b');
    };
    const below = ['nodeCreated /a/b', 'nodeDataChanged /a/b', 'nodeDataChanged /a', 'nodeDeleted /a/b'];
    const own = ['nodeChildrenChanged /a', 'nodeDataChanged /a', 'nodeChildrenChanged /a'];
    await change();
    assert.deepEqual(await take(recursive, 4), below);
    assert.deepEqual(await take(plain, 3), own);
    await cut(relay, client, async () => {});
    await client.sync();
    await change();
    assert.deepEqual(await take(recursive, 5), ['resync reconnected /a', ...below]);
    assert.deepEqual(await take(plain, 4), ['resync reconnected /a', ...own]);
    recursive.close();
    await change();
    assert.deepEqual(await take(plain, 3), own);
  }
});

test('one-shot watches stand beside persistent ones, and outlive them', async (t) => {
  for (const recursive of [false, true]) {
    const { client, other } = await stage(t);
    await client.create('/a');
    const before = nextEvent();
    await client.getChildren('/a', { watcher: before.watcher });
    const stream = client.watch('/a', { recursive });
    await stream.ready;
    const data = nextEvent();
    const children = nextEvent();
    await client.getData('/a', { watcher: data.watcher });
    await client.getChildren('/a', { watcher: children.watcher });
    await other.setData('/a', '1');
    await other.create('/a/b');
    const events = await Promise.all([before.event, data.event, children.event]);
    assert.deepEqual(events.map(text), ['nodeChildrenChanged /a', 'nodeDataChanged /a', 'nodeChildrenChanged /a']);
    await other.setData('/a', '2');
    const created = recursive ? 'nodeCreated /a/b' : 'nodeChildrenChanged /a';
    assert.deepEqual(await take(stream, 3), ['nodeDataChanged /a', created, 'nodeDataChanged /a']);
    const later = nextEvent();
    const below = nextEvent();
    await client.getData('/a', { watcher: later.watcher });
    await client.getChildren('/a', { watcher: below.watcher });
    stream.close();
    await client.sync();
    await other.setData('/a', '3');
    await other.delete('/a/b');
    assert.equal(text(await later.event), 'nodeDataChanged /a');
    assert.equal(text(await below.event), 'nodeChildrenChanged /a');
  }
});

test('a one-shot watch of children is not lost to a recursive watch that comes after it', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a');
  const { watcher, event } = nextEvent();
  await client.getChildren('/a', { watcher });
  await client.watch('/a', { recursive: true }).ready;
  await other.create('/a/b');
  assert.equal(text(await event), 'nodeChildrenChanged /a');
});

test('a callback watches until it is closed', async (t) => {
  const { client, other } = await stage(t);
  const seen: string[] = [];
  const handle = await client.addWatch('/', (event) => seen.push(text(event)), { recursive: true });
  await client.create('/a');
  handle.close();
  await client.create('/b');
  assert.deepEqual(seen, ['nodeCreated /a']);
  await other.sync();
  await assert.rejects(
    client.addWatch('/', () => {}, { signal: AbortSignal.abort(new Error('no')) }),
    {
      message: 'no',
    },
  );
});

test('watches are removed: one watcher, a kind, or all', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a');
  const seen: string[] = [];
  const one = (): void => void seen.push('one');
  const two = (): void => void seen.push('two');
  await client.getData('/a', { watcher: one });
  await client.getData('/a', { watcher: two });
  await client.getChildren('/a', { watcher: one });
  await client.removeWatches('/a', { type: 'data', watcher: one });
  await client.checkWatches('/a', 'data');
  await other.setData('/a', 'x');
  await client.sync();
  assert.deepEqual(seen, ['two']);
  await assert.rejects(client.removeWatches('/a', { type: 'data' }), { codeName: 'NoWatcher', path: '/a' });
  await client.removeWatches('/a');
  await assert.rejects(client.checkWatches('/a'), { codeName: 'NoWatcher' });
  await assert.rejects(client.removeWatches('/a'), { codeName: 'NoWatcher' });
  await other.delete('/a');
  await client.sync();
  assert.deepEqual(seen, ['two']);
});

test('removing one-shot watches leaves the persistent ones of the path', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a');
  const stream = client.watch('/a');
  await client.getData('/a', { watcher: () => assert.fail('it was removed') });
  await client.removeWatches('/a');
  await assert.rejects(client.removeWatches('/a'), { codeName: 'NoWatcher' });
  await other.setData('/a', 'x');
  assert.deepEqual(await take(stream, 1), ['nodeDataChanged /a']);
});

test('what a watcher throws is told, and hurts nobody else', async (t) => {
  const { client, other } = await stage(t);
  await client.create('/a');
  const errors: unknown[] = [];
  client.on('watcherError', (error) => errors.push((error as Error).message));
  const { watcher, event } = nextEvent();
  await client.getData('/a', {
    watcher: () => {
      throw new Error('thrown');
    },
  });
  await client.getData('/a', { watcher });
  await other.setData('/a', 'x');
  assert.equal((await event).type, 'nodeDataChanged');
  await client.sync();
  assert.deepEqual(errors, ['thrown']);
});

test('below a chroot, events have the paths that the program uses', async (t) => {
  const { clientPort } = await serve(t);
  const client = await open(t, `127.0.0.1:${clientPort}/app`);
  await client.ensurePath('/');
  const stream = client.watch('/', { recursive: true });
  const { watcher, event } = nextEvent();
  await client.getChildren('/', { watcher });
  await client.create('/a');
  await client.setData('/', 'x');
  assert.deepEqual(await take(stream, 2), ['nodeCreated /a', 'nodeDataChanged /']);
  assert.equal(text(await event), 'nodeChildrenChanged /');
});

test('a persistent watch that is opened and closed without a connection does not stay on the server', async (t) => {
  const { relay, client } = await stage(t);
  relay.down();
  await once(client, 'suspended');
  const stream = client.watch('/', { recursive: true });
  stream.close();
  const other = client.watch('/zookeeper');
  relay.up();
  await other.ready;
  await stream.ready;
  await client.sync();
  await assert.rejects(client.checkWatches('/', 'any'), { codeName: 'NoWatcher' });
  await client.checkWatches('/zookeeper', 'any');
});

test('a watch that is not waited for any more is forgotten, however often it is asked again', async (t) => {
  const { relay, client, other } = await stage(t);
  await client.create('/a');
  const { watches } = Reflect.get(client, 'session') as Session;
  const count = (): number =>
    ['/a', '/b'].reduce((sum, path) => sum + watches.countOneShot(path, ['data', 'exists', 'children'], undefined), 0);
  for (let i = 0; i < 20; i++) {
    const next = nextEvent({ timeout: i % 2 });
    await client.getData('/a', { watcher: next.watcher });
    await client.getChildren('/a', { watcher: next.watcher });
    await client.exists('/b', { watcher: next.watcher });
    await assert.rejects(next.event, { codeName: 'OperationTimeout' });
  }
  assert.equal(count(), 0);
  const next = nextEvent({ timeout: 60_000 });
  await client.getData('/a', { watcher: next.watcher });
  await cut(relay, client, () => other.setData('/a', 'x'));
  assert.equal((await next.event).type, 'nodeDataChanged');
  assert.equal(count(), 0);
});

test('a stream of which very much was not read is read as fast as one of which little was', async () => {
  const stream = new EventStream<number>();
  const count = 200_000;
  for (let i = 0; i < count; i++) stream.push(i);
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    assert.equal((await stream.next()).value, i);
    if (i % 1000 === 0) stream.push(count + i / 1000);
  }
  assert.equal(stream.length, count / 1000);
  assert.ok(performance.now() - began < 10_000); // with an array's shift() it took 40 s
  stream.clear();
  stream.push(1);
  stream.end();
  assert.deepEqual([(await stream.next()).value, (await stream.next()).done], [1, true]);
});

test('of what nobody reads no more is kept than the limit: the oldest goes, or the stream ends with its error', async () => {
  let ends = 0;
  const latest = new EventStream<number>(() => ends++, { limit: 3 });
  for (let i = 0; i < 5000; i++) latest.push(i);
  assert.equal(latest.length, 3);
  assert.deepEqual(await latest.next(), { value: 4997, done: false });
  latest.push(5000);
  latest.end();
  const rest: number[] = [];
  for await (const value of latest) rest.push(value);
  assert.deepEqual(rest, [4998, 4999, 5000]);

  const every = new EventStream<number>(() => ends++, {
    limit: 3,
    overflow: (unread) => new Error(`${unread} unread`),
  });
  for (let i = 0; i < 3; i++) every.push(i);
  assert.equal((await every.next()).value, 0);
  assert.equal(ends, 1);
  for (let i = 3; i < 6; i++) every.push(i);
  assert.deepEqual([every.length, ends], [0, 2]); // also if nobody reads any more
  await assert.rejects(every.next(), { message: '3 unread' });
  assert.equal((await every.next()).done, true);
});

test('of a path with very many levels only those are looked for that are watched', (t) => {
  const registry = new WatchRegistry('', 1024, (error) => assert.fail(String(error)));
  const told: string[] = [];
  const watches = ['/', '/x', '/x/xx', '/x/x/x/x'].map((path, i) => {
    const deliver = (event: PersistentEvent): void => void told.push(`${path} ${event.path.length}`);
    return { path, recursive: i < 3, sent: true, deliver };
  });
  for (const watch of watches) registry.addPersistent(watch);
  const deep = '/x'.repeat(2000);
  const slices = t.mock.method(String.prototype, 'slice');
  registry.notify('nodeDataChanged', deep, 1);
  assert.ok(slices.mock.callCount() < 10, `${slices.mock.callCount()} beginnings of a path with 2,000`);
  assert.deepEqual(told.splice(0), ['/x 4000', '/ 4000'], 'the nearest first');
  for (const path of ['/x/xx/y', '/x/xx', '/x', '/y', '/']) registry.notify('nodeDataChanged', path, 2);
  const expected = ['/x/xx 7', '/x 7', '/ 7', '/x/xx 5', '/x 5', '/ 5', '/x 2', '/ 2', '/ 2', '/ 1'];
  assert.deepEqual(told.splice(0), expected);
  for (const watch of watches) registry.removePersistent(watch);
  registry.notify('nodeDataChanged', deep, 3);
  assert.deepEqual(told, []);
});
