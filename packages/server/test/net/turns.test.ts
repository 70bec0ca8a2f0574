// Turns: everybody has a share, and no turn goes on for long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns, type TurnTaker } from '../../dist/net/turns.js';
import { nodeRuntime, type Runtime } from '../../dist/runtime.js';

/** A clock that work moves, and turns that come when the test says so. */
class Loop {
  now = 1000;
  readonly waiting: (() => void)[] = [];
  readonly log: string[] = [];
  readonly runtime: Runtime = {
    ...nodeRuntime,
    now: () => this.now,
    soon: (action) => {
      this.waiting.push(action);
    },
  };
  readonly turns = new Turns(
    () => {},
    () => {},
    (error) => this.log.push(error.message),
    this.runtime,
  );

  /** Takes `ms` for each of its shares. */
  taker(name: string, shares: number, ms: number): TurnTaker {
    let left = shares;
    return {
      takeTurn: () => {
        this.log.push(name);
        this.now += ms;
        return --left > 0;
      },
      flush: () => this.log.push(`${name} flushed`),
    };
  }

  turn(): string[] {
    this.log.length = 0;
    for (const action of this.waiting.splice(0)) action();
    return [...this.log];
  }
}

test('everybody has one share of a turn, and comes again after all others', () => {
  const loop = new Loop();
  for (const [name, shares] of [
    ['a', 3],
    ['b', 1],
    ['c', 2],
  ] as const)
    loop.turns.enqueue(loop.taker(name, shares, 0.1));
  assert.deepEqual(loop.turn(), ['a', 'b', 'c']);
  assert.deepEqual(loop.turn(), ['a', 'c']);
  assert.deepEqual(loop.turn(), ['a']);
  assert.deepEqual(loop.turn(), []);
  assert.equal(loop.waiting.length, 0, 'no turn without work');
});

test('a turn ends when its time is over, and goes on where it ended', () => {
  const loop = new Loop();
  for (const name of ['a', 'b', 'c', 'd', 'e']) loop.turns.enqueue(loop.taker(name, 2, 2.5));
  assert.deepEqual(loop.turn(), ['a', 'b']);
  loop.turns.enqueue(loop.taker('late', 1, 1));
  assert.deepEqual(loop.turn(), ['c', 'd']);
  assert.deepEqual(loop.turn(), ['e', 'a']);
  assert.deepEqual(loop.turn(), ['b', 'late', 'c']);
});

test('what very many are told leaves over several turns, each once and in order', () => {
  const loop = new Loop();
  const told: number[] = [];
  for (let i = 0; i < 500; i++) {
    loop.turns.markDirty({
      takeTurn: () => false,
      flush: () => {
        told.push(i);
        loop.now += 0.05;
      },
    });
  }
  loop.turns.flush();
  assert.ok(told.length >= 100 && told.length < 200, `${told.length} in the time of a turn`);
  while (loop.waiting.length > 0) loop.turn();
  assert.deepEqual(told, [...Array(500).keys()]);
});

test('what was written in a turn leaves at its end, though others wait', () => {
  const loop = new Loop();
  const slow = loop.taker('slow', 2, 10);
  loop.turns.enqueue({
    takeTurn: () => {
      loop.turns.markDirty(slow);
      return slow.takeTurn();
    },
    flush: () => {},
  });
  loop.turns.enqueue(loop.taker('other', 1, 1));
  assert.deepEqual(loop.turn(), ['slow', 'slow flushed']);
  assert.deepEqual(loop.turn(), ['other', 'slow', 'slow flushed']);
});

test('what gathers over several turns leaves once, when everything that arrived together was read', () => {
  const loop = new Loop();
  const link = loop.taker('link', 0, 0);
  loop.turns.take(() => loop.turns.gather(link));
  loop.turns.take(() => loop.log.push('read more'));
  assert.deepEqual(loop.log, ['read more']);
  assert.deepEqual(loop.turn(), ['link flushed']);
  loop.turns.take(() => loop.turns.gather(link));
  assert.deepEqual(loop.turn(), ['link flushed']);
});

test('after a fault nothing leaves, and there are no more turns', () => {
  const loop = new Loop();
  const other = loop.taker('other', 2, 1);
  const link = loop.taker('link', 0, 0);
  loop.turns.enqueue(other);
  loop.turns.enqueue({
    takeTurn: () => {
      loop.turns.markDirty(other);
      loop.turns.gather(link);
      throw new Error('a fault');
    },
    flush: () => {},
  });
  assert.deepEqual(loop.turn(), ['other', 'a fault']);
  assert.deepEqual(loop.turn(), []);
  assert.deepEqual(loop.waiting, []);
  loop.log.length = 0;
  loop.turns.take(() => loop.log.push('more'));
  assert.deepEqual(loop.log, []);
});
