// Blocks of memory outside the JavaScript heap, for paths, data and child lists: millions of them cost the garbage
// collector nothing. Sizes are rounded up to a class, each of which has spans of its own; a span whose last block is freed is there
// for any class again, so that what is freed can be used whatever sizes come next. See docs/decisions/0002.

const UNIT_SHIFT = 4; // a handle counts units of 16 bytes
const CHUNK_SHIFT = 20;
const CHUNK_SIZE = 1 << CHUNK_SHIFT;
const CHUNK_UNIT_SHIFT = CHUNK_SHIFT - UNIT_SHIFT;
const CHUNK_UNIT_MASK = (1 << CHUNK_UNIT_SHIFT) - 1;
const SPAN_SHIFT = 18; // large enough that little is left over at its end even of the largest blocks
const SPAN_SIZE = 1 << SPAN_SHIFT;
const SPAN_UNIT_SHIFT = SPAN_SHIFT - UNIT_SHIFT;
const CHUNK_SPANS = CHUNK_SIZE / SPAN_SIZE;
/** Blocks above this size get memory of their own and a negative handle. */
const MAX_POOLED = 1 << 16;
const FINE_LIMIT = 1024; // up to here a class every 16 bytes, then four to each doubling

/** Names a block; 0 is no block, negative handles are blocks with memory of their own. */
export type Handle = number;

/** The class of a pooled size, and with {@link classSize} the bytes that a block of it really has. */
function sizeClass(size: number): number {
  if (size <= FINE_LIMIT) return (size + 15) >>> 4;
  const log = 31 - Math.clz32(size - 1); // 2^log < size <= 2^(log+1)
  const quarter = ((size - 1) >>> (log - 2)) & 3;
  return 64 + ((log - 10) << 2) + quarter + 1;
}

function classSize(cls: number): number {
  if (cls <= 64) return cls << 4;
  const at = cls - 65;
  const log = (at >>> 2) + 10;
  return (1 << log) + (((at & 3) + 1) << (log - 2));
}

const CLASSES = sizeClass(MAX_POOLED) + 1;

/** What is known of a span, word by word. */
const Span = {
  bump: 0, // where blocks begin that were never given out
  freed: 1, // the first of those given back, each of which begins with the next one's handle
  used: 2, // blocks in use
  next: 3, // in the list of its class, or of those that have none
  previous: 4,
  words: 5,
} as const;

export class Arena {
  private readonly chunkBytes: Buffer[] = [];
  private readonly chunkInts: Int32Array[] = [];
  private readonly chunkViews: DataView[] = [];
  private readonly largeBytes: (Buffer | undefined)[] = [];
  private readonly largeInts: (Int32Array | undefined)[] = [];
  private readonly largeViews: (DataView | undefined)[] = [];
  private readonly freeLarge: number[] = [];
  /** By class the first of its spans that have room; 0 is no span. */
  private readonly withRoom = new Int32Array(CLASSES);
  /** Words of every span. */
  private spans = new Int32Array(CHUNK_SPANS * Span.words);
  /** The first of the spans that are of no class, linked by {@link Span.next}. */
  private freeSpan = 0;

  /** Bytes that blocks in use occupy, rounding included. */
  used = 0;

  /** A block of at least `size` bytes, 16-byte aligned, its content undefined. */
  alloc(size: number): Handle {
    if (size > MAX_POOLED) return this.allocLarge(size);
    const cls = sizeClass(size < 1 ? 1 : size);
    const bytes = classSize(cls);
    this.used += bytes;
    const span = this.withRoom[cls] || this.openSpan(cls);
    const { spans } = this;
    const at = span * Span.words;
    let handle = spans[at + Span.freed] as number;
    let bump = spans[at + Span.bump] as number;
    if (handle !== 0) {
      spans[at + Span.freed] = this.ints(handle)[this.intOffset(handle)] as number;
    } else {
      handle = (span << SPAN_UNIT_SHIFT) | (bump >>> UNIT_SHIFT);
      bump += bytes;
      spans[at + Span.bump] = bump;
    }
    spans[at + Span.used] = (spans[at + Span.used] as number) + 1;
    if (bump + bytes > SPAN_SIZE && spans[at + Span.freed] === 0) this.unlink(span, cls);
    return handle;
  }

  /** Gives a block back; `size` is what it was asked for with. */
  free(handle: Handle, size: number): void {
    if (handle < 0) {
      const at = ~handle;
      this.used -= (this.largeBytes[at] as Buffer).length;
      this.largeBytes[at] = undefined;
      this.largeInts[at] = undefined;
      this.largeViews[at] = undefined;
      this.freeLarge.push(at);
      return;
    }
    const cls = sizeClass(size < 1 ? 1 : size);
    this.used -= classSize(cls);
    const { spans } = this;
    const span = handle >>> SPAN_UNIT_SHIFT;
    const at = span * Span.words;
    const freed = spans[at + Span.freed] as number;
    const wasFull = freed === 0 && (spans[at + Span.bump] as number) + classSize(cls) > SPAN_SIZE;
    const used = (spans[at + Span.used] as number) - 1;
    spans[at + Span.used] = used;
    if (used === 0) {
      if (!wasFull) this.unlink(span, cls);
      spans[at + Span.next] = this.freeSpan;
      this.freeSpan = span;
      return;
    }
    this.ints(handle)[this.intOffset(handle)] = freed;
    spans[at + Span.freed] = handle;
    if (wasFull) this.link(span, cls);
  }

