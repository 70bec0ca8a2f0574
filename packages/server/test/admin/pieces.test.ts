import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunks, type Pieces } from '../../dist/admin/pieces.js';

test('many long texts at once stop the server no longer than one', async (t) => {
  const WORK_MS = 3;
  function* slow(): Pieces {
    for (let i = 0; i < 4; i++) {
      const until = performance.now() + WORK_MS;
      while (performance.now() < until);
      yield 'x'.repeat(16 * 1024);
    }
  }
  let most = 0;
  let made = 0;
  let ticking = setImmediate(function tick() {
    most = Math.max(most, made);
    made = 0;
    ticking = setImmediate(tick);
  });
  t.after(() => clearImmediate(ticking));
  let length = 0;
  await Promise.all(
    Array.from({ length: 30 }, async () => {
      for await (const chunk of chunks(slow())) {
        made++;
        length += chunk.length;
      }
    }),
  );
  assert.equal(length, 30 * 4 * 16 * 1024);
  most = Math.max(most, made);
  assert.ok(most <= 2, `${most} chunks were made in one turn`);
});
