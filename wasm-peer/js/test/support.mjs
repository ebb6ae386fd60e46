// Loads a TypeScript source for a test, and a scripted engine to put on the other end of a port.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles sources in memory and imports them as one module: what they share is there once. */
export async function load(...sources) {
  const contents = sources.map((source) => `export * from './${source}';`).join('\n');
  const result = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../src', import.meta.url)), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'neutral',
    external: ['../wasm/*'],
    logLevel: 'silent',
  });
  return import(`data:text/javascript;base64,${Buffer.from(result.outputFiles[0].contents).toString('base64')}`);
}

/** What a method returns that will answer by itself. */
export const LATER = Symbol('later');

/**
 * An engine that records what it is sent and answers through `methods[name](params, {id, port})`.
 * A method returns the result, throws {code, message, …}, or returns `LATER` and answers by itself.
 */
export class FakeEngine {
  received = [];
  #waiting = [];

  constructor(methods = {}) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.far = port2;
    this.methods = {
      start: () => ({ id: 'peer-1', author: 'author-1', network: null }),
      hint: () => null,
      close: () => null,
      ...methods,
    };
    port2.onmessage = ({ data }) => this.#receive(data);
  }

  emit(event, detail) {
    this.far.postMessage({ event, detail });
  }

  send(message) {
    this.far.postMessage(message);
  }

  /** Resolves with the first received message that fits, also when it came before. */
  async saw(fits) {
    for (;;) {
      const found = this.received.find(fits);
      if (found) return found;
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
  }

  shut() {
    this.far.close();
    this.port.close();
  }

  #receive(data) {
    this.received.push(data);
    if (data.method) this.#answer(data);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #answer({ id, method, params }) {
    const handler = this.methods[method];
    if (!handler) return; // A method without a script stays unanswered.
    try {
      const ok = handler(params, { id, engine: this });
      if (ok !== LATER) this.send({ id, ok });
    } catch (error) {
      this.send({ id, error });
    }
  }
}

export function snapshot(state, more = {}) {
  return {
    state,
    id: 'peer-1',
    author: 'author-1',
    network: 'testnet',
    ephemeral: false,
    addresses: [],
    clockOffsetMs: 0,
    relays: [],
    connections: [],
    routing: { size: 0, buckets: [] },
    namespaces: [],
    refusals: {},
    ...more,
  };
}
