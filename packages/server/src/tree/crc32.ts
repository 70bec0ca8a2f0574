// CRC-32 (IEEE), eight bytes a step, resumable: a node's digest keeps the state after path and data so that a change of its
// Stat costs 60 bytes, not the whole node.

/** By each table the state after one zero byte more than by the one before. */
const TABLES = Array.from({ length: 8 }, () => new Int32Array(256));
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];
for (let n = 0; n < 256; n++) {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  T0[n] = c;
}
for (let n = 0; n < 256; n++) {
  for (let t = 1, c = T0[n] as number; t < TABLES.length; t++) {
    c = (c >>> 8) ^ (T0[c & 255] as number);
    (TABLES[t] as Int32Array)[n] = c;
  }
}

/** The state before the first byte. */
export const CRC_START = -1;

/** Adds `buf[start, end)` to the state. */
export function crcBytes(state: number, buf: Uint8Array, start: number, end: number): number {
  let c = state;
  let i = start;
  for (const last = end - 7; i < last; i += 8) c = step(c ^ word(buf, i), word(buf, i + 4));
  for (; i < end; i++) c = (c >>> 8) ^ (T0[(c ^ (buf[i] as number)) & 255] as number);
  return c;
}

/** The buffer that was copied from last, in words; there is hardly another in between. */
let lastBuf: Uint8Array | undefined;
let lastView: DataView = new DataView(new ArrayBuffer(0));

/** Adds `buf[start, end)` to the state, and copies it to `to` from `at` on: the state is what takes the time. */
export function crcCopy(state: number, buf: Uint8Array, start: number, end: number, to: DataView, at: number): number {
  if (buf !== lastBuf) {
    lastBuf = buf;
    lastView = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  }
  const view = lastView;
  let c = state;
  let i = start;
  let k = at;
  for (const last = end - 8; i <= last; i += 8, k += 8) {
    const first = view.getInt32(i, true);
    const second = view.getInt32(i + 4, true);
    to.setInt32(k, first, true);
    to.setInt32(k + 4, second, true);
    c = step(c ^ first, second);
  }
  for (; i < end; i++, k++) {
    const byte = buf[i] as number;
    to.setUint8(k, byte);
    c = (c >>> 8) ^ (T0[(c ^ byte) & 255] as number);
  }
  return c;
}

/** Adds the bytes of two big-endian words to the state. */
export function crcWords(state: number, first: number, second: number): number {
  return step(state ^ swap(first), swap(second));
}

/** Adds the bytes of a big-endian word to the state. */
export function crcWord(state: number, word: number): number {
  const c = state ^ swap(word);
  return (
    (T3[c & 255] as number) ^
    (T2[(c >>> 8) & 255] as number) ^
    (T1[(c >>> 16) & 255] as number) ^
    (T0[c >>> 24] as number)
  );
}

/** The state after eight bytes, of which it was combined with the first four, as little-endian words. */
function step(c: number, second: number): number {
  return (
    (T7[c & 255] as number) ^
    (T6[(c >>> 8) & 255] as number) ^
    (T5[(c >>> 16) & 255] as number) ^
    (T4[c >>> 24] as number) ^
    (T3[second & 255] as number) ^
    (T2[(second >>> 8) & 255] as number) ^
    (T1[(second >>> 16) & 255] as number) ^
    (T0[second >>> 24] as number)
  );
}

function word(buf: Uint8Array, i: number): number {
  return (
    (buf[i] as number) | ((buf[i + 1] as number) << 8) | ((buf[i + 2] as number) << 16) | ((buf[i + 3] as number) << 24)
  );
}

function swap(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
}

/** The checksum that a state stands for, as an unsigned number. */
export function crcFinish(state: number): number {
  return ~state >>> 0;
}
