// A queue that is written by callbacks and read with `for await`.

/** Values in order, for one reader. What was pushed before the end is still read after it. */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  private readonly queue: T[] = [];
  private readonly waiting: {
    resolve(result: IteratorResult<T, undefined>): void;
    reject(error: unknown): void;
  }[] = [];
  private ended = false;
  private failure: { readonly error: unknown } | undefined;
  private readonly onReturn: () => void;

  /** `onReturn` is called once, when the reader leaves or {@link end} is called. */
  constructor(onReturn: () => void = () => {}) {
    this.onReturn = onReturn;
  }

  get length(): number {
    return this.queue.length;
  }

  push(value: T): void {
    if (this.ended) return;
    const reader = this.waiting.shift();
    if (reader === undefined) this.queue.push(value);
    else reader.resolve({ value, done: false });
  }

  /** Forgets what was not read yet. */
  clear(): void {
    this.queue.length = 0;
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
    if (this.queue.length > 0) return Promise.resolve({ value: this.queue.shift() as T, done: false });
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) return Promise.reject(failure.error);
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
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
