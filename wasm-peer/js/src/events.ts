// A typed EventTarget that can also be read with `for await`.
// Knows names and details only through its type parameter.

import { onAbort, type AbortOptions } from './abort.ts';
import { AsyncQueue } from './queue.ts';

/** Events that may wait for a slow `for await` reader before the oldest is dropped. */
const EVENT_BACKLOG = 256;

type Name<M> = keyof M & string;

/** `addEventListener` delivers a CustomEvent; `on` and `events` deliver its detail directly. */
export class TypedEvents<M> extends EventTarget {
  /** How each `events()` iterator is ended. */
  readonly #readers = new Set<() => void>();

  /**
   * Calls `listener` with the detail of each event, in order, from now on.
   * Returns a function that stops it; aborting `signal` does the same. A listener added twice is called twice.
   */
  on<K extends Name<M>>(name: K, listener: (detail: M[K]) => void, options: AbortOptions = {}): () => void {
    const run = (event: Event) => listener((event as CustomEvent<M[K]>).detail);
    const { signal } = options;
    super.addEventListener(name, run, signal ? { signal } : undefined);
    return () => super.removeEventListener(name, run);
  }

  /**
   * The events of one name as an async iterator. Collection starts with this call, not with the first `next()`.
   * Ends when the peer closes; throws `signal.reason` when aborted.
   * A reader that falls behind by more than 256 events loses the oldest ones.
   */
  events<K extends Name<M>>(name: K, options: AbortOptions = {}): AsyncIterableIterator<M[K]> {
    const queue = new AsyncQueue<M[K]>(EVENT_BACKLOG, 'drop-oldest');
    const stop = this.on(name, (detail) => void queue.push(detail));
    const forget = onAbort(options.signal, (reason) => finish(() => queue.fail(reason)));
    const finish = (how: () => void) => {
      stop();
      forget();
      this.#readers.delete(end);
      how();
    };
    const end = () => finish(() => queue.end());
    this.#readers.add(end);
    if (options.signal?.aborted) finish(() => queue.fail(options.signal?.reason));
    return {
      next: () => queue.next(),
      return: async () => {
        end();
        return { value: undefined, done: true };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  override addEventListener<K extends Name<M>>(
    name: K,
    listener: ((event: CustomEvent<M[K]>) => void) | { handleEvent(event: CustomEvent<M[K]>): void } | null,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(name, listener as EventListenerOrEventListenerObject | null, options);
  }

  override removeEventListener<K extends Name<M>>(
    name: K,
    listener: ((event: CustomEvent<M[K]>) => void) | { handleEvent(event: CustomEvent<M[K]>): void } | null,
    options?: boolean | EventListenerOptions,
  ): void {
    super.removeEventListener(name, listener as EventListenerOrEventListenerObject | null, options);
  }

  /** @internal */
  protected emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @internal Ends every `events()` iterator. */
  protected endReaders(): void {
    for (const end of [...this.#readers]) end();
  }
}
