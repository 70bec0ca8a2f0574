// Timers that are longer than Node's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRuntime } from '../../dist/runtime.js';

const MONTH = 30 * 24 * 3_600_000; // more than 2^31 ms
const STEP = 3_600_000;

test('timers of a month end after a month, once or again and again, and can be cancelled', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let once = 0;
  let often = 0;
  nodeRuntime.after(MONTH, () => once++);
  nodeRuntime.after(MONTH, () => assert.fail('cancelled')).cancel();
  const every = nodeRuntime.every(MONTH, () => often++);
  // A tick of the mock takes place at its end: each part of a timer may be late by one.
  const late = 3;
  for (let hours = 1; hours <= 3 * 720 + 3 * late; hours++) {
    t.mock.timers.tick(STEP);
    if (hours < 720) assert.equal(once + often, 0, `after ${hours} h`);
    if (hours === 720 + late) assert.deepEqual([once, often], [1, 1]);
  }
  assert.deepEqual([once, often], [1, 3]);
  every.cancel();
  for (let hours = 0; hours < 1000; hours++) t.mock.timers.tick(STEP);
  assert.equal(often, 3);
});
