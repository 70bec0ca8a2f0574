// Adler-32, resumable: the checksum of log records and of snapshots. Sixteen bytes a step: it is taken of each write, and of all
// that a start reads.

const MOD = 65521;
const RUN = 3800; // so many bytes can be added before the sums must be reduced
const STEP = 16;
/** Every second byte of a word: two lanes of 16 bits. */
const LANES = 0x00ff00ff;
export const ADLER_START = 1;

/** The buffer that was asked for last, in words; there is hardly another in between. */
let lastBuf: Uint8Array | undefined;
let lastView: DataView = new DataView(new ArrayBuffer(0));

/** Adds `buf[start, end)` to a checksum; the result is unsigned. */
export function adler32(sum: number, buf: Uint8Array, start: number, end: number): number {
  if (buf !== lastBuf) {
    lastBuf = buf;
    lastView = new DataView(buf.buffer, buf.byteOffset, buf.byteLength);
  }
  const view = lastView;
  let a = sum & 0xffff;
  let b = sum >>> 16;
  for (let i = start; i < end; ) {
    const stop = Math.min(i + RUN, end);
    for (const last = stop - STEP; i <= last; i += STEP) {
      const w0 = view.getInt32(i, true);
      const w1 = view.getInt32(i + 4, true);
      const w2 = view.getInt32(i + 8, true);
      const w3 = view.getInt32(i + 12, true);
      const even0 = w0 & LANES;
      const even1 = w1 & LANES;
      const even2 = w2 & LANES;
      const odd0 = (w0 >>> 8) & LANES;
      const odd1 = (w1 >>> 8) & LANES;
      const odd2 = (w2 >>> 8) & LANES;
      const even = (even0 + even1 + even2 + (w3 & LANES)) | 0;
      const odd = (odd0 + odd1 + odd2 + ((w3 >>> 8) & LANES)) | 0;
      // Each byte counts in b as often as bytes follow it in the step, and once more: four times for each word that follows its
      // own, and by its place in that.
      const words = (3 * (even0 + odd0) + 2 * (even1 + odd1) + even2 + odd2) | 0;
      const first = even & 0xffff;
      const second = odd & 0xffff;
      const third = even >>> 16;
      const fourth = odd >>> 16;
      b = (b + STEP * a + 4 * ((words & 0xffff) + (words >>> 16)) + 4 * first + 3 * second + 2 * third + fourth) | 0;
      a = (a + first + second + third + fourth) | 0;
    }
    for (; i < stop; i++) {
      a += buf[i] as number;
      b += a;
    }
    a = (a >>> 0) % MOD;
    b = (b >>> 0) % MOD;
  }
  return ((b << 16) | a) >>> 0;
}
