// The digest of a tree: the sum modulo 2^64 of a CRC-32 per node (version 2 of Apache ZooKeeper's DigestCalculator).

export const DIGEST_VERSION = 2;

/** A sum modulo 2^64 in two 32-bit halves; both are kept unsigned. */
export class TreeDigest {
  hi = 0;
  lo = 0;

  add(digest: number): void {
    const lo = this.lo + digest;
    if (lo >= 4294967296) {
      this.lo = lo - 4294967296;
      this.hi = (this.hi + 1) >>> 0;
    } else {
      this.lo = lo;
    }
  }

  subtract(digest: number): void {
    const lo = this.lo - digest;
    if (lo < 0) {
      this.lo = lo + 4294967296;
      this.hi = (this.hi - 1) >>> 0;
    } else {
      this.lo = lo;
    }
  }

  copyFrom(other: { readonly hi: number; readonly lo: number }): void {
    this.hi = other.hi;
    this.lo = other.lo;
  }

  toBigInt(): bigint {
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }
}
