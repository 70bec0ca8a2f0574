// The memory of paths, data and child lists: blocks do not overlap, and what was freed is used again for blocks of any size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arena } from '../../dist/tree/arena.js';

/** How far the memory reaches that such a handle is in. */
const reach = (handle: number): number => (handle + 1) * 16;

test('blocks that are taken and freed in any order keep what was written into them', () => {
  const arena = new Arena();
  const held: { handle: number; size: number; mark: number }[] = [];
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const check = ({ handle, size, mark }: { handle: number; size: number; mark: number }): void => {
    const block = arena.bytes(handle).subarray(arena.offset(handle), arena.offset(handle) + size);
    assert.ok(
      block.every((byte) => byte === mark),
      `a block of ${size} bytes was written into`,
    );
  };
  for (let i = 0; i < 60_000; i++) {
    // Phases of growth and of shrinking, each with sizes of its own.
    if (random(10) < (i % 20_000 < 10_000 ? 7 : 3)) {
      const size = random(20) === 0 ? random(80_000) : 1 + random(64 << (Math.floor(i / 20_000) * 2));
      const handle = arena.alloc(size);
      assert.notEqual(handle, 0);
      const mark = random(256);
      arena.bytes(handle).fill(mark, arena.offset(handle), arena.offset(handle) + size);
      held.push({ handle, size, mark });
    } else {
      const at = random(held.length || 1);
      const one = held[at];
      if (one === undefined) continue;
      held[at] = held[held.length - 1] as typeof one;
      held.pop();
      check(one);
      arena.free(one.handle, one.size);
    }
  }
  held.forEach(check);
  for (const { handle, size } of held) arena.free(handle, size);
  assert.equal(arena.used, 0);
});

test('data that grows bit by bit takes no more memory than it has', () => {
  const arena = new Arena();
  const handles = Array.from({ length: 4000 }, () => arena.alloc(16));
  let farthest = 0;
  for (let size = 32; size <= 4096; size += 16) {
    handles.forEach((handle, i) => {
      arena.free(handle, size - 16);
      handles[i] = arena.alloc(size);
      farthest = Math.max(farthest, reach(handles[i] as number));
    });
  }
  assert.ok(farthest < 1.5 * arena.used, `${farthest} bytes were taken for ${arena.used}`);
});

test('what is filled and emptied again and again takes its memory once, whatever sizes come', () => {
  const arena = new Arena();
  let farthest = 0;
  for (let size = 16; size <= 65_536; size = Math.ceil(size * 1.3)) {
    const handles = Array.from({ length: Math.floor(8_000_000 / size) }, () => arena.alloc(size));
    for (const handle of handles) farthest = Math.max(farthest, reach(handle));
    for (const handle of handles) arena.free(handle, size);
  }
  assert.equal(arena.used, 0);
  assert.ok(farthest < 16_000_000, `${farthest} bytes were taken`);
});
