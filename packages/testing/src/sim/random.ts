// Chance from a seed: small, fast, and the same everywhere (sfc32). Forks give each part of a simulation a sequence of its own, so
// that taking something away from one part leaves the others' chances as they were.

export class Random {
  private readonly seed: string;
  private a: number;
  private b: number;
  private c: number;
  private d = 1;

  constructor(seed: string | number) {
    this.seed = String(seed);
    this.a = hash(this.seed, 0x811c9dc5);
    this.b = hash(this.seed, 0x2f0b4f35);
    this.c = hash(this.seed, 0x6c62272e);
    for (let i = 0; i < 12; i++) this.word();
  }

  /** A sequence of its own, named so that it does not depend on what was drawn here. */
  fork(name: string | number): Random {
    return new Random(`${this.seed}/${name}`);
  }

  private word(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0;
    this.d = (this.d + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + t) | 0;
    return t >>> 0;
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return this.word() / 4294967296;
  }

  /** A whole number from 0 up to, not including, `n`. */
  int(n: number): number {
    return Math.floor(this.next() * n);
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.int(list.length)] as T;
  }

  /** A time that is mostly near `typical` and now and then many times it. */
  skewed(typical: number): number {
    const factor = this.chance(0.05) ? this.between(2, 20) : this.between(0.3, 1.7);
    return typical * factor;
  }
}

/** FNV-1a with a last mixing. */
function hash(text: string, basis: number): number {
  let h = basis;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
