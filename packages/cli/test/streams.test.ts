import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { ReaderGone, Streams } from '../dist/shell/streams.js';

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
