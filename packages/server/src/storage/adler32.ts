// Adler-32, resumable: the checksum of log records and of snapshots.

const MOD = 65521;
const RUN = 3800; // so many bytes can be added before the sums must be reduced
export const ADLER_START = 1;

/** Adds `buf[start, end)` to a checksum; the result is unsigned. */
export function adler32(sum: number, buf: Uint8Array, start: number, end: number): number {
  let a = sum & 0xffff;
  let b = sum >>> 16;
  for (let i = start; i < end; ) {
    const stop = Math.min(i + RUN, end);
    for (; i < stop; i++) {
      a += buf[i] as number;
      b += a;
    }
    a %= MOD;
    b %= MOD;
  }
  return ((b << 16) | a) >>> 0;
}
