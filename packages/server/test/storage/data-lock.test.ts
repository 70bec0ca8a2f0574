// One server per data directory, also after one died without saying so.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs, { mkdirSync, readdirSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockDataDirs } from '../../dist/storage/data-lock.js';
import { lockDataDir, StorageError } from '../../dist/storage/index.js';
import { temporaryDir } from './fixtures.js';

test('a second server is refused until the first lets go', async (t) => {
  const dir = temporaryDir(t);
  const first = await lockDataDir(dir);
  assert.ok(first);
  await assert.rejects(lockDataDir(dir), (e) => e instanceof StorageError && /another server/.test(e.message));
  assert.equal(readdirSync(dir).length, 1, 'the refused one leaves nothing');
  await first.release();
  assert.deepEqual(readdirSync(dir), []);
  const second = await lockDataDir(dir);
  assert.ok(second);
  await second.release();
});

test('a lock that cannot be given its name leaves nothing', async (t) => {
  const dir = temporaryDir(t);
  const { renameSync } = fs;
  fs.renameSync = () => {
    throw Object.assign(new Error('EIO: i/o error, rename'), { code: 'EIO' });
  };
  syncBuiltinESMExports();
  await assert.rejects(lockDataDir(dir), { code: 'EIO' });
  fs.renameSync = renameSync;
  syncBuiltinESMExports();
  assert.deepEqual(readdirSync(dir), []);
});

test('the lock of a killed process is taken over, by one at most of many that try', async (t) => {
  const dir = temporaryDir(t);
  const module = new URL('../../dist/storage/index.js', import.meta.url).href;
  const script = `const { lockDataDir } = await import(${JSON.stringify(module)}); await lockDataDir(${JSON.stringify(dir)}); process.stdout.write('locked'); setInterval(() => {}, 1e6)`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await assert.rejects(lockDataDir(dir), StorageError);
  child.kill('SIGKILL');
  await once(child, 'exit');
  for (let round = 0; round < 50; round++) {
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => lockDataDir(dir)));
    const won = tries.flatMap((one) => (one.status === 'fulfilled' && one.value !== undefined ? [one.value] : []));
    assert.ok(won.length <= 1, `${won.length} have it`);
    for (const lock of won) await lock.release();
  }
  const alone = await lockDataDir(dir);
  assert.ok(alone);
  assert.equal(readdirSync(dir).length, 1, 'what the dead left is gone');
  await alone.release();
  assert.deepEqual(readdirSync(dir), []);
});

test('a directory of any depth can be locked', { skip: process.platform !== 'linux' }, async (t) => {
  const dir = join(temporaryDir(t), ...Array.from({ length: 10 }, (_, i) => `${i}`.repeat(50)));
  mkdirSync(dir, { recursive: true });
  const fds = readdirSync('/proc/self/fd').length;
  const first = await lockDataDir(dir);
  assert.ok(first);
  assert.equal(readdirSync('/proc/self/fd').length, fds + 1, 'the socket alone stays open');
  await assert.rejects(lockDataDir(dir), (e) => e instanceof StorageError && /another server/.test(e.message));
  await first.release();
  assert.deepEqual(readdirSync(dir), []);
  const second = await lockDataDirs([dir, join(dir, '..')]);
  assert.ok(second);
  assert.equal(readdirSync(dir).length, 1);
  await second.release();
});
