// A key-value store for bytes in IndexedDB.
// Knows nothing about what is kept in it.

const DATABASE = 'warren';
const STORE = 'bytes';
/** A browser whose IndexedDB does not answer at all must not stop the peer from starting. */
const OPEN_TIMEOUT_MS = 3000;

export interface KeyValue {
  load(key: string): Promise<Uint8Array | undefined>;
  /** Resolves after the transaction committed. */
  save(key: string, bytes: Uint8Array): Promise<void>;
  /** The last rows from one key to before another one, the last first. */
  last(from: string, to: string, most: number): Promise<Row[]>;
  /** Writes or removes rows in one transaction; resolves when it is on disk. */
  write(rows: Row[]): Promise<void>;
  close(): void;
}

/** A key, and what is under it; nothing to remove it. */
export type Row = [key: string, value: Uint8Array | undefined];

/** Rejects where there is no IndexedDB (Node, some private windows) or when it does not answer. */
export async function openDatabase(): Promise<KeyValue> {
  const database = await openWithin(OPEN_TIMEOUT_MS);
  return {
    load: (key) => load(database, key),
    save: (key, bytes) => write(database, [[key, bytes.slice()]]),
    last: (from, to, most) => last(database, from, to, most),
    write: (rows) => write(database, rows),
    close: () => database.close(),
  };
}

function openWithin(ms: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    if (typeof indexedDB === 'undefined') throw new Error('This environment has no IndexedDB.');
    const timer = setTimeout(() => reject(new Error(`IndexedDB did not answer within ${ms} ms.`)), ms);
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      clearTimeout(timer);
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(request.error);
    };
  });
}

function load(database: IDBDatabase, key: string): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE);
    const request = transaction.objectStore(STORE).get(key);
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}

function last(database: IDBDatabase, from: string, to: string, most: number): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const rows: Row[] = [];
    const range = IDBKeyRange.bound(from, to, false, true);
    const request = database.transaction(STORE).objectStore(STORE).openCursor(range, 'prev');
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || rows.push([cursor.key as string, cursor.value]) >= most) resolve(rows);
      else cursor.continue();
    };
  });
}

function write(database: IDBDatabase, rows: Row[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
    const store = transaction.objectStore(STORE);
    for (const [key, value] of rows) {
      if (value) store.put(value, key);
      else store.delete(key);
    }
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
