// Work away from the main thread; where no worker can be made, here, a little at a time where that is possible.
// Knows puzzles as the engine names them, by their seed. Does not know what they are for.

import { abortable } from './abort.ts';
import { answer, type NamesModule } from './names-module.ts';

/** A number after `from` is wanted whose hash with `seed` begins with `bits` zeros. */
export interface Puzzle {
  seed: Uint8Array;
  bits: number;
  from: number;
}

/** The words that a secret is made of. */
export interface Words {
  network: string;
  room: string;
  words: string;
}

/** What a worker says: how far it is, what it found, or the module's answer. */
export type Worked = { tried: number } | { nonce: number } | { told: string } | { failed: true };

type Listener = (tried: number) => void;

/** Numbers tried on the main thread before the page gets its turn: a few milliseconds of a phone. */
const PIECE_HERE = 4_096;
/** Far enough below 2⁵³ for every number that is tried. */
const MAX_START = 2 ** 48;

/** Where the first peer of the page was told to find the worker. */
let usual: string | URL | undefined;

export class Solver {
  readonly #module: NamesModule;
  readonly #workerUrl: string | URL | undefined;
  readonly #running = new Map<string, AbortController>();
  readonly #listeners = new Map<string, Listener>();

  constructor(module: NamesModule, workerUrl?: string | URL) {
    this.#module = module;
    this.#workerUrl = workerUrl ?? usual;
    usual ??= workerUrl;
  }

  /** Resolves with the solution. Rejects when it was stopped, or when the module cannot be loaded. */
  async solve(seed: Uint8Array, bits: number): Promise<number> {
    const stop = new AbortController();
    const key = hex(seed);
    this.#running.set(key, stop);
    const puzzle = { seed, bits, from: Math.floor(Math.random() * MAX_START) };
    const told = (tried: number) => this.#listeners.get(key)?.(tried);
    try {
      const { glue, compiled } = await this.#module.load();
      stop.signal.throwIfAborted();
      const far = await this.#elsewhere({ ...puzzle, compiled }, told, stop.signal);
      if (far && 'nonce' in far) return far.nonce;
      return await here((from, tries) => glue.search(seed, bits, from, tries), puzzle.from, told, stop.signal);
    } finally {
      this.#running.delete(key);
    }
  }

  /** The secret of a room out of a passphrase, as it stands in a link. */
  async secret(words: Words, signal: AbortSignal | undefined): Promise<string> {
    const { glue, compiled } = await abortable(this.#module.load(), signal);
    const far = await this.#elsewhere({ ...words, compiled }, () => {}, signal);
    return answer<string>(far && 'told' in far ? far.told : glue.passphrase(words.network, words.room, words.words));
  }

  stop(seed: Uint8Array): void {
    this.#running.get(hex(seed))?.abort();
  }

  /** Tells how many numbers were tried for the puzzle with this seed, in hex. One listener each. */
  watch(puzzle: string, listener: Listener): () => void {
    this.#listeners.set(puzzle, listener);
    return () => this.#listeners.delete(puzzle);
  }

  close(): void {
    for (const stop of this.#running.values()) stop.abort();
  }

  /** Resolves with nothing when no worker can be made here. */
  async #elsewhere(
    task: (Puzzle | Words) & { compiled: WebAssembly.Module },
    told: Listener,
    signal: AbortSignal | undefined,
  ): Promise<Worked | undefined> {
    const worker = this.#worker();
    if (!worker) return undefined;
    try {
      const worked = new Promise<Worked | undefined>((resolve) => {
        worker.onerror = (event) => (event.preventDefault(), resolve(undefined));
        worker.onmessage = ({ data }: MessageEvent<Worked>) => ('tried' in data ? told(data.tried) : resolve(data));
        worker.postMessage(task);
      });
      return await abortable(worked, signal);
    } finally {
      worker.terminate();
    }
  }

  #worker(): Worker | undefined {
    if (typeof Worker === 'undefined') return undefined;
    try {
      // Bundlers look for exactly this expression.
      if (this.#workerUrl === undefined) return new Worker(new URL('./names-worker.js', import.meta.url), { type: 'module' });
      return new Worker(this.#workerUrl, { type: 'module' });
    } catch {
      return undefined;
    }
  }
}

async function here(
  search: (from: number, tries: number) => number,
  from: number,
  told: Listener,
  signal: AbortSignal,
): Promise<number> {
  for (let tried = 0; ; tried += PIECE_HERE) {
    signal.throwIfAborted();
    const nonce = search(from + tried, PIECE_HERE);
    if (nonce >= 0) return nonce;
    told(tried + PIECE_HERE);
    await new Promise((next) => setTimeout(next));
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
