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
  close(): void;
}

/** Rejects where there is no IndexedDB (Node, some private windows) or when it does not answer. */
export async function openDatabase(): Promise<KeyValue> {
  const database = await openWithin(OPEN_TIMEOUT_MS);
  return {
    load: (key) => run(database, 'readonly', (store) => store.get(key)),
    save: async (key, bytes) => void (await run(database, 'readwrite', (store) => store.put(bytes.slice(), key))),
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

function run<T>(
  database: IDBDatabase,
  mode: IDBTransactionMode,
  use: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = use(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}
