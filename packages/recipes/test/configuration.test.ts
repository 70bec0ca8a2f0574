// LiveConfiguration, FileSync: everybody has the same, whole, valid configuration.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { deferred } from '../dist/base/wait.js';
import { SyncedFile } from '../dist/configuration/file-sync.js';
import { FileSync, isRecipeError, LiveConfiguration, type StandardSchema } from '../dist/index.js';
import { Relay, STEPS } from './relay.js';
import { dataDir, expire, leftovers, open, serve, until } from './support.js';

interface Settings {
  readonly limit: number;
  readonly name: string;
}

/** As a schema library would make it. */
const schema: StandardSchema<Settings> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const { limit, name } = value as Partial<Settings>;
      if (typeof limit !== 'number' || limit < 0) return { issues: [{ message: 'not a limit', path: ['limit'] }] };
      return { value: { limit, name: name ?? 'none' } };
    },
  },
};
const initial: Settings = { limit: 1, name: 'a' };

test('all see a change whole, and bad changes change nothing', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using mine = await new LiveConfiguration(client, '/app/config', { schema, initial }).start();
  await using theirs = await new LiveConfiguration(other, '/app/config', {
    schema,
    initial: { limit: 9, name: 'z' },
  }).start();
  assert.deepEqual(theirs.values, initial);
  const changes = theirs.changes();
  assert.deepEqual(await mine.update({ limit: 2, name: 'b' }), { limit: 2, name: 'b' });
  assert.deepEqual((await changes.next()).value, { limit: 2, name: 'b' });
  assert.deepEqual(mine.values, { limit: 2, name: 'b' });
  await assert.rejects(
    mine.update({ limit: -1 }),
    (e) => isRecipeError(e, 'BadData') && e.message === 'LiveConfiguration /app/config: limit: not a limit',
  );
  const invalid = new Promise((resolve) => theirs.on('invalid', resolve));
  await client.setData('/app/config', '{"limit":"many"}');
  assert.ok(isRecipeError(await invalid, 'BadData'));
  assert.equal(theirs.values.limit, 2);
  await client.setData('/app/config', '{"limit":7}'); // by hand
  assert.deepEqual((await changes.next()).value, { limit: 7, name: 'none' });
});

test('many change it at once, and no change is lost', async (t) => {
  const server = await serve(t);
  const clients = await Promise.all(Array.from({ length: 10 }, () => open(t, server.clientPort)));
  const all = await Promise.all(
    clients.map((client) => new LiveConfiguration(client, '/c', { schema, initial, historySize: 3 }).start()),
  );
  await Promise.all(
    all.map(async (one) => {
      for (let i = 0; i < 5; i++) await one.edit(({ limit, name }) => ({ limit: limit + 1, name }));
    }),
  );
  await until(() => all.every((one) => one.values.limit === 51));
  assert.equal((await all[0].history()).length, 3);
  await Promise.all(all.map((one) => one.close()));
  await until(async () => (await leftovers(clients[0], server)).watches === 0);
});

test('what other programs wrote into the history is named where it is no version, and hinders no change', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using config = await new LiveConfiguration(client, '/h', { schema, initial, historySize: 2 }).start();
  await config.update({ limit: 2 });
  const isTold = (e: unknown): boolean =>
    isRecipeError(e, 'BadData') && e.path === '/h/history/0000000001' && /is no version/.test(e.message);
  for (const text of ['no JSON', 'null', '{"id":"x"}']) {
    await client.setData('/h/history/0000000001', text);
    await assert.rejects(config.history(), isTold, text);
    await assert.rejects(config.rollBack(1), isTold, text);
  }
  for (const limit of [3, 4]) await config.update({ limit });
  assert.deepEqual(
    (await config.history()).map(({ values }) => values.limit),
    [4, 3],
  );
});

test('versions are kept, and one is made the current again', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using config = await new LiveConfiguration(client, '/h', {
    schema,
    initial,
    historySize: 4,
    author: 'me',
  }).start();
  for (const limit of [2, 3]) await config.update({ limit });
  await client.setData('/h', '{"limit":4}');
  await until(() => config.values.limit === 4);
  await config.update({ limit: 5 });
  const history = await config.history();
  assert.deepEqual(
    history.map(({ version, values }) => [version, values.limit]),
    [
      [4, 5],
      [3, 4],
      [2, 3],
      [1, 2],
    ],
  );
  assert.equal(history[0].author, 'me');
  await config.rollBack(1);
  assert.deepEqual([config.values.limit, config.version], [2, 5]);
  await assert.rejects(
    config.rollBack(1),
    (e) => isRecipeError(e, 'BadArgument') && /version 1 is not kept/.test(e.message),
  );
});

