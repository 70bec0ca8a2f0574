// CRC-32 (IEEE), four bytes a step, resumable: a node's digest keeps the state after path and data so that a change of its
// Stat costs 60 bytes, not the whole node.

const T0 = new Int32Array(256);
const T1 = new Int32Array(256);
const T2 = new Int32Array(256);
const T3 = new Int32Array(256);
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  T0[n] = c;
}
for (let n = 0; n < 256; n++) {
  T1[n] = ((T0[n] as number) >>> 8) ^ (T0[(T0[n] as number) & 255] as number);
  T2[n] = ((T1[n] as number) >>> 8) ^ (T0[(T1[n] as number) & 255] as number);
  T3[n] = ((T2[n] as number) >>> 8) ^ (T0[(T2[n] as number) & 255] as number);
}

/** The state before the first byte. */
export const CRC_START = -1;

/** Adds `buf[start, end)` to the state. */
export function crcBytes(state: number, buf: Uint8Array, start: number, end: number): number {
  let c = state;
  let i = start;
  for (const last = end - 3; i < last; i += 4) {
    c = crcStep(
      c ^
        ((buf[i] as number) |
          ((buf[i + 1] as number) << 8) |
          ((buf[i + 2] as number) << 16) |
          ((buf[i + 3] as number) << 24)),
    );
  }
  for (; i < end; i++) c = (c >>> 8) ^ (T0[(c ^ (buf[i] as number)) & 255] as number);
  return c;
}

/** Adds `buf[start, end)` to the state, and copies it to `to` from `at` on: the state is what takes the time. */
export function crcCopy(
  state: number,
  buf: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  let c = state;
  let i = start;
  let k = at;
  for (const last = end - 3; i < last; i += 4, k += 4) {
    const b0 = buf[i] as number;
    const b1 = buf[i + 1] as number;
    const b2 = buf[i + 2] as number;
    const b3 = buf[i + 3] as number;
    to[k] = b0;
    to[k + 1] = b1;
    to[k + 2] = b2;
    to[k + 3] = b3;
    c = crcStep(c ^ (b0 | (b1 << 8) | (b2 << 16) | (b3 << 24)));
  }
  for (; i < end; i++, k++) {
    to[k] = buf[i] as number;
    c = (c >>> 8) ^ (T0[(c ^ (buf[i] as number)) & 255] as number);
  }
  return c;
}

/** Adds the four bytes of a big-endian word to the state. */
export function crcWord(state: number, word: number): number {
  return crcStep(state ^ ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24)));
}

/** The state after four bytes that it was combined with. */
function crcStep(c: number): number {
  return (
    (T3[c & 255] as number) ^
    (T2[(c >>> 8) & 255] as number) ^
    (T1[(c >>> 16) & 255] as number) ^
    (T0[c >>> 24] as number)
  );
}

/** The checksum that a state stands for, as an unsigned number. */
export function crcFinish(state: number): number {
  return ~state >>> 0;
}
