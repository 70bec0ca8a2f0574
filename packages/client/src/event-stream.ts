// A queue that is written by callbacks and read with `for await`.

/** So many places that were read are kept at least before the rest is moved to the front. */
const SHIFT_AT = 1024;

/** What happens to values that nobody has read yet. */
export interface UnreadLimit {
  /** So many are kept; it may change. */
  readonly limit: number;
  /** Makes the error that ends the stream when there are more. If not given, the oldest go instead. */
  readonly overflow?: ((unread: number) => unknown) | undefined;
}

/** Values in order, for one reader. What was pushed before the end is still read after it. */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  /** What was not read yet, from `head` on: taking from the front of a long array would copy the rest each time. */
  private queue: (T | undefined)[] = [];
  private head = 0;
  private readonly waiting: {
    resolve(result: IteratorResult<T, undefined>): void;
    reject(error: unknown): void;
  }[] = [];
  private ended = false;
  private failure: { readonly error: unknown } | undefined;
  private readonly onReturn: () => void;
  private readonly unread: UnreadLimit;

  /** `onReturn` is called once, when the reader leaves or {@link end} is called. Without a limit all is kept until it is read. */
  constructor(onReturn: () => void = () => {}, unread: UnreadLimit = { limit: Number.POSITIVE_INFINITY }) {
    this.onReturn = onReturn;
    this.unread = unread;
  }

  get length(): number {
    return this.queue.length - this.head;
  }

  push(value: T): void {
    if (this.ended) return;
    const reader = this.waiting.shift();
    if (reader !== undefined) reader.resolve({ value, done: false });
    else if (this.length < this.unread.limit) this.queue.push(value);
    else this.overflow(value);
  }

  private overflow(value: T): void {
    const { overflow } = this.unread;
    if (overflow === undefined) {
      this.take();
      this.queue.push(value);
      return;
    }
    const unread = this.length;
    this.clear();
    this.fail(overflow(unread));
  }

  /** Forgets what was not read yet. */
  clear(): void {
    this.queue.length = 0;
    this.head = 0;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const { resolve } of this.waiting.splice(0)) resolve({ value: undefined, done: true });
    this.onReturn();
  }

  /** Ends it with an error, which the reader gets once, after what was pushed before. */
  fail(error: unknown): void {
    if (this.ended) return;
    const reader = this.waiting.shift();
    if (reader === undefined) this.failure = { error };
    else reader.reject(error);
    this.end();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.length > 0) return Promise.resolve({ value: this.take(), done: false });
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) return Promise.reject(failure.error);
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
  }

  private take(): T {
    const value = this.queue[this.head] as T;
    this.queue[this.head++] = undefined;
    if (this.head >= SHIFT_AT && this.head * 2 >= this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    if (this.length === 0) this.clear();
    return value;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.clear();
    this.failure = undefined;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
