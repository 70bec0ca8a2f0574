// Blocks of memory outside the JavaScript heap, for paths, data and child lists: millions of them cost the garbage
// collector nothing. Sizes are rounded up to a class; freed blocks go to their class's list. See docs/decisions/0002.

const UNIT_SHIFT = 4; // a handle counts units of 16 bytes
const CHUNK_SHIFT = 20;
const CHUNK_SIZE = 1 << CHUNK_SHIFT;
const CHUNK_UNIT_SHIFT = CHUNK_SHIFT - UNIT_SHIFT;
const CHUNK_UNIT_MASK = (1 << CHUNK_UNIT_SHIFT) - 1;
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

export class Arena {
  private readonly chunkBytes: Buffer[] = [];
  private readonly chunkInts: Int32Array[] = [];
  private readonly chunkViews: DataView[] = [];
  private readonly largeBytes: (Buffer | undefined)[] = [];
  private readonly largeInts: (Int32Array | undefined)[] = [];
  private readonly largeViews: (DataView | undefined)[] = [];
  private readonly freeLarge: number[] = [];
  private readonly freeHead = new Int32Array(CLASSES);
  private bump = CHUNK_SIZE; // position in the newest chunk; starts full so that the first allocation opens one

  /** Bytes that blocks in use occupy, rounding included. */
  used = 0;

  /** A block of at least `size` bytes, 16-byte aligned, its content undefined. */
  alloc(size: number): Handle {
    if (size > MAX_POOLED) return this.allocLarge(size);
    const cls = sizeClass(size < 1 ? 1 : size);
    const bytes = classSize(cls);
    this.used += bytes;
    const head = this.freeHead[cls] as number;
    if (head !== 0) {
      this.freeHead[cls] = this.ints(head)[this.intOffset(head)] as number;
      return head;
    }
    if (this.bump + bytes > CHUNK_SIZE) this.openChunk();
    const handle = ((this.chunkBytes.length - 1) << CHUNK_UNIT_SHIFT) | (this.bump >>> UNIT_SHIFT);
    this.bump += bytes;
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
    this.ints(handle)[this.intOffset(handle)] = this.freeHead[cls] as number;
    this.freeHead[cls] = handle;
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

  private openChunk(): void {
    if (this.chunkBytes.length === 1 << (31 - CHUNK_UNIT_SHIFT)) throw new RangeError('node data exceeds 32 GB');
    const memory = uncounted(CHUNK_SIZE, this.chunkBytes.length);
    this.chunkBytes.push(Buffer.from(memory));
    this.chunkInts.push(new Int32Array(memory));
    this.chunkViews.push(new DataView(memory));
    // Unit 0 of the first chunk stays unused: handle 0 means no block.
    this.bump = this.chunkBytes.length === 1 ? 1 << UNIT_SHIFT : 0;
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
