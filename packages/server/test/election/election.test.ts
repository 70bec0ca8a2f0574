// Elections: the worked examples, late joiners, observers, groups, partitions; and the messages as real servers write them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { beats, decodeNotification, encodeNotification, NO_VOTE, PeerState } from '../../dist/election/notification.js';
import { hierarchicalQuorum, majorityQuorum } from '../../dist/quorum/quorum-verifier.js';
import { VirtualElection } from './virtual-election.js';

const NEW = { epoch: 0, zxid: 0 };

test('five servers starting in order 1 to 5 elect 3; 4 and 5 follow', () => {
  const e = new VirtualElection([1, 2, 3, 4, 5]);
  e.start(1, NEW);
  e.start(2, NEW);
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'looking', 2: 'looking' });
  e.start(3, NEW);
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
  e.start(4, NEW);
  e.start(5, NEW);
  e.advance(1000);
  assert.equal(e.outcome()[4], 'following 3');
  assert.equal(e.outcome()[5], 'following 3');
});

test('when 3 and 5 die, the longest history wins, then the highest id: of (1,8) (1,8) (1,7) server 2', () => {
  const e = new VirtualElection([1, 2, 3, 4, 5]);
  const epoch = 1;
  e.start(1, { epoch, zxid: 0x100000008 });
  e.start(2, { epoch, zxid: 0x100000008 });
  e.start(4, { epoch, zxid: 0x100000007 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 2', 2: 'leading 2', 4: 'following 2' });
});

test('when all who could have a better vote have voted alike, nobody waits for silence', () => {
  const e = new VirtualElection([1, 2, 3, 4, 5]);
  for (const id of [1, 2, 3, 4, 5]) e.start(id, NEW);
  assert.deepEqual(new Set(Object.values(e.outcome())), new Set(['following 5', 'leading 5']));
});

test('the epoch counts before the zxid', () => {
  const vote = (leader: number, peerEpoch: number, zxid: number) => ({ leader, peerEpoch, zxid, round: 1 });
  assert.ok(beats(vote(1, 2, 5), vote(2, 1, 9)));
  assert.ok(beats(vote(1, 1, 9), vote(2, 1, 5)));
  assert.ok(beats(vote(2, 1, 5), vote(1, 1, 5)));
  assert.ok(!beats(vote(1, 1, 5), vote(1, 1, 5)));
});

test('one that could not be followed of late leaves leading to another that has as much, and follows it', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.heldBack.add(3);
  for (const id of [3, 1, 2]) e.start(id, { epoch: 1, zxid: 8 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 2', 2: 'leading 2', 3: 'following 2' });
});

test('one that could not be followed of late stays behind others that are enough without it, though it has more', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.heldBack.add(3);
  e.start(3, { epoch: 1, zxid: 9 });
  e.start(1, { epoch: 1, zxid: 7 });
  e.start(2, { epoch: 1, zxid: 8 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 2', 2: 'leading 2', 3: 'following 2' });
});

for (const there of [
  [1, 2, 3],
  [2, 3],
]) {
  test(`where all of ${there} could not be followed of late, one of them leads at once`, () => {
    const e = new VirtualElection([1, 2, 3]);
    for (const id of there) e.heldBack.add(id);
    e.start(3, { epoch: 1, zxid: 8 });
    e.advance(5000); // it is in another round than those who come later
    for (const id of there) if (id !== 3) e.start(id, { epoch: 1, zxid: 8 });
    e.advance(5000);
    const leader = e.of(3).vote.leader;
    assert.deepEqual(
      e.outcome(),
      Object.fromEntries(there.map((id) => [id, `${id === leader ? 'leading' : 'following'} ${leader}`])),
    );
  });
}

test('one that could not be followed of late stands where the others need it, and when its time is over', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.heldBack.add(3);
  e.start(3, { epoch: 1, zxid: 9 });
  e.start(1, { epoch: 1, zxid: 8 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 3: 'leading 3' });
  const later = new VirtualElection([1, 2, 3]);
  later.heldBack.add(3);
  later.start(3, { epoch: 1, zxid: 8 });
  later.advance(1000);
  later.heldBack.clear();
  later.advance(1000);
  later.start(1, { epoch: 1, zxid: 8 });
  later.advance(1000);
  assert.deepEqual(later.outcome(), { 1: 'following 3', 3: 'leading 3' });
});

test('a better vote that comes within the wait for silence changes the outcome', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.start(1, NEW);
  e.start(2, NEW);
  e.advance(150);
  assert.deepEqual(e.outcome(), { 1: 'looking', 2: 'looking' });
  e.start(3, NEW);
  e.advance(250);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
});

test('when everybody agrees, nobody waits for silence', () => {
  const e = new VirtualElection([1, 2, 3, 4, 5]);
  for (const id of [1, 2, 3, 4]) e.start(id, NEW);
  e.advance(150);
  for (const id of [1, 2, 3, 4]) assert.equal(e.outcome()[id], 'looking');
  e.start(5, NEW);
  for (const id of [1, 2, 3, 4]) assert.equal(e.outcome()[id], 'following 5');
  assert.equal(e.outcome()[5], 'leading 5');
});

test('a server that begins to look a moment after another is told the better vote at once', () => {
  const e = new VirtualElection([1, 2, 3]);
  for (const id of [1, 2, 3]) e.start(id, { epoch: 1, zxid: 8 });
  e.advance(1000);
  e.stop(3);
  // What 2 tells comes while 1 still follows, and is not kept.
  e.look(2);
  e.look(1);
  e.advance(250); // the silence that is waited for, and not also the pause until votes are told again
  assert.deepEqual(e.outcome(), { 1: 'following 2', 2: 'leading 2' });
});

test('a server of a later round is heard while silence is waited for', () => {
  const e = new VirtualElection([1, 2, 3]);
  // 2 and 3 agree, and wait for 1, which has been through a round with others before it hears of theirs.
  e.cut.add('1>2').add('1>3').add('2>1').add('3>1');
  e.start(1, NEW);
  e.start(2, NEW);
  e.start(3, NEW);
  e.cut.clear();
  e.look(1);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
});

test('who waits for silence hears that the others have settled', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.cut.add('1>2');
  for (const id of [1, 2, 3]) e.start(id, NEW);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'looking', 3: 'leading 3' });
  e.of(2).receive({ ...e.of(1).vote, from: 1, state: PeerState.following, version: 2, config: undefined });
  assert.equal(e.outcome()[2], 'following 3');
});

