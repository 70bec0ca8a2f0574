// Elections while a reconfiguration moves the weights of hierarchical quorums.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig, sameConfig } from '../../dist/quorum/quorum-config.js';
import { hierarchicalQuorum, majorityQuorum } from '../../dist/quorum/quorum-verifier.js';
import { VirtualElection } from './virtual-election.js';

const X = { epoch: 1, zxid: 0x100000005 };
const ids = [1, 2, 3, 4, 5, 6];
const before = hierarchicalQuorum(
  ids,
  [ids],
  new Map([
    [1, 1],
    [2, 1],
    [3, 1],
    [4, 0],
    [5, 0],
    [6, 0],
  ]),
);
const after = hierarchicalQuorum(
  ids,
  [ids],
  new Map([
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 1],
    [5, 1],
    [6, 1],
  ]),
);

test('weights that move to others: all know of the proposed members, all are up, somebody leads', () => {
  const e = new VirtualElection(before);
  for (const id of ids) e.proposed.set(id, after);
  for (const id of ids) e.start(id, X);
  e.advance(600_000);
  assert.ok(
    Object.values(e.outcome()).every((x) => x !== 'looking'),
    JSON.stringify(e.outcome()),
  );
});

test('one weight that stays is behind', () => {
  const five = [1, 2, 3, 4, 5];
  const w = (...n: number[]) => hierarchicalQuorum(five, [five], new Map(n.map((x, i) => [i + 1, x])));
  const e = new VirtualElection(w(1, 1, 1, 0, 0));
  for (const id of [1, 2, 4, 5]) e.proposed.set(id, w(0, 0, 1, 1, 1));
  for (const id of [1, 2, 4, 5]) e.start(id, X);
  e.start(3, { epoch: 1, zxid: 0x100000004 });
  e.advance(600_000);
  assert.ok(
    Object.values(e.outcome()).every((x) => x !== 'looking'),
    JSON.stringify(e.outcome()),
  );
});

test('one with weight does not know of the members in which the longer histories have some', () => {
  const five = [1, 2, 3, 4, 5];
  const e = new VirtualElection(
    hierarchicalQuorum(
      five,
      [
        [5, 3, 2],
        [1, 4],
      ],
      new Map(five.map((id) => [id, id % 4 === 1 ? 1 : 0])),
    ),
  );
  for (const id of [1, 2, 3, 4]) e.proposed.set(id, majorityQuorum(five));
  for (const id of [2, 3, 4]) e.start(id, X);
  for (const id of [1, 5]) e.start(id, { epoch: 1, zxid: 0x100000004 });
  e.advance(600_000);
  assert.ok(
    Object.values(e.outcome()).every((x) => x !== 'looking'),
    JSON.stringify(e.outcome()),
  );
});

test('members with other weights or groups are others', () => {
  const of = (version: number, rest: string) =>
    parseConfig(`server.1=h:1:2\nserver.2=i:1:2\n${rest}\nversion=${version}`);
  const grouped = of(1, 'group.1=1:2\nweight.1=1\nweight.2=0');
  assert.equal(sameConfig(grouped, of(2, 'weight.2=0\nweight.1=1\ngroup.1=1:2')), true);
  assert.equal(sameConfig(grouped, of(2, 'group.1=1:2\nweight.1=0\nweight.2=1')), false);
  assert.equal(sameConfig(grouped, of(2, 'group.1=1\ngroup.2=2\nweight.1=1\nweight.2=0')), false);
  assert.equal(sameConfig(grouped, of(1, '')), true);
});
