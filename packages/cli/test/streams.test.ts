import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ReaderGone, Streams } from '../dist/shell/streams.js';
import { MAIN } from './support.js';

test('long output waits for who reads it, and is given up when nobody does', async () => {
  const out = new PassThrough({ highWaterMark: 1000 });
  const streams = new Streams(out, new PassThrough());
  streams.line('x'.repeat(100));
  await streams.taken();
  streams.line('x'.repeat(200_000));
  let isTaken = false;
  const taken = streams.taken().then(() => {
    isTaken = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isTaken, false);
  out.resume();
  await taken;
  out.pause();
  streams.line('x'.repeat(200_000));
  const gone = streams.taken();
  out.emit('error', new Error('EPIPE'));
  await assert.rejects(gone, ReaderGone);
  await assert.rejects(streams.taken(), ReaderGone);
});

test('what a full disk does not take is a failure', { skip: !existsSync('/dev/full') }, (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  for (const [code, ...args] of [
    [1, 'version'],
    [1, 'shell', '--help'],
    [2, 'tools', '--help'],
  ] as const) {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { stdio: ['ignore', full, 'pipe'] });
    assert.equal(stderr.toString(), 'standard output cannot be written: ENOSPC: no space left on device, write\n');
    assert.equal(status, code, args.join(' '));
  }
});
