// Places to save to, as an application sees them, with a scripted engine behind the port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOLDER, PIECE, holder, pattern } from './directories.mjs';
import { LATER } from './support.mjs';

/** A folder on a disk: what was closed is in it. */
class Disk {
  kind = 'directory';
  all = new Map();
  constructor(name = 'disk') {
    this.name = name;
  }

  async getDirectoryHandle(name, { create } = {}) {
    if (!this.all.has(name) && create) this.all.set(name, new Disk(name));
    return this.#found(name, 'directory');
  }

  async getFileHandle(name, { create } = {}) {
    if (!this.all.has(name) && create) this.all.set(name, new Place(name));
    return this.#found(name, 'file');
  }

  async removeEntry(name) {
    this.all.delete(name);
  }

  #found(name, kind) {
    const found = this.all.get(name);
    if (!found) throw new DOMException('not there', 'NotFoundError');
    if (found.kind !== kind) throw new DOMException('something else', 'TypeMismatchError');
    return found;
  }
}

class Place {
  kind = 'file';
  bytes = new Uint8Array();
  aborted = undefined;
  /** Bytes after which the disk is full. */
  room = Infinity;
  constructor(name) {
    this.name = name;
  }

  async getFile() {
    return new File([this.bytes], this.name);
  }

  async createWritable() {
    const parts = [];
    return new WritableStream({
      write: (part) => {
        this.room -= part.length;
        if (this.room < 0) throw new DOMException('full', 'QuotaExceededError');
        parts.push(part);
      },
      close: () => void (this.bytes = Buffer.concat(parts)),
      abort: (reason) => void (this.aborted = reason),
    });
  }
}

test('a directory is written to a folder; what is there and the same stays, something else is not replaced', async (t) => {
  const contents = { 'a/b/c': pattern(PIECE + 1), 'a/d': pattern(3), e: new Uint8Array() };
  const { files } = holder(t, contents);
  const directory = await files.fetchDirectory(FOLDER);
  const disk = new Disk();
  await directory.saveTo(disk);
  const a = disk.all.get('a');
  assert.ok(a.all.get('b').all.get('c').bytes.equals(Buffer.from(contents['a/b/c'])));
  assert.equal(disk.all.get('e').bytes.length, 0);
  const before = a.all.get('d');
  await directory.saveTo(disk);
  assert.equal(a.all.get('d'), before, 'it is not written again');
  before.bytes = Buffer.from('xyz');
  await assert.rejects(directory.saveTo(disk), (error) => error.code === 'INVALID_ARGUMENT' && /a\/d/.test(error.message));
  assert.equal(String(before.bytes), 'xyz', 'nothing is lost');
  const other = new Disk();
  other.all.set('a', new Place('a'));
  await assert.rejects(directory.saveTo(other), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(directory.saveTo({}), { code: 'INVALID_ARGUMENT' });
  const reason = new Error('enough');
  await assert.rejects(directory.saveTo(new Disk(), { signal: AbortSignal.abort(reason) }), reason);
});

test('a file is written to a handle, into a folder, and to a stream', async (t) => {
  const contents = { sea: pattern(2 * PIECE + 1) };
  const { files } = holder(t, contents);
  const file = await (await files.fetchDirectory(FOLDER)).file('sea');
  const whole = Buffer.from(contents.sea);
  const place = new Place('copy');
  await file.saveTo(place);
  assert.ok(place.bytes.equals(whole));
  const disk = new Disk();
  await file.saveTo(disk);
  assert.ok(disk.all.get('sea').bytes.equals(whole));
  const parts = [];
  let closed = false;
  await file.saveTo(new WritableStream({ write: (part) => void parts.push(part), close: () => void (closed = true) }));
  assert.ok(Buffer.concat(parts).equals(whole) && closed);
  await assert.rejects(file.saveTo('a place'), { code: 'INVALID_ARGUMENT' });
});

test('half a file is not left: the reason is told, and the target aborted', async (t) => {
  const { files } = holder(t, { sea: pattern(3 * PIECE) });
  const file = await (await files.fetchDirectory(FOLDER)).file('sea');
  const place = new Place('copy');
  place.room = PIECE;
  await assert.rejects(file.saveTo(place), { code: 'STORAGE_FAILED' });
  assert.equal(place.bytes.length, 0);
  const denied = { kind: 'file', name: 'x', createWritable: () => Promise.reject(new DOMException('no', 'NotAllowedError')) };
  await assert.rejects(file.saveTo(denied), { code: 'PERMISSION_DENIED' });

  const stop = new AbortController();
  const reason = new Error('enough');
  const stopped = new Place('copy');
  const writable = stopped.createWritable.bind(stopped);
  stopped.createWritable = async () => {
    const inner = (await writable()).getWriter();
    return new WritableStream({
      write: (part) => (stop.abort(reason), inner.write(part)),
      abort: (why) => inner.abort(why),
      close: () => inner.close(),
    });
  };
  await assert.rejects(file.saveTo(stopped, { signal: stop.signal }), reason);
  assert.deepEqual([stopped.bytes.length, stopped.aborted], [0, reason]);
});

test('a directory that cannot be saved has left no half of a file when that is said, and can be saved again at once', async (t) => {
  const contents = { a: pattern(2 * PIECE), b: pattern(PIECE) };
  let stuck = true;
  const read = ({ id, place }) => (stuck && place === 1 ? LATER : contents[id.slice('id of '.length)].slice(place * PIECE, (place + 1) * PIECE));
  const { files, engine } = holder(t, contents, { read });
  const directory = await files.fetchDirectory(FOLDER);
  const disk = new Disk();
  // `b` fails when half of `a` is written, and a disk takes its time.
  const [place, remove] = [disk.getFileHandle.bind(disk), disk.removeEntry.bind(disk)];
  disk.getFileHandle = async (name, options) => {
    const found = await place(name, options);
    if (stuck && name === 'b') {
      await engine.saw(({ params }) => params?.files === 'read' && params.place === 1);
      found.room = 0;
    }
    return found;
  };
  disk.removeEntry = async (name) => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((next) => setImmediate(next));
    await remove(name);
  };
  const seen = await directory.saveTo(disk).then(
    () => assert.fail('the disk was full'),
    ({ code }) => [code, ...disk.all.keys()],
  );
  assert.deepEqual(seen, ['STORAGE_FAILED']);
  stuck = false;
  await directory.saveTo(disk);
  for (const [name, bytes] of Object.entries(contents)) assert.ok(disk.all.get(name).bytes.equals(Buffer.from(bytes)), name);
});

