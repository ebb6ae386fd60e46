// A private file system in memory, and handles of a visitor's files, as browsers give them to pages and workers.

const failed = (name) => new DOMException(name, name);

/** Gives the page of this test a file system of its own: its root. */
export function privateFiles(t) {
  const root = new Folder();
  const storage = { getDirectory: async () => root, estimate: async () => ({ quota: 1e9, usage: 0 }), persist: async () => true };
  // Not every version of Node has one.
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { storage, locks: {} } });
  t.after(() => (before ? Object.defineProperty(globalThis, 'navigator', before) : delete globalThis.navigator));
  return root;
}

class Folder {
  entries = new Map();

  async getDirectoryHandle(name, { create = false } = {}) {
    return this.#find(name, create, () => new Folder());
  }

  async getFileHandle(name, { create = false } = {}) {
    return this.#find(name, create, () => new Stored());
  }

  async removeEntry(name) {
    const entry = this.entries.get(name);
    if (!entry) throw failed('NotFoundError');
    if (entry.entries?.size > 0) throw failed('InvalidModificationError');
    this.entries.delete(name);
  }

  async *keys() {
    yield* [...this.entries.keys()];
  }

  #find(name, create, make) {
    if (!this.entries.has(name) && !create) throw failed('NotFoundError');
    if (!this.entries.has(name)) this.entries.set(name, make());
    return this.entries.get(name);
  }
}

class Stored {
  bytes = new Uint8Array();
  #taken = false;

  async createSyncAccessHandle() {
    if (this.#taken) throw failed('NoModificationAllowedError');
    this.#taken = true;
    return {
      read: (into, { at }) => {
        const some = this.bytes.subarray(at, at + into.length);
        into.set(some);
        return some.length;
      },
      write: (bytes, { at }) => {
        this.#resize(Math.max(this.bytes.length, at + bytes.length));
        this.bytes.set(bytes, at);
        return bytes.length;
      },
      truncate: (size) => this.#resize(size),
      flush: () => {},
      getSize: () => this.bytes.length,
      close: () => (this.#taken = false),
    };
  }

  #resize(size) {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }
}

/**
 * A handle of a file that somebody may change: `write`, `remove`, and what the browser says of permission. A file that was taken of it before
 * a change cannot be read any more.
 */
export function visitorsFile(name, bytes) {
  let modified = 1;
  const handle = {
    kind: 'file',
    name,
    permission: 'granted',
    answer: 'granted',
    asked: 0,
    write: (changed) => ([bytes, modified] = [changed, modified + 1]),
    remove: () => handle.write(undefined),
    getFile: async () => {
      if (handle.permission !== 'granted') throw failed('NotAllowedError');
      if (!bytes) throw failed('NotFoundError');
      const file = new File([bytes], name, { type: 'video/x', lastModified: modified });
      const slice = file.slice.bind(file);
      const [taken, then] = [bytes, modified];
      file.slice = (from, to) => Object.assign(slice(from, to), { now: () => (then === modified ? taken.slice(from, to) : undefined) });
      return file;
    },
    queryPermission: async () => handle.permission,
    requestPermission: async () => {
      handle.asked += 1;
      return (handle.permission = handle.answer);
    },
  };
  return handle;
}

/** What only workers have. */
globalThis.FileReaderSync = class {
  readAsArrayBuffer(blob) {
    const bytes = blob.now();
    if (!bytes) throw failed('NotReadableError');
    return bytes.buffer;
  }
};
