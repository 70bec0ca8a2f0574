// The checksum of logs and snapshots, against its definition.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADLER_START, adler32 } from '../../dist/storage/adler32.js';

const MOD = 65521;
/** What a run of the largest bytes begins with at worst: more would not fit into 32 bits. */
const LARGEST = (((MOD - 1) << 16) | (MOD - 1)) >>> 0;

function byDefinition(sum: number, bytes: Uint8Array): number {
  let a = sum & 0xffff;
  let b = sum >>> 16;
  for (const byte of bytes) {
    a = (a + byte) % MOD;
    b = (b + a) % MOD;
  }
  return b * 65536 + a;
}

test('the checksum is Adler-32, whatever the length, the place and the sum before', () => {
  const buf = Buffer.alloc(9000).map((_, i) => (i * 2654435761) >>> 13);
  for (const start of [0, 1, 2, 3, 7, 4999])
    for (const length of [0, 1, 3, 4, 15, 16, 17, 31, 33, 100, 178, 3799, 3800, 3801, 4001])
      for (const sum of [ADLER_START, 0x12345678, LARGEST])
        assert.equal(
          adler32(sum, buf, start, start + length),
          byDefinition(sum, buf.subarray(start, start + length)),
          `${length} bytes from ${start} on`,
        );
});

test('sums of the largest bytes do not overflow', () => {
  const buf = Buffer.alloc(20_000, 255);
  for (let length = 3790; length < 3820; length++)
    assert.equal(adler32(LARGEST, buf, 0, length), byDefinition(LARGEST, buf.subarray(0, length)));
  assert.equal(adler32(LARGEST, buf, 0, buf.length), byDefinition(LARGEST, buf));
});

test('what is asked for in one buffer after another is not mixed up, views of the same memory among them', () => {
  const memory = Buffer.alloc(200).map((_, i) => i);
  const views = [memory, memory.subarray(8), new Uint8Array(memory.buffer, memory.byteOffset + 16, 100)];
  for (let round = 0; round < 2; round++)
    for (const view of views) assert.equal(adler32(1, view, 3, 90), byDefinition(1, view.subarray(3, 90)));
});