  /** How many bytes the block got for a request of `size`: rewriting within it needs no new block. */
  static capacity(size: number): number {
    return size > MAX_POOLED ? size : classSize(sizeClass(size < 1 ? 1 : size));
  }

  bytes(handle: Handle): Buffer {
    return (handle < 0 ? this.largeBytes[~handle] : this.chunkBytes[handle >>> CHUNK_UNIT_SHIFT]) as Buffer;
  }

  /** Where the block begins in {@link bytes}. */
  offset(handle: Handle): number {
    return handle < 0 ? 0 : (handle & CHUNK_UNIT_MASK) << UNIT_SHIFT;
  }

  /** The same memory, for words at any place. */
  view(handle: Handle): DataView {
    return (handle < 0 ? this.largeViews[~handle] : this.chunkViews[handle >>> CHUNK_UNIT_SHIFT]) as DataView;
  }

  /** The same memory as 32-bit words. */
  ints(handle: Handle): Int32Array {
    return (handle < 0 ? this.largeInts[~handle] : this.chunkInts[handle >>> CHUNK_UNIT_SHIFT]) as Int32Array;
  }

  /** Where the block begins in {@link ints}. */
  intOffset(handle: Handle): number {
    return handle < 0 ? 0 : (handle & CHUNK_UNIT_MASK) << (UNIT_SHIFT - 2);
  }

  /** An empty span for the class, put where {@link alloc} finds it. */
  private openSpan(cls: number): number {
    if (this.freeSpan === 0) this.openChunk();
    const span = this.freeSpan;
    const at = span * Span.words;
    this.freeSpan = this.spans[at + Span.next] as number;
    this.spans.fill(0, at, at + Span.words);
    this.link(span, cls);
    return span;
  }

  private link(span: number, cls: number): void {
    const next = this.withRoom[cls] as number;
    this.spans[span * Span.words + Span.next] = next;
    this.spans[span * Span.words + Span.previous] = 0;
    if (next !== 0) this.spans[next * Span.words + Span.previous] = span;
    this.withRoom[cls] = span;
  }

  private unlink(span: number, cls: number): void {
    const next = this.spans[span * Span.words + Span.next] as number;
    const previous = this.spans[span * Span.words + Span.previous] as number;
    if (next !== 0) this.spans[next * Span.words + Span.previous] = previous;
    if (previous === 0) this.withRoom[cls] = next;
    else this.spans[previous * Span.words + Span.next] = next;
  }

  private openChunk(): void {
    const index = this.chunkBytes.length;
    if (index === 1 << (31 - CHUNK_UNIT_SHIFT)) throw new RangeError('node data exceeds 32 GB');
    const memory = uncounted(CHUNK_SIZE, index);
    this.chunkBytes.push(Buffer.from(memory));
    this.chunkInts.push(new Int32Array(memory));
    this.chunkViews.push(new DataView(memory));
    const first = index * CHUNK_SPANS;
    if ((first + CHUNK_SPANS) * Span.words > this.spans.length) {
      const { spans } = this;
      this.spans = new Int32Array(spans.length * 2);
      this.spans.set(spans);
    }
    // The first span of all stays unused: handle 0 means no block.
    for (let span = first + CHUNK_SPANS - 1; span >= first && span > 0; span--) {
      this.spans[span * Span.words + Span.next] = this.freeSpan;
      this.freeSpan = span;
    }
  }

  private allocLarge(size: number): Handle {
    const memory = new ArrayBuffer((size + 3) & ~3);
    this.used += memory.byteLength;
    const at = this.freeLarge.pop() ?? this.largeBytes.length;
    this.largeBytes[at] = Buffer.from(memory);
    this.largeInts[at] = new Int32Array(memory);
    this.largeViews[at] = new DataView(memory);
    return ~at;
  }
}

/** One in so many pieces of memory is of a kind that V8 counts. */
const COUNTED = 16;

/**
 * Memory for good. V8 counts ArrayBuffers and begins a full collection for every 8 MB more of them, five times a second while
 * nodes are created; shared ones it does not count. Some have to be, for a tree that is replaced as a whole to be noticed.
 * @param index of the piece among its like
 */
export function uncounted(bytes: number, index: number): ArrayBuffer | SharedArrayBuffer {
  return index % COUNTED === 0 ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
}