test('what is given up when all of it is written is saved', async (t) => {
  const { files } = holder(t, { sea: pattern(PIECE + 1) });
  const directory = await files.fetchDirectory(FOLDER);
  const stop = new AbortController();
  const disk = new Disk();
  const place = await disk.getFileHandle('sea', { create: true });
  const writable = place.createWritable.bind(place);
  place.createWritable = async () => {
    const inner = (await writable()).getWriter();
    return new WritableStream({ write: (part) => inner.write(part), close: () => (stop.abort(), inner.close()) });
  };
  await directory.saveTo(disk, { signal: stop.signal });
  assert.equal(place.bytes.length, PIECE + 1);
});

test('comparing with what is there ends when it is given up', async (t) => {
  const { files, engine } = holder(t, { sea: pattern(9) }, { read: () => LATER });
  const file = await (await files.fetchDirectory(FOLDER)).file('sea');
  const disk = new Disk();
  (await disk.getFileHandle('sea', { create: true })).bytes = pattern(9);
  const stop = new AbortController();
  const reason = new Error('enough');
  const saving = file.saveTo(disk, { signal: stop.signal });
  saving.catch(() => {});
  await engine.saw(({ params }) => params?.files === 'read');
  stop.abort(reason);
  await assert.rejects(saving, reason);
  await engine.saw(({ cancel }) => cancel !== undefined);
  assert.equal(disk.all.get('sea').bytes.length, 9, 'what was there stays');
});

test('some bytes of a file are saved, and saved again, where the same bytes are', async (t) => {
  const bytes = pattern(2 * PIECE + 1);
  const fetch = ({ id: cid, place, limit }, call, engine) => {
    const info = { cid, name: '', size: bytes.length, bytes: 0, sources: 1, paused: false, range: { start: place, end: limit, bytes: 0 } };
    engine.send({ id: call, item: info });
    return info;
  };
  const { files } = holder(t, { sea: bytes }, { fetch });
  const file = await files.fetch('warren:id of sea?name=some', { range: { start: PIECE - 1, end: PIECE + 7 } });
  const disk = new Disk();
  await file.saveTo(disk);
  const saved = disk.all.get('some');
  assert.ok(saved.bytes.equals(Buffer.from(bytes.subarray(PIECE - 1, PIECE + 7))));
  saved.createWritable = () => assert.fail('it is there');
  await file.saveTo(disk);
  saved.bytes = pattern(bytes.length);
  await assert.rejects(file.saveTo(disk), { code: 'INVALID_ARGUMENT' });
});

test('an empty file is what a page leaves that is ended while it saves: it is written, and stays when that fails', async (t) => {
  const { files } = holder(t, { sea: pattern(9) });
  const directory = await files.fetchDirectory(FOLDER);
  const disk = new Disk();
  const place = await disk.getFileHandle('sea', { create: true });
  place.room = 0;
  await assert.rejects(directory.saveTo(disk), { code: 'STORAGE_FAILED' });
  assert.equal(disk.all.get('sea'), place);
  place.room = Infinity;
  await directory.saveTo(disk);
  assert.ok(place.bytes.equals(Buffer.from(pattern(9))));
});

test('what a browser says about a place is said in the words of this package, and giving up as it is', async (t) => {
  const { files } = holder(t, { sea: pattern(9) });
  const file = await (await files.fetchDirectory(FOLDER)).file('sea');
  const disk = new Disk();
  const place = await disk.getFileHandle('sea', { create: true });
  place.getFile = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  await assert.rejects(file.saveTo(disk), { code: 'PERMISSION_DENIED', message: /read "sea"/ });
  const changed = { size: 9, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('changed', 'NotReadableError')) }) };
  place.getFile = async () => changed;
  await assert.rejects(file.saveTo(disk), { code: 'STORAGE_FAILED', message: /"sea"/ });

  const why = new DOMException('closed by the browser', 'AbortError');
  const broken = { kind: 'file', name: 'x', createWritable: async () => new WritableStream({ close: () => Promise.reject(why) }) };
  await assert.rejects(file.saveTo(broken), (error) => error === why);
  broken.createWritable = async () => new WritableStream({ close: () => Promise.reject(new DOMException('no', 'SecurityError')) });
  await assert.rejects(file.saveTo(broken), { code: 'PERMISSION_DENIED' });
});
