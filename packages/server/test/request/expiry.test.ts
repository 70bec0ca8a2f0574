// Sessions whose time is over together: no turn of the server is spent on all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionOwner } from '../../dist/request/client.js';
import { OriginatingProcessor } from '../../dist/request/originating.js';
import type { ProcessorHooks, ProcessorOptions } from '../../dist/request/processor.js';
import type { Reads } from '../../dist/request/reads.js';
import { SessionTable } from '../../dist/session/session-table.js';
import { Harness } from '../tree/harness.js';

const TIMEOUT = 4000;

/** Sessions that were heard of at 0, so many with so many ephemerals each. */
function expiring(count: number, ephemerals: number) {
  const h = new Harness();
  const sessions = new SessionTable<SessionOwner>(1000);
  for (let i = 0; i < count; i++) {
    const session = sessions.track(BigInt(1000 + i), TIMEOUT, 0);
    h.author = session;
    for (let j = 0; j < ephemerals; j++) h.create(`/s${i}-${j}`, { flags: 1 });
  }
  const closed: number[] = [];
  const propose = (): void => {
    closed.push(1);
  };
  const processor = new OriginatingProcessor(
    h.tree,
    sessions,
    h.preparer,
    {} as Reads,
    { propose, tellsOfMoves: false },
    {} as ProcessorHooks,
    { maxLength: 1_000_000 } as ProcessorOptions,
  );
  /** How many sessions the server ends when it looks at that time. */
  const at = (now: number): number => {
    processor.now = now;
    assert.equal(processor.expireSessions(), closed.length);
    return closed.splice(0).length;
  };
  return { sessions, at };
}

test('of very many expired sessions some are closed at a time, each once', () => {
  const { sessions, at } = expiring(12_000, 0);
  assert.equal(at(4999), 0);
  const counts = [5000, 5001, 5002, 5003].map(at);
  assert.ok(
    counts.every((count) => count <= 5000),
    counts.join(),
  );
  assert.equal(
    counts.reduce((a, b) => a + b),
    12_000,
  );
  assert.equal([...sessions.expiryBuckets()].length, 0);
});

test('sessions with many ephemerals count for more', () => {
  const { at } = expiring(6, 2000);
  assert.deepEqual([5000, 5100, 5200].map(at), [3, 3, 0]);
});

test('who is heard of before its turn comes lives on', () => {
  const { sessions, at } = expiring(4, 3000);
  assert.equal(at(5000), 2);
  for (const session of [...sessions.values()].filter(({ closing }) => !closing)) sessions.touch(session, 5050);
  assert.deepEqual([5100, 9999, 10_000].map(at), [0, 0, 2]);
});
