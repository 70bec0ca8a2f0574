// A queue that is written by callbacks and read with `for await`.

/** Values in order, for one reader. What was pushed before the end is still read after it. */
export class EventStream<T> implements AsyncIterableIterator<T, undefined> {
  private readonly queue: T[] = [];
  private readonly waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  private ended = false;
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
    else reader({ value, done: false });
  }

  /** Forgets what was not read yet. */
  clear(): void {
    this.queue.length = 0;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const reader of this.waiting.splice(0)) reader({ value: undefined, done: true });
    this.onReturn();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.queue.length > 0) return Promise.resolve({ value: this.queue.shift() as T, done: false });
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.clear();
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
