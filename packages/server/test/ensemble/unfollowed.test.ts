// A server that can be elected and not be followed: its port for learners is cut off, the one for elections is not.
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { type Network, nodeNetwork } from '../../dist/net/network.js';
import { Ensemble } from './ensemble.js';

/** Dials to that port get no answer. */
function without(port: number): Network {
  const connect: Network['connect'] = (...where) => (where[1] === port ? new Socket() : nodeNetwork.connect(...where));
  return { ...nodeNetwork, connect };
}

test('others lead where the one that is elected cannot be followed, and it follows them', async (t) => {
  const settings = { initLimit: 5 };
  const ensemble = await Ensemble.of(t, ['participant', 'participant', 'participant'], settings);
  const network = without(ensemble.quorumPortOf(3));
  await ensemble.start(3);
  await Promise.all([1, 2].map((id) => ensemble.start(id, {}, { network })));
  const first = await ensemble.settled();
  assert.notEqual(first, 3);
  assert.ok(ensemble.said(3, /^elected: this server leads/));
  // Of the two that are left only one can be followed.
  await ensemble.stop(first);
  assert.equal(await ensemble.settled(), 3 - first);
});
