// The hash of paths: nobody who does not know its key can choose names that collide.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashKey, hashPath } from '../../dist/tree/path-index.js';

const NAMES = 300_000;
const encoded = Buffer.from(Array.from({ length: NAMES }, (_, i) => `/d/${i.toString(36).padStart(7, '0')}`).join(''));
const LENGTH = encoded.length / NAMES;

function hashes(seed: number): Int32Array {
  const key = hashKey(seed);
  return Int32Array.from({ length: NAMES }, (_, i) => hashPath(encoded, i * LENGTH, (i + 1) * LENGTH, key));
}

/** Pairs of names with one hash. */
function collisions(of: Int32Array): [number, number][] {
  const first = new Map<number, number>();
  const pairs: [number, number][] = [];
  of.forEach((hash, i) => {
    const other = first.get(hash);
    if (other === undefined) first.set(hash, i);
    else pairs.push([other, i]);
  });
  return pairs;
}

test('names that collide under one key do not under others, not even if half of them is the same', () => {
  const seed = 2 ** 52 + 123_456_789;
  const pairs = collisions(hashes(seed));
  assert.ok(
    pairs.length > 0 && pairs.length < 40,
    `${pairs.length} of ${NAMES} names collide; by chance it would be 10`,
  );
  for (const other of [seed + 2 ** 8, seed + 2 ** 20, seed + 2 ** 31, seed + 2 ** 32, seed + 2 ** 40]) {
    const here = hashes(other);
    for (const [a, b] of pairs) assert.notEqual(here[a], here[b]);
  }
});

test('names that are alike are spread like others', () => {
  for (const seed of [0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1]) {
    const segments = new Uint32Array(256);
    const slots = new Uint32Array(256);
    for (const hash of hashes(seed)) {
      segments[hash >>> 24] = (segments[hash >>> 24] as number) + 1;
      slots[hash & 255] = (slots[hash & 255] as number) + 1;
    }
    const mean = NAMES / 256;
    for (const counts of [segments, slots])
      for (const count of counts) assert.ok(Math.abs(count - mean) < 6 * Math.sqrt(mean), `${count} of ${mean}`);
  }
});
