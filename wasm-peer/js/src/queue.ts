// A bounded queue between a pusher that cannot wait and one `for await` reader.
// Knows nothing about what passes through it.

/** What happens to the item that does not fit. */
export type Overflow = 'drop-oldest' | 'fail';

/** One reader only: two concurrent `next()` calls are answered in order. */
export class AsyncQueue<T> {
  readonly #items: T[] = [];
  readonly #waiting: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];
  readonly #limit: number;
  readonly #overflow: Overflow;
  #end: { error?: unknown } | undefined;

  constructor(limit: number, overflow: Overflow) {
    this.#limit = limit;
    this.#overflow = overflow;
  }

  /** Returns false when the item did not fit and the policy is `fail`. */
  push(item: T): boolean {
    if (this.#end) return true;
    const reader = this.#waiting.shift();
    if (reader) {
      reader.resolve({ value: item, done: false });
      return true;
    }
    if (this.#items.length >= this.#limit) {
      if (this.#overflow === 'fail') return false;
      this.#items.shift();
    }
    this.#items.push(item);
    return true;
  }

  /** Items already queued are still read; after them the iteration ends. */
  end(): void {
    this.#finish({});
  }

  /** Items already queued are still read; after them the reader gets `error`. */
  fail(error: unknown): void {
    this.#finish({ error });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#items.length > 0) {
      return Promise.resolve({ value: this.#items.shift() as T, done: false });
    }
    if (!this.#end) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    if (!('error' in this.#end)) return Promise.resolve({ value: undefined, done: true });
    const { error } = this.#end;
    this.#end = {};
    return Promise.reject(error);
  }

  #finish(end: { error?: unknown }): void {
    if (this.#end) return;
    this.#end = end;
    for (const reader of this.#waiting.splice(0)) {
      if (!('error' in end)) reader.resolve({ value: undefined, done: true });
      else reader.reject(end.error);
    }
  }
}
