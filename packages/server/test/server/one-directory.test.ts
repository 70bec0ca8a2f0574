// Two servers that were given one directory by mistake.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StorageError, TEMPORARY } from '../../dist/storage/index.js';
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