for (const step of STEPS) {
  test(`a change is made once though the connection is lost ${step}`, async (t) => {
    const server = await serve(t);
    const relay = await Relay.start(t, server.clientPort);
    const client = await open(t, relay.port);
    const made = relay.failAt('multi', step);
    await using config = await new LiveConfiguration(client, '/l', { schema, initial }).start();
    await made;
    const changed = relay.failAt('multi', step);
    await config.edit(({ limit, name }) => ({ limit: limit + 1, name }));
    await changed;
    assert.equal(config.values.limit, 2);
    assert.equal((await client.exists('/l'))?.version, 1);
  });
}

test('a change whose answer was lost is not made again because others have written since', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  await using mine = await new LiveConfiguration(client, '/since', { schema, initial }).start();
  await using theirs = await new LiveConfiguration(other, '/since', { schema, initial }).start();
  const lost = relay.failAt('multi', 'afterCommit');
  const editing = mine.edit(({ limit, name }) => ({ limit: limit + 1, name }));
  await lost;
  relay.down();
  await theirs.edit(({ limit, name }) => ({ limit: limit + 10, name }));
  relay.up();
  await editing;
  assert.equal((await theirs.edit((same) => same)).limit, 12);
  assert.equal(mine.values.limit, 12);
});

test('a change whose answer was lost is not made again where others have written over what tells of it', async (t) => {
  const server = await serve(t);
  const relay = await Relay.start(t, server.clientPort);
  const [client, other] = [await open(t, relay.port), await open(t, server.clientPort)];
  await using mine = await new LiveConfiguration(client, '/over', { schema, initial }).start();
  const lost = relay.failAt('multi', 'afterCommit');
  const editing = mine.edit(({ limit, name }) => ({ limit: limit + 1, name }));
  editing.catch(() => {});
  await lost;
  relay.down();
  await other.setData('/over/history/0000000001', 'no version');
  relay.up();
  await assert.rejects(editing, { codeName: 'ConnectionLoss', outcomeUnknown: true });
  assert.equal((await other.exists('/over'))?.version, 1);
});

test('a gap and another session are lived through', async (t) => {
  const server = await serve(t);
  const [client, other] = [await open(t, server.clientPort), await open(t, server.clientPort)];
  await using mine = await new LiveConfiguration(client, '/g', { schema, initial }).start();
  await using theirs = await new LiveConfiguration(other, '/g', { schema }).start();
  await expire(server, client);
  await theirs.update({ limit: 3 });
  await until(() => mine.values.limit === 3);
});

test('a version is made the current again over a document that is invalid', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await using config = await new LiveConfiguration(client, '/b', { schema, initial }).start();
  await config.update({ limit: 2 });
  for (const data of ['no JSON', '{"limit":-1}']) {
    await client.setData('/b', data);
    await assert.rejects(
      config.edit((values) => values),
      (e) => isRecipeError(e, 'BadData'),
    );
    assert.equal((await config.rollBack(0)).limit, 1);
    assert.deepEqual(JSON.parse(String((await client.getData('/b')).data)), initial);
  }
});

test('a file holds the configuration, whole at any time, and a hook is called', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const path = join(dataDir(t), 'deep', 'settings.json');
  const reloads: number[] = [];
  const onReload = (file: string): void => void reloads.push(JSON.parse(readFileSync(file, 'utf8')).limit);
  const options = { schema, initial, file: { path, onReload, mode: 0o600 } };
  await using config = await new LiveConfiguration(client, '/f', options).start();
  assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), initial);
  for (let limit = 2; limit <= 5; limit++) await config.update({ limit });
  await until(() => reloads.at(-1) === 5);
  assert.deepEqual(readdirSync(dirname(path)), ['settings.json']);
});

test('a change that is made is told as made, though its file is not', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const path = join(dataDir(t), 'settings.json');
  let isBroken = false;
  const onReload = (): void => {
    if (isBroken) throw new Error('a hook with a bug');
  };
  await using config = await new LiveConfiguration(client, '/f', { schema, initial, file: { path, onReload } }).start();
  const errors: unknown[] = [];
  config.on('error', (error) => errors.push(error));
  isBroken = true;
  assert.equal((await config.edit(({ limit, name }) => ({ limit: limit + 1, name }))).limit, 2);
  assert.equal((await config.update({ limit: 7 })).limit, 7);
  assert.equal((await config.rollBack(0)).limit, 1);
  await until(() => errors.length === 3);
  assert.ok(errors.every((error) => String(error).includes('a hook with a bug')));
  const unwritable = new LiveConfiguration(client, '/g', { schema, initial, file: { path: join(path, 'below') } });
  await assert.rejects(unwritable.start(), /ENOTDIR|EEXIST/);
});

