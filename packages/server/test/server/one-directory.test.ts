// Data directories used as they should not be: by two servers, or copied from one that runs.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockDataDir, StorageError, TEMPORARY } from '../../dist/storage/index.js';
import { FIXTURES } from '../storage/fixtures.js';
import { dataDir, serve } from './raw-client.js';

const refused = (e: unknown): boolean => e instanceof StorageError && /another server uses/.test(e.message);

test('a server that is refused takes nothing away from the one that runs', async (t) => {
  const dir = dataDir(t);
  const first = await serve(t, { dataDir: dir });
  const unfinished = join(dir, 'version-2', `${TEMPORARY}snapshot.7`);
  writeFileSync(unfinished, 'a snapshot that is being written');
  await assert.rejects(serve(t, { dataDir: dir }), refused);
  assert.equal(existsSync(unfinished), true);
  await first.close();
  await serve(t, { dataDir: dir });
  assert.equal(existsSync(unfinished), false, 'the next one clears it away');
});

test('two servers cannot write their logs to one directory', async (t) => {
  const logs = dataDir(t);
  const first = await serve(t, { dataLogDir: logs });
  const own = dataDir(t);
  await assert.rejects(serve(t, { dataDir: own, dataLogDir: logs }), refused);
  assert.deepEqual(
    readdirSync(own).filter((name) => name !== 'version-2'),
    [],
    'no lock is left in the directory of its own',
  );
  await first.close();
  await serve(t, { dataDir: own, dataLogDir: logs });
});

for (const [name, settings, files] of [
  [
    'its certificates cannot be read',
    { secureClientPort: 0, 'ssl.keyStore.location': '/nowhere.pem', 'ssl.clientAuth': 'none' },
    {},
  ],
  [
    'it is a member whose epochs cannot be right',
    {
      'server.1': '127.0.0.1:1:2',
      'server.2': '127.0.0.1:3:4',
      'server.3': '127.0.0.1:5:6',
      initLimit: 5,
      syncLimit: 5,
    },
    { myid: '1', 'version-2/acceptedEpoch': '1', 'version-2/currentEpoch': '3' },
  ],
] as const) {
  test(`a server that does not start lets go of its data: ${name}`, async (t) => {
    const dir = dataDir(t);
    mkdirSync(join(dir, 'version-2'));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
    await assert.rejects(serve(t, { dataDir: dir, ...settings }), /nowhere\.pem|acceptedEpoch/);
    await (await lockDataDir(dir))?.release();
  });
}

for (const complete of [true, false]) {
  test(`a snapshot that is ${complete ? 'not ' : ''}without the end of its log is told of`, async (t) => {
    const dir = dataDir(t);
    const files = join(dir, 'version-2');
    cpSync(join(FIXTURES, 'fuzzy-3.8.0', 'version-2'), files, { recursive: true });
    if (!complete) for (const name of readdirSync(files)) if (name.startsWith('log.')) unlinkSync(join(files, name));
    const told: string[] = [];
    const tell = (_fields: object, message: string) => told.push(message);
    await serve(t, { dataDir: dir }, { logger: { info: () => {}, warn: tell, error: tell } });
    assert.equal(told.filter((message) => message.includes('not in the log')).length, complete ? 0 : 1);
  });
}