test('a server that comes back alone does not unseat a leader that the others follow', () => {
  const e = new VirtualElection([1, 2, 3]);
  for (const id of [1, 2, 3]) e.start(id, NEW);
  e.advance(1000);
  e.stop(1);
  e.start(1, { epoch: 0, zxid: 99 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 2: 'following 3', 3: 'leading 3', 1: 'following 3' });
});

for (const behind of ['those who can be voted for', 'the one that is being added'] as const) {
  test(`of a reconfiguration that was interrupted: ${behind} may be rounds behind`, () => {
    const e = new VirtualElection([1, 3]);
    e.joining.add(3);
    const [early, late] = behind === 'the one that is being added' ? [1, 3] : [3, 1];
    e.start(early, NEW);
    for (let round = 0; round < 3; round++) e.look(early);
    e.start(late, NEW);
    e.advance(5000);
    assert.deepEqual(e.outcome(), { 1: 'leading 1', 3: 'following 1' });
  });
}

test('those who can be voted for go along to the later round of one of Apache’s that is being added', () => {
  const e = new VirtualElection([1, 3]);
  e.start(1, NEW);
  const tells = { zxid: NEW.zxid, peerEpoch: NEW.epoch, from: 3, version: 2, config: undefined };
  e.of(1).receive({ ...tells, leader: NO_VOTE, round: 4, state: PeerState.looking });
  e.advance(200);
  assert.deepEqual([e.lastTold?.leader, e.lastTold?.round], [1, 4]);
  e.of(1).receive({ ...tells, leader: 1, round: 4, state: PeerState.looking });
  assert.deepEqual(e.outcome(), { 1: 'leading 1' });
});

test('one that is being added goes back to the round of Apache’s that can be voted for', () => {
  const e = new VirtualElection([1, 3]);
  e.joining.add(3);
  e.start(3, NEW);
  for (let round = 1; round < 4; round++) e.look(3);
  const tells = { zxid: NEW.zxid, peerEpoch: NEW.epoch, from: 1, version: 2, config: undefined };
  e.of(3).receive({ ...tells, leader: 1, round: 1, state: PeerState.looking });
  assert.deepEqual([e.lastTold?.leader, e.lastTold?.round], [1, 1]);
  assert.deepEqual(e.outcome(), { 3: 'following 1' });
});

