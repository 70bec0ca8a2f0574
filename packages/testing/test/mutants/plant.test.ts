// Planted faults: each replaces what stands exactly once in the server as it is now.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLANTED } from '../../dist/mutants/faults.js';
import { changed } from '../../dist/mutants/plant.js';

test('every fault can be planted', () => {
  assert.ok(PLANTED.length >= 15);
  for (const fault of PLANTED) assert.ok(changed(fault).source.length > 0);
});

test('a text that is not there is an error', () => {
  const fault = { name: 'none', file: 'storage/txn-log.js', from: 'no such text', to: '' };
  assert.throws(() => changed(fault), /stands 0 times/);
});
