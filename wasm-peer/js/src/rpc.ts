// JSON commands: methods that this page serves to other peers, and calls of theirs.
// Knows how a handler's answer becomes messages to the engine; who may call, limits and deadlines are the engine's.

import { abortable, type AbortOptions } from './abort.ts';
import type { JsonValue } from './dht.ts';
import { WarrenError, invalidArgument, type WireError } from './errors.ts';
import type { Calls } from './apps.ts';

/** Whom to call: a peer id, or any member of a namespace that can be reached. */
export type RpcTarget = string | { namespace: string };

/** Options of calls. */
export interface CallOptions extends AbortOptions {
  /** Milliseconds to wait for the result, or for each of many: 30 seconds unless given, at most five minutes. */
  timeout?: number;
}

/** One call of a batch. */
export interface BatchCall {
  method: string;
  params?: JsonValue[] | { [name: string]: JsonValue };
}

/** What became of one call of a batch. */
export type BatchResult<T = unknown> = { ok: true; value: T } | { ok: false; error: WarrenError };

/**
 * Who may call a method: everybody, or whoever is named in one of these ways. Nobody else.
 * `authors` (as in `peer.author`) are those that the caller's peer record proves. Anybody can join a namespace.
 */
export type AllowRule = 'anyone' | { peers?: string[]; authors?: string[]; namespaces?: string[] };

/** What a handler knows of a call. */
export interface RpcContext {
  /** Who calls, proven by its connection. */
  peer: string;
  /** Nobody waits for the result. */
  notification: boolean;
  /** Aborted when the caller does not wait any more. */
  signal: AbortSignal;
}

/**
 * Serves one method. What it returns is the result; what an async generator yields are many results, each sent when the
 * last one was taken. Throw an {@link RpcError} to say what is wrong; of anything else the caller learns only that it failed.
 */
export type RpcHandler = (params: any, context: RpcContext) => unknown;

/** A method that is served. */
export interface RpcService extends AsyncDisposable {
  readonly method: string;
  /** Serves it no longer, and ends the calls under way. The second call does nothing. */
  stop(): Promise<void>;
}

/** What a handler throws to answer with an error of its own: `code` is an integer that both sides agree on. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

type Asked = { call: number; peer: string; notification: boolean; params: unknown };
type Heard = Asked | { gone: number } | Record<string, never>;

const INTERNAL = { code: -32603, message: 'Internal error' };

/** JSON-RPC 2.0 with other peers. Reached as `peer.rpc`. Calls are sent once, and never repeated by themselves. */
export class Rpc {
  readonly #apps: Calls;

  /** @internal */
  constructor(apps: Calls) {
    this.#apps = apps;
  }

  /**
   * Serves a method from now on, to those whom `allow` lets in. Resolves when it is served; aborting `signal` or the
   * handle's `stop()` ends it. A handler has five minutes for its result, and for each of many.
   */
  async serve(method: string, { allow, signal }: { allow: AllowRule } & AbortOptions, handler: RpcHandler): Promise<RpcService> {
    const rule = allow === 'anyone' ? { anyone: true } : allow;
    if (rule === null || typeof rule !== 'object') {
      throw invalidArgument('Nobody is allowed to call this method.', 'Pass { allow: "anyone" } or { allow: { peers: [id] } }.');
    }
    const working = new Map<number, AbortController>();
    const stopping = new AbortController();
    const stop = async () => {
      stopping.abort(new WarrenError('CANCELLED', 'The method is not served any more.'));
      for (const call of working.values()) call.abort(stopping.signal.reason);
    };
    const handle: RpcService = { method, stop, [Symbol.asyncDispose]: stop };
    const ended = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal;
    return new Promise<RpcService>((resolve, reject) => {
      const hear = (item: unknown) => {
        const heard = item as Heard;
        if ('gone' in heard) working.get(heard.gone as number)?.abort(gone());
        else if ('call' in heard) void this.#work(heard as Asked, method, handler, working);
        else resolve(handle);
      };
      this.#apps.request('rpcServe', { method, text: JSON.stringify(rule) }, ended, hear).catch((error: unknown) => {
        reject(error);
        void stop();
      });
    });
  }

  /** Calls a method and resolves with its result. Rejects with `UNSUPPORTED` when it has many: read those with `stream`. */
  async call<T = unknown>(target: RpcTarget, method: string, params?: unknown, options: CallOptions = {}): Promise<T> {
    return this.#apps.request('rpcCall', asked(target, method, params, options), options.signal);
  }

  /** The results of a method, one by one, as they come. Leaving the loop withdraws the call. */
  stream<T = unknown>(target: RpcTarget, method: string, params?: unknown, options: CallOptions = {}): AsyncIterable<T> {
    const call = asked(target, method, params, options);
    return { [Symbol.asyncIterator]: () => this.#apps.stream<T>('rpcStream', call, options.signal) };
  }

  /** Tells a peer something without expecting a result. Resolves when it was taken, which says nothing about what becomes of it. */
  async notify(target: RpcTarget, method: string, params?: unknown, options: CallOptions = {}): Promise<void> {
    await this.#apps.request('rpcNotify', asked(target, method, params, options), options.signal);
  }

  /** Up to 32 calls in one message; what became of each, in their order. */
  async batch(target: RpcTarget, calls: BatchCall[], options: CallOptions = {}): Promise<BatchResult[]> {
    const params = { ...asked(target, '', undefined, options), text: written(calls) };
    const answers = await this.#apps.request<({ ok: unknown } | { error: WireError })[]>('rpcBatch', params, options.signal);
    return answers.map((answer) =>
      'error' in answer ? { ok: false, error: WarrenError.fromWire(answer.error) } : { ok: true, value: answer.ok },
    );
  }

  async #work({ call, peer, notification, params }: Asked, method: string, handler: RpcHandler, working: Map<number, AbortController>) {
    const controller = new AbortController();
    const { signal } = controller;
    working.set(call, controller);
    const tell = (kind: string, value?: unknown) =>
      this.#apps.request(kind, { call, text: JSON.stringify(value) ?? 'null' }, signal);
    try {
      const result = await abortable(Promise.resolve().then(() => handler(params, { peer, notification, signal })), signal);
      if (isMany(result)) {
        for await (const item of result) await tell('rpcItem', item);
        await tell('rpcEnd');
      } else await tell('rpcResult', result);
    } catch (error) {
      // Nobody waits any more, or there is nobody to tell.
      if (!signal.aborted) await tell('rpcFault', fault(method, error)).catch(() => {});
    } finally {
      working.delete(call);
    }
  }
}

function isMany(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

function fault(method: string, error: unknown): object {
  if (error instanceof Error && error.name === 'RpcError') {
    const { code, message, data } = error as RpcError;
    return { code, message, data };
  }
  console.error(`warren: the handler of "${method}" failed`, error);
  return INTERNAL;
}

function asked(target: RpcTarget, method: string, params: unknown, { timeout }: CallOptions): object {
  return {
    ...(typeof target === 'string' ? { id: target } : { namespace: target.namespace }),
    method,
    text: params === undefined || params === null ? '' : written(params),
    ...(timeout === undefined ? {} : { ttlMs: timeout }),
  };
}

function written(value: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw unwritable(cause);
  }
  throw unwritable();
}

function unwritable(cause?: unknown): WarrenError {
  return invalidArgument('The parameters cannot be written as JSON.', 'Pass an array or an object of plain data.', cause);
}

function gone(): WarrenError {
  return new WarrenError('CANCELLED', 'The caller does not wait any more.', { remedy: 'Stop working on this call.' });
}
