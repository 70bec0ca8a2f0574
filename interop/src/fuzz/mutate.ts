// What is done to a frame: flipped bits, cuts, extreme numbers in place of lengths, counts and flags, inserted and repeated
// bytes, another operation over the same body, the head of one frame with the tail of another, nesting in a multi.

import { OpCode } from '@nodekeeper/protocol';
import type { Random } from '../differential/random.js';
import type { Frame } from './frames.js';

const EXTREMES = [-1, -2, 0, 1, 0x7fffffff, -0x80000000, 0xfffff, 0x100000, 0x1ffffe, 0x01000000];
const OPERATIONS = Object.values(OpCode);
const HEADER = 8;

/** A damaged copy of a payload; `others` lend their bytes. */
export function mutate(random: Random, payload: Buffer, others: readonly Frame[]): Buffer {
  let bytes = payload;
  const rounds = 1 + random.int(3);
  for (let i = 0; i < rounds; i++) bytes = mutateOnce(random, bytes, others);
  return bytes;
}

function mutateOnce(random: Random, bytes: Buffer, others: readonly Frame[]): Buffer {
  const at = random.int(Math.max(1, bytes.length));
  const copy = Buffer.from(bytes);
  switch (random.int(10)) {
    case 0:
    case 1:
      if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.int(8));
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
    case 4:
      if (copy.length >= 4) copy.writeInt32BE(random.pick(EXTREMES), random.int(copy.length - 3));
      return copy;
    case 5:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random.int(64), random.int(256)), bytes.subarray(at)]);
    case 6:
      return Buffer.concat([bytes, bytes.subarray(at)]);
    case 7:
      if (copy.length >= HEADER)
        copy.writeInt32BE(random.chance(90) ? random.pick(OPERATIONS) : random.int(120) - 12, 4);
      return copy;
    case 8: {
      const other = random.pick(others).payload;
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.int(other.length))]);
    }
    default:
      return nest(random, bytes, others);
  }
}

/** The bodies of the frame and of others as parts of one multi, at times a multi within. */
function nest(random: Random, bytes: Buffer, others: readonly Frame[]): Buffer {
  if (bytes.length < HEADER) return bytes;
  const parts = [bytes.subarray(0, 4), int(OpCode.multi)];
  const count = 1 + random.int(4);
  for (let i = 0; i < count; i++) {
    const part = i === 0 ? bytes : random.pick(others).payload;
    parts.push(part.subarray(4, HEADER), MORE, part.subarray(HEADER));
  }
  parts.push(int(-1), LAST);
  return Buffer.concat(parts);
}

const MORE = Buffer.from('00ffffffff', 'hex');
const LAST = Buffer.from('01ffffffff', 'hex');

function int(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}