test('one that is being added does not agree to a history shorter than its own, whatever the round', () => {
  const e = new VirtualElection([1, 3]);
  e.joining.add(3);
  e.start(3, { epoch: 1, zxid: 0x100000009 });
  e.look(3);
  e.start(1, { epoch: 1, zxid: 0x100000005 });
  e.advance(5000);
  assert.deepEqual(e.outcome(), { 1: 'looking', 3: 'looking' });
});

for (const { what, behind, outcome } of [
  {
    what: 'leaves that to who votes already',
    behind: 0,
    outcome: { 1: 'leading 1', 2: 'following 1', 3: 'following 1' },
  },
  {
    what: 'is elected where who votes already has lost something',
    behind: 1,
    outcome: { 1: 'following 3', 2: 'following 3', 3: 'leading 3' },
  },
]) {
  test(`one that is being added, with that in its history, ${what}`, () => {
    const e = new VirtualElection([1]);
    e.joining.add(2).add(3);
    for (const id of [2, 3, 1]) {
      e.proposed.set(id, majorityQuorum([1, 2, 3]));
      e.start(id, { epoch: 1, zxid: id > 1 ? 0x100000005 + behind : 0x100000005 });
      e.advance(1000); // those it waits for are heard late
    }
    e.advance(3000);
    assert.deepEqual(e.outcome(), outcome);
  });
}

test('one that is being added does not stand where others that have to agree do not know of it', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.joining.add(4).add(5);
  for (const id of [1, 2, 3, 4]) e.proposed.set(id, majorityQuorum([4, 5]));
  for (const id of [1, 2, 3, 4]) e.start(id, { epoch: 1, zxid: 0x100000005 });
  e.start(5, { epoch: 1, zxid: 0x100000004 });
  e.advance(3000);
  assert.equal(e.outcome()[3], 'leading 3');
});

test('observers learn the outcome, and do not help to elect', () => {
  const e = new VirtualElection([1, 2, 3], [4, 5]);
  e.start(4, NEW);
  e.start(5, NEW);
  e.start(1, NEW);
  e.advance(5000);
  assert.deepEqual(e.outcome(), { 4: 'looking', 5: 'looking', 1: 'looking' });
  e.start(2, NEW);
  e.advance(5000);
  assert.deepEqual(e.outcome(), { 4: 'observing 2', 5: 'observing 2', 1: 'following 2', 2: 'leading 2' });
});

test('a voter that came back and an observer that looks for longer do not answer each other without end', () => {
  const e = new VirtualElection([1, 2, 3], [4]);
  e.start(1, NEW);
  for (let round = 1; round < 4; round++) e.look(1);
  e.start(4, NEW);
  e.advance(1000);
  e.stop(1);
  e.start(2, NEW);
  e.advance(5000);
  assert.deepEqual(e.outcome(), { 4: 'looking', 2: 'looking' });
});

test('a settled server that others do not count and one that looks do not answer each other without end', () => {
  const e = new VirtualElection([1, 2, 3], [4]);
  for (const id of [1, 2]) for (const pair of [`${id}>3`, `3>${id}`]) e.cut.add(pair);
  for (const id of [1, 2, 3]) e.start(id, NEW);
  e.advance(1000);
  e.start(4, NEW);
  assert.deepEqual(e.outcome(), { 1: 'following 2', 2: 'leading 2', 3: 'looking', 4: 'observing 2' });
});

test('two that look for a leader and do not count each other do not answer each other without end', () => {
  const e = new VirtualElection([1, 2, 3], [4, 5]);
  e.start(4, NEW);
  e.start(5, NEW);
  // Sent before it learned that server 4 has no vote.
  const vote = { leader: 5, zxid: 0, round: 1, peerEpoch: 0 };
  e.of(4).receive({ ...vote, from: 5, state: PeerState.looking, version: 2, config: undefined });
  e.advance(1000);
  for (const id of [1, 2, 3]) e.start(id, NEW);
  e.advance(5000);
  assert.deepEqual([e.outcome()[4], e.outcome()[5]], ['observing 3', 'observing 3']);
});

test('nobody finds a leader that has ended', () => {
  const e = new VirtualElection([1, 2, 3]);
  for (const id of [1, 2, 3]) e.start(id, NEW);
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
  e.of(3).unsettle();
  e.look(1);
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'looking', 2: 'following 3', 3: 'looking' });
  e.look(3);
  e.look(2);
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
});