test('the hook may change the configuration, and close it', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const path = join(dataDir(t), 'settings.json');
  const seen: number[] = [];
  const onReload = async (): Promise<void> => {
    const { limit } = config.values;
    seen.push(limit);
    if (limit === 2) await config.update({ limit: 3 });
    if (limit === 3) await config.close();
  };
  const config: LiveConfiguration<Settings> = new LiveConfiguration(client, '/hook', {
    schema,
    initial,
    file: { path, onReload },
  });
  await config.start();
  await config.update({ limit: 2 });
  await config.close();
  await until(() => seen.length === 3);
  assert.deepEqual(seen, [1, 2, 3]);
  assert.equal(JSON.parse(readFileSync(path, 'utf8')).limit, 3);
});

test('a file follows a node byte for byte', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  const file = join(dataDir(t), 'raw');
  const sync = await new FileSync(client, '/raw', file).start();
  const bytes = Buffer.from([0, 255, 1]);
  const synced = new Promise((resolve) => sync.once('synced', resolve));
  await client.create('/raw', { data: bytes });
  assert.equal(await synced, file);
  assert.deepEqual(readFileSync(file), bytes);
  await sync.close();
  await assert.rejects(sync.start(), (e) => isRecipeError(e, 'Closed') && e.recipe === 'FileSync');
  const broken = new FileSync(client, '/raw', join(file, 'below'));
  await assert.rejects(broken.start(), /ENOTDIR|EEXIST/);
  const never = new LiveConfiguration(client, '/none', { schema });
  assert.throws(
    () => never.values,
    (e) => isRecipeError(e, 'NotStarted'),
  );
});

test('a file is not written any more once its keeper is closed, which its hook may do', async (t) => {
  const server = await serve(t);
  const client = await open(t, server.clientPort);
  await client.create('/raw', { data: 'one' });
  const file = join(dataDir(t), 'file');
  const told: string[] = [];
  const hook = deferred<() => void>();
  const waiting = async (): Promise<void> => {
    if (told.push('hook') === 2) await new Promise<void>((goOn) => hook.resolve(goOn));
    told.push('hook ended');
  };
  const sync = await new FileSync(client, '/raw', file, { onReload: waiting }).start();
  told.splice(1);
  await client.setData('/raw', 'two');
  const goOn = await hook.promise;
  const closed = sync.close().then(() => told.push('closed'));
  await client.sync();
  goOn();
  await closed;
  assert.deepEqual(told, ['hook', 'hook', 'hook ended', 'closed']);
  const ended = deferred();
  const closing = async (at: string): Promise<void> => {
    if (readFileSync(at, 'utf8') !== 'three') return;
    await other.close();
    ended.resolve();
  };
  const other = await new FileSync(client, '/raw', join(dataDir(t), 'file'), { onReload: closing }).start();
  await client.setData('/raw', 'three');
  await ended.promise;
});

test('content that waits behind a write that fails is written all the same', async (t) => {
  const file = join(dataDir(t), 'file');
  let calls = 0;
  const onReload = (): void => {
    if (++calls === 1) throw new Error('a hook with a bug');
  };
  const synced = new SyncedFile(file, { onReload });
  await Promise.all([synced.write(Buffer.from('one')), synced.write(Buffer.from('two'))]);
  assert.equal(readFileSync(file, 'utf8'), 'two');
});

test('content that comes just when the last write ends is written', async (t) => {
  const dir = dataDir(t);
  for (let turns = 0; turns < 12; turns++) {
    const file = join(dir, String(turns));
    let second: Promise<void> | undefined;
    const writeSoon = async (): Promise<void> => {
      for (let i = 0; i < turns; i++) await undefined;
      await synced.write(Buffer.from('two'));
    };
    const onReload = (): void => {
      second ??= writeSoon();
    };
    const synced = new SyncedFile(file, { onReload });
    await synced.write(Buffer.from('one'));
    await second;
    assert.equal(readFileSync(file, 'utf8'), 'two', `${turns} turns`);
  }
});
