// Handles of files that are shared where they are, over a reload: in IndexedDB, which takes them as they are.

import type { Placed } from './pair-in-place.ts';
import { openDatabase, type KeyValue } from './storage.ts';

/** Precedes their keys. */
const HANDLES = 'handles/';

export class KeptHandles {
  readonly #place: string;
  #database: Promise<KeyValue> | undefined;

  constructor(place: string) {
    this.#place = place;
  }

  async load(number: number): Promise<Placed | undefined> {
    const kept: unknown = await this.#with((database) => database.load(this.#key(number)));
    return kept as Placed | undefined;
  }

  async save(number: number, placed: Placed): Promise<void> {
    // Whatever can be cloned can be kept; only bytes are copied before.
    await this.#with((database) => database.write([[this.#key(number), placed as unknown as Uint8Array]]));
  }

  async forget(number: number): Promise<void> {
    await this.#with((database) => database.write([[this.#key(number), undefined]]));
  }

  #key(number: number): string {
    return `${HANDLES}${this.#place}/${number}`;
  }

  /** Browsers close databases by themselves: what fails is tried once more with a new one. */
  async #with<T>(work: (database: KeyValue) => Promise<T>): Promise<T> {
    if (this.#database) {
      try {
        return await work(await this.#database);
      } catch {
        this.#database = undefined;
      }
    }
    const database = await openDatabase();
    const done = await work(database);
    this.#database = Promise.resolve(database);
    return done;
  }
}
