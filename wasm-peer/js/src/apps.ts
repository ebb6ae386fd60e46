// What an application says to the module of apps before anybody knows whether it is there: the first call loads it.

import { abortable } from './abort.ts';
import { closedError, type WarrenError } from './errors.ts';
import type { RpcPort } from './rpc-port.ts';

/** The calls of a port. */
export type Calls = Pick<RpcPort, 'request' | 'stream'>;

/** A port that is opened when somebody first has something to say. */
export class Apps implements Calls {
  readonly #open: () => Promise<RpcPort>;
  #port: Promise<RpcPort> | undefined;
  #closed: WarrenError | undefined;

  constructor(open: () => Promise<RpcPort>) {
    this.#open = open;
  }

  async request<T>(method: string, params?: object, signal?: AbortSignal, item?: (value: unknown) => void): Promise<T> {
    const port = await abortable(this.#opened(), signal);
    return port.request<T>(method, params, signal, item);
  }

  async *stream<T>(method: string, params: object, signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    const port = await abortable(this.#opened(), signal);
    yield* port.stream<T>(method, params, signal);
  }

  /** Somebody is reached through a relay only: what comes to a direct connection is in the module. */
  wake(): void {
    this.#opened().catch(() => {}); // Whoever calls something is told.
  }

  /** Leaves rooms and stores what is not stored, if there is anything. */
  async settle(signal: AbortSignal): Promise<void> {
    if (!this.#port) return;
    const port = await abortable(this.#port, signal).catch(() => undefined);
    await port?.request('close', {}, signal).catch(() => {});
  }

  close(reason: WarrenError): void {
    this.#closed = reason;
    void this.#port?.then((port) => port.close(reason)).catch(() => {});
  }

  #opened(): Promise<RpcPort> {
    if (this.#closed) return Promise.reject(closedError());
    if (!this.#port) {
      const opening = this.#open();
      this.#port = opening;
      opening.then(
        (port) => (this.#closed ? port.close(this.#closed) : describe(port).catch(() => {})),
        () => (this.#port = undefined),
      );
    }
    return this.#port;
  }
}

/** Who is chosen for what it can do says so; without, it is chosen less. */
async function describe(port: RpcPort): Promise<void> {
  const { ownCapabilities } = await import('./selection.ts');
  await port.request('rpcDescribe', { text: JSON.stringify(ownCapabilities()) });
}