test('a server that sees the leader but not the rest waits for the leader to say that it leads', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.cut.add('1>2').add('2>1');
  for (const id of [1, 2, 3]) e.start(id, NEW);
  e.advance(5000);
  assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
});

test('in a new round a vote is soon told again, however long a server has been looking', () => {
  const e = new VirtualElection([1, 2, 3, 4, 5]);
  e.start(1, NEW);
  e.advance(200_000);
  const vote = { leader: 2, zxid: 0, peerEpoch: 0, round: 2 };
  e.of(1).receive({ ...vote, from: 2, state: PeerState.looking, version: 2, config: undefined });
  e.lastTold = undefined;
  e.advance(300);
  assert.deepEqual(e.lastTold, { ...vote, from: 1, state: PeerState.looking, version: 2, config: undefined });
});

test('a server that knows of proposed members does not lead one that does not, without enough of them', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.proposed.set(1, majorityQuorum([3, 4, 5]));
  e.start(1, { epoch: 1, zxid: 0x100000002 });
  e.start(2, { epoch: 1, zxid: 0x100000001 });
  e.advance(1000);
  assert.deepEqual(e.outcome(), { 1: 'looking', 2: 'following 1' });
});

test('a server whose data may be missing elects nobody', () => {
  const e = new VirtualElection([1, 2, 3]);
  e.start(1, { epoch: 1, zxid: 5 });
  e.start(2, NEW, true);
  e.advance(10_000);
  assert.deepEqual(e.outcome(), { 1: 'looking', 2: 'looking' });
});

for (const lost of ['knows that', 'does not know that'] as const) {
  test(`a server that ${lost} it has lost what it was voted for does not lead those who follow it already`, () => {
    const e = new VirtualElection([1, 2, 3]);
    for (const id of [1, 2, 3]) e.start(id, { epoch: 1, zxid: id === 3 ? 0x100000008 : 0x100000005 });
    assert.deepEqual(e.outcome(), { 1: 'following 3', 2: 'following 3', 3: 'leading 3' });
    e.stop(3);
    e.start(3, { epoch: 1, zxid: 0x100000002 }, lost === 'knows that');
    e.advance(1000);
    assert.equal(e.outcome()[3], 'looking');
  });
}

test('groups decide by weight, and nobody without weight leads', () => {
  const groups = hierarchicalQuorum([1, 2, 3, 4, 5, 6, 7], [[1, 2, 3], [4, 5, 6], [7]], new Map([[7, 0]]));
  const e = new VirtualElection(groups);
  for (const id of [1, 2, 3, 4, 7]) e.start(id, NEW);
  e.advance(5000);
  assert.equal(e.outcome()[3], 'looking', 'one group of two is not enough');
  e.start(5, NEW);
  e.advance(65_000);
  assert.deepEqual(Object.values(e.outcome()).sort(), [
    'following 5',
    'following 5',
    'following 5',
    'following 5',
    'following 5',
    'leading 5',
  ]);
});

interface Captured {
  readonly kind: string;
  readonly from: number;
  readonly hex: string;
}

test('notifications of real servers are read, and written the same', () => {
  const path = fileURLToPath(new URL('../../test/fixtures/election-notifications.json', import.meta.url));
  const { events, config } = JSON.parse(readFileSync(path, 'utf8')) as { events: Captured[]; config: string };
  let seen = 0;
  for (const { kind, from, hex } of events) {
    if (kind !== 'notification') continue;
    const body = Buffer.from(hex, 'hex').subarray(4);
    const n = decodeNotification(from, body);
    assert.ok(n !== undefined);
    assert.equal(n.config, config);
    assert.deepEqual(encodeNotification(n.state, n, config), body);
    seen++;
  }
  assert.ok(seen > 20);
});

test('notifications that end early or lie about lengths are not understood', () => {
  const whole = encodeNotification(0, { leader: 1, zxid: 2, round: 3, peerEpoch: 4 }, 'version=0');
  for (let n = 0; n < whole.length; n++) {
    const cut = decodeNotification(1, whole.subarray(0, n));
    if (n !== 28 && n !== 40) assert.equal(cut, undefined, `${n} bytes`);
  }
  const lying = Buffer.from(whole);
  lying.writeInt32BE(0x7fffffff, 40);
  assert.equal(decodeNotification(1, lying), undefined);
  lying.writeInt32BE(9, 0);
  assert.equal(decodeNotification(1, lying), undefined);
});
