// What the engine must not forget: a few bytes about witnesses and names, and the rows of messages.
// In IndexedDB for a stored identity; in memory for one that ends with the page.

import { openDatabase, type KeyValue, type Row } from './storage.ts';

/** Precedes the keys of messages. */
const ROWS = 'rows/';

export interface Keepsakes {
  load(what: string): Promise<Uint8Array | undefined>;
  save(what: string, bytes: Uint8Array): Promise<void>;
  /** See `KeyValue`. */
  lastRows(from: string, to: string, most: number): Promise<Row[]>;
  writeRows(rows: Row[]): Promise<void>;
}

export function openKeepsakes(ephemeral: boolean): Keepsakes {
  if (ephemeral) return inMemory();
  let database: Promise<KeyValue> | undefined;
  const opened = () => {
    if (!database) {
      database = openDatabase();
      // After a failure the next call tries again.
      database.catch(() => (database = undefined));
    }
    return database;
  };
  return {
    load: async (what) => (await opened()).load(`keepsake/${what}`),
    save: async (what, bytes) => (await opened()).save(`keepsake/${what}`, bytes),
    lastRows: async (from, to, most) => {
      const rows = await (await opened()).last(ROWS + from, ROWS + to, most);
      return rows.map(([key, value]) => [key.slice(ROWS.length), value]);
    },
    writeRows: async (rows) => (await opened()).write(rows.map(([key, value]) => [ROWS + key, value])),
  };
}

function inMemory(): Keepsakes {
  const kept = new Map<string, Uint8Array>();
  const rows = new Map<string, Uint8Array>();
  return {
    load: async (what) => kept.get(what),
    save: async (what, bytes) => void kept.set(what, bytes.slice()),
    lastRows: async (from, to, most) => {
      const keys = [...rows.keys()].filter((key) => key >= from && key < to).sort().reverse();
      return keys.slice(0, most).map((key) => [key, rows.get(key)]);
    },
    writeRows: async (changes) => {
      for (const [key, value] of changes) {
        if (value) rows.set(key, value);
        else rows.delete(key);
      }
    },
  };
}
