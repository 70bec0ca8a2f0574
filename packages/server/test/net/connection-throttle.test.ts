// The throttle of connects: how many tokens sessions take, and how they come back.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from '../../dist/config/index.js';
import { ConnectionThrottle } from '../../dist/net/connection-throttle.js';

test('with weights as many new sessions come in as without, and more known ones', () => {
  const flags = [
    'connection_throttle_tokens=2',
    'connection_throttle_fill_time=100',
    'connection_throttle_weight_enabled=true',
  ];
  const throttle = new ConnectionThrottle(loadConfig({ flags }).connectionThrottle, () => 0);
  const admitted = (renews: boolean, now: number) => {
    let count = 0;
    while (throttle.admit(renews, now)) count++;
    return count;
  };
  assert.equal(admitted(false, 0), 2);
  assert.equal(admitted(false, 101), 1);
  assert.equal(admitted(true, 1000), 3);
});
