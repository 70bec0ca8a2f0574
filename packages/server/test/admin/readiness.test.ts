// Readiness: a write is tried, not more often than told, and not waited for longer than told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Readiness, type Writable } from '../../dist/admin/readiness.js';
import { viewOf } from '../../dist/admin/view-of-server.js';
import { Ensemble } from '../ensemble/ensemble.js';
import { HeldDisk } from '../server/held-disk.js';
import { RawClient, serve } from '../server/raw-client.js';

type Readied = ReturnType<typeof viewOf>;

class Writes implements Writable {
  readonly on: unknown = this;
  readonly waiting: (() => void)[] = [];
  probes = 0;

  readonly probe = (done: () => void): void => {
    this.probes++;
    this.waiting.push(done);
  };

  commit(): void {
    for (const done of this.waiting.splice(0)) done();
  }
}

/** Waits for it: a machine that gives the process no time for a second is taken for one whose write does not get through. */
async function becomesReady(view: Readied): Promise<void> {
  while ((await view.whyNotReady()) !== undefined);
}

test('a write that is committed makes ready, and is shared for a second', async () => {
  let now = 5000;
  const readiness = new Readiness(() => now);
  const writes = new Writes();
  const both = [readiness.whyNot(writes), readiness.whyNot(writes)];
  writes.commit();
  assert.deepEqual(await Promise.all(both), [undefined, undefined]);
  now += 999;
  assert.equal(await readiness.whyNot(writes), undefined);
  assert.equal(writes.probes, 1);
  now += 1;
  const next = readiness.whyNot(writes);
  writes.commit();
  assert.equal(await next, undefined);
  assert.equal(writes.probes, 2);
});

test('a write that is not committed in time makes not ready; it is waited for, not sent again', async () => {
  const readiness = new Readiness(() => performance.now(), 20);
  const writes = new Writes();
  assert.match((await readiness.whyNot(writes)) ?? '', /^a write is not committed after 0\.\d s$/);
  assert.match((await readiness.whyNot(writes)) ?? '', /^a write is not committed/);
  assert.equal(writes.probes, 1);
  writes.commit();
  assert.equal(await readiness.whyNot(writes), undefined);
});

test('after a change of role another write is tried, though the one before is never answered', async () => {
  const readiness = new Readiness(() => performance.now(), 20);
  assert.notEqual(await readiness.whyNot(new Writes()), undefined);
  const writes = new Writes();
  const ready = readiness.whyNot(writes);
  writes.commit();
  assert.equal(await ready, undefined);
});

test('a server whose disk hangs is not ready, one whose disk writes is', async (t) => {
  const disk = new HeldDisk();
  const { server, clientPort } = await serve(t, {}, { disk: disk.disk });
  const view = viewOf(server);
  const before = server.lastZxid;
  await becomesReady(view);
  assert.equal(server.lastZxid, before + 1, 'it was a real write');
  const client = await RawClient.open(t, clientPort);
  disk.hold();
  // A write of somebody else hangs; the one that is tried does so behind it.
  const create = client.create('/x', '');
  let reason = await view.whyNotReady();
  while (reason === undefined) reason = await view.whyNotReady();
  assert.match(reason, /^a write is not committed after \d\.\d s$/);
  disk.release();
  await create;
  await becomesReady(view);
  assert.equal(server.database.tree.digestMismatches, 0);
});

test('leader and followers try their writes through the quorum', async (t) => {
  const ensemble = await Ensemble.ofThree(t);
  const leader = await ensemble.settled();
  for (const id of [1, 2, 3]) {
    const before = ensemble.server(leader).lastZxid;
    await becomesReady(viewOf(ensemble.server(id)));
    assert.equal(ensemble.server(leader).lastZxid, before + 1, 'it was a real write');
  }
  const survivor = [1, 2, 3].find((id) => id !== leader) as number;
  for (const id of [1, 2, 3]) if (id !== survivor) await ensemble.stop(id);
  let reason = await viewOf(ensemble.server(survivor)).whyNotReady();
  while (reason === undefined) reason = await viewOf(ensemble.server(survivor)).whyNotReady();
  assert.match(reason, /no part in an ensemble|not committed/);
});
