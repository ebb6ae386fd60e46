// Announcements in namespaces, and who may end them.
// Two parts of an application may provide the same namespace: it is withdrawn when the last one stops.

import type { RpcPort } from './rpc-port.ts';

/** A running announcement. The engine renews it until `stop()`. */
export interface Provision extends AsyncDisposable {
  readonly namespace: string;
  /** When the announcement made last would be forgotten without renewal. */
  readonly expires: Date;
  /**
   * Ends the announcement, unless another handle of this peer still holds it: it is not renewed from now on, and
   * taken off the lists of the nodes that can be reached; others forget it by `expires`. The second call does nothing.
   */
  stop(): Promise<void>;
}

export class Namespaces {
  readonly #rpc: RpcPort;
  readonly #holders = new Map<string, number>();

  constructor(rpc: RpcPort) {
    this.#rpc = rpc;
  }

  async provide(namespace: string, signal?: AbortSignal): Promise<Provision> {
    this.#hold(namespace, 1);
    try {
      const { expires } = await this.#rpc.request<{ expires: number }>('provide', { namespace }, signal);
      return this.#handle(namespace, new Date(Number(expires)));
    } catch (error) {
      this.#hold(namespace, -1);
      throw error;
    }
  }

  #handle(namespace: string, expires: Date): Provision {
    let stopped: Promise<void> | undefined;
    const stop = () =>
      (stopped ??= this.#release(namespace).catch((error: unknown) => {
        stopped = undefined;
        throw error;
      }));
    return { namespace, expires, stop, [Symbol.asyncDispose]: stop };
  }

  async #release(namespace: string): Promise<void> {
    if (this.#hold(namespace, -1) > 0) return;
    try {
      await this.#rpc.request('unprovide', { namespace });
    } catch (error) {
      this.#hold(namespace, 1);
      throw error;
    }
  }

  #hold(namespace: string, change: 1 | -1): number {
    const holders = (this.#holders.get(namespace) ?? 0) + change;
    if (holders > 0) this.#holders.set(namespace, holders);
    else this.#holders.delete(namespace);
    return holders;
  }
}
