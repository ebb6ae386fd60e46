// The few bytes that the engine must not forget: which witnesses it believes, what it saw of names.
// In IndexedDB for a stored identity; in memory for one that ends with the page.

import { openDatabase, type KeyValue } from './storage.ts';

export interface Keepsakes {
  load(what: string): Promise<Uint8Array | undefined>;
  save(what: string, bytes: Uint8Array): Promise<void>;
}

export function openKeepsakes(ephemeral: boolean): Keepsakes {
  if (ephemeral) return inMemory();
  let database: Promise<KeyValue> | undefined;
  const opened = () => (database ??= openDatabase());
  return {
    load: async (what) => (await opened()).load(`keepsake/${what}`),
    save: async (what, bytes) => (await opened()).save(`keepsake/${what}`, bytes),
  };
}

function inMemory(): Keepsakes {
  const kept = new Map<string, Uint8Array>();
  return {
    load: async (what) => kept.get(what),
    save: async (what, bytes) => void kept.set(what, bytes.slice()),
  };
}
