// Members whose process stood still: who has said something meanwhile is heard before he is taken for silent, and who has not goes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Standstill } from '../../dist/broadcast/standstill.js';
import { Clock } from '../server/clock.js';
import { until } from '../server/until.js';
import { Ensemble, freePorts } from './ensemble.js';
import { RawLearner } from './raw-learner.js';

const VOTERS = [1, 2, 3];
const ALL = [...VOTERS, 4];

/** Three voters, and an observer that follows a follower. */
async function ofFour(t: TestContext): Promise<{ ensemble: Ensemble; clock: Clock; leader: number }> {
  const clock = new Clock();
  const { runtime } = clock;
  const [observerMasterPort = 0] = await freePorts(1);
  const ensemble = await Ensemble.of(
    t,
    ['participant', 'participant', 'participant', 'observer'],
    { syncLimit: 5, observerMasterPort },
    ALL.map((id) => `127.0.0.${id}`), // the port for observers is the same everywhere
  );
  await Promise.all(VOTERS.map((id) => ensemble.start(id, {}, { runtime })));
  const leader = await ensemble.settled();
  await ensemble.start(4, {}, { runtime });
  await ensemble.settled();
  return { ensemble, clock, leader };
}

test('members that stood still together go on with the leader and the epoch that they have', async (t) => {
  const { ensemble, clock, leader } = await ofFour(t);
  await ensemble.level();
  const givenUp = (): number[] => ALL.map((id) => ensemble.timesSaid(id, /no longer|is gone/));
  const before = givenUp(); // the first election may have taken two tries
  for (let i = 0; i < 3; i++) {
    await clock.pass(60_000);
    for (let n = 0; n < 5; n++) await clock.pass(0);
  }
  assert.equal(await ensemble.settled(), leader);
  assert.deepEqual(givenUp(), before);
});

test('a learner that says nothing is let go by a leader that is late again and again', async (t) => {
  const { ensemble, clock, leader } = await ofFour(t);
  const silent = await RawLearner.dial(t, ensemble.quorumPortOf(leader), `127.0.0.${leader}`);
  await silent.follow(9, ensemble.server(leader).lastZxid);
  silent.socket.pause();
  const isGone = (): boolean => ensemble.said(leader, /server 9 is gone: nothing was heard for 1000 ms/);
  for (let i = 0; i < 50 && !isGone(); i++) await clock.pass(250);
  await until(isGone);
  assert.equal(await ensemble.settled(), leader);
});

test('who is late to every check takes the silent for what they are at every other one', () => {
  const standstill = new Standstill(200, 0);
  const checks = [100, 250, 1000, 1100, 2000, 3000, 4000].map((now) => standstill.isBefore(now));
  assert.deepEqual(checks, [false, false, true, false, true, false, true]);
});
