// Requests, streams, cancellation and events over one MessagePort.
// Everything that crosses is structured-clone data, so the engine may live in this window, in
// another tab or in a worker. It does not know which methods exist.

import { onAbort } from './abort.ts';
import { WarrenError, closedError, type WireError } from './errors.ts';
import { AsyncQueue } from './queue.ts';

/** Items of one stream that may wait for a slow reader; the engine's own limits are far below. */
const STREAM_LIMIT = 4096;

interface Pending {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  item(value: unknown): void;
}

type Inbound = {
  id?: number;
  ok?: unknown;
  error?: WireError;
  item?: unknown;
  event?: string;
  detail?: unknown;
};

export type EventSink = (name: string, detail: unknown) => void;

export class RpcPort {
  readonly #port: MessagePort;
  readonly #onEvent: EventSink;
  readonly #onClose: () => void;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closed: WarrenError | undefined;

  constructor(port: MessagePort, onEvent: EventSink, onClose: () => void = () => {}) {
    this.#port = port;
    this.#onEvent = onEvent;
    this.#onClose = onClose;
    port.onmessage = (message: MessageEvent) => this.#receive(message.data as Inbound);
    port.onmessageerror = () => this.close(unreadable());
  }

  /** Resolves with the engine's `ok`; rejects with a WarrenError, or with the signal's reason. `item` hears of the way there. */
  request<T>(method: string, params: object = {}, signal?: AbortSignal, item: (value: unknown) => void = () => {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#send(method, params, signal, {
        resolve: resolve as (result: unknown) => void,
        reject,
        item,
      });
    });
  }

  /** Items in the order the engine sent them. Leaving the loop early cancels the work. */
  async *stream<T>(method: string, params: object, signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    const queue = new AsyncQueue<T>(STREAM_LIMIT, 'fail');
    let open = true;
    const end = (finish: () => void) => {
      open = false;
      finish();
    };
    const id = this.#send(method, params, signal, {
      resolve: () => end(() => queue.end()),
      reject: (error) => end(() => queue.fail(error)),
      item: (value) => {
        if (!queue.push(value as T)) end(() => this.#giveUp(id, queue));
      },
    });
    try {
      for (let next = await queue.next(); !next.done; next = await queue.next()) yield next.value;
    } finally {
      if (open) this.#cancel(id);
    }
  }

  /** Rejects everything under way with `reason` and closes the port. The second call does nothing. */
  close(reason: WarrenError = closedError()): void {
    if (this.#closed) return;
    this.#closed = reason;
    for (const pending of [...this.#pending.values()]) pending.reject(reason);
    this.#pending.clear();
    this.#port.onmessage = null;
    this.#port.close();
    this.#onClose();
  }

  #send(method: string, params: object, signal: AbortSignal | undefined, pending: Pending): number {
    const id = ++this.#lastId;
    if (this.#closed || signal?.aborted) {
      pending.reject(this.#closed ?? signal?.reason);
      return id;
    }
    const forget = onAbort(signal, (reason) => {
      this.#cancel(id);
      pending.reject(reason);
    });
    this.#pending.set(id, {
      resolve: (result) => (forget(), pending.resolve(result)),
      reject: (error) => (forget(), pending.reject(error)),
      item: pending.item,
    });
    try {
      this.#port.postMessage({ id, method, params });
    } catch (cause) {
      this.#take(id)?.reject(uncloneable(method, cause));
    }
    return id;
  }

  #receive(message: Inbound): void {
    if (message.event !== undefined) {
      this.#onEvent(message.event, message.detail);
      return;
    }
    const id = message.id ?? 0;
    if ('item' in message) this.#pending.get(id)?.item(message.item);
    else if (message.error) this.#take(id)?.reject(WarrenError.fromWire(message.error));
    else this.#take(id)?.resolve(message.ok);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #cancel(id: number): void {
    if (this.#pending.delete(id)) this.#port.postMessage({ cancel: id });
  }

  #giveUp(id: number, queue: AsyncQueue<unknown>): void {
    this.#cancel(id);
    queue.fail(
      new WarrenError('OVERLOADED', `The reader fell ${STREAM_LIMIT} items behind.`, {
        remedy: 'Read faster, or ask for fewer items with `limit`.',
        retryable: true,
      }),
    );
  }
}

function unreadable(): WarrenError {
  return new WarrenError('PROTOCOL_VIOLATION', 'The engine sent what cannot be read.', {
    remedy: 'Create a new peer, with package and .wasm of one version.',
  });
}

function uncloneable(method: string, cause: unknown): WarrenError {
  return new WarrenError('INVALID_ARGUMENT', `The arguments of "${method}" cannot be sent to the engine.`, {
    remedy: 'Pass plain data: no functions, DOM nodes or class instances with private state.',
    cause,
  });
}
