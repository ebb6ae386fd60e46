// Directories, and places to save to, as an application sees them, with a scripted engine behind the port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, LATER, load } from './support.mjs';

const { Files } = await load('files.ts');
const { RpcPort } = await load('rpc-port.ts');

const PIECE = 256 * 1024;
const FOLDER = 'bafyr4ifolder';
const pattern = (size, seed = 31) => Uint8Array.from({ length: size }, (_, at) => (at * seed) % 253);
const thrown = (code) => ({ code, message: code, remedy: 'Do something.' });

function scripted(t, answers) {
  const engine = new FakeEngine({ files: (params, { id, engine }) => answers[params.files](params, id, engine) });
  t.after(() => engine.shut());
  const calls = () => engine.received.filter(({ method }) => method === 'files').map(({ params }) => params);
  return { engine, calls, files: new Files(new RpcPort(engine.port, () => {})) };
}

/** An engine that takes a directory. */
function taker(t) {
  const taken = [];
  let share;
  const told = scripted(t, {
    shareFolder: (params, id, engine) => {
      share = { id, about: JSON.parse(params.text), size: params.place };
      engine.send({ id, item: { call: 7 } });
      return LATER;
    },
    take: ({ value }) => (taken.push(value.bytes), null),
    end: () => {
      told.engine.send({ id: share.id, ok: { cid: FOLDER, name: share.about.name, media: '', tags: [], size: share.size } });
      return null;
    },
  });
  return { ...told, taken, share: () => share };
}

/** A folder as browsers give it to a page. */
function folder(name, entries) {
  return {
    kind: 'directory',
    name,
    async *entries() {
      for (const [name, entry] of Object.entries(entries)) yield [name, entry.kind ? entry : { kind: 'file', name, getFile: async () => entry }];
    },
  };
}

test('the files of a folder cross as if they were one, with their paths and sizes before them', async (t) => {
  const { files, taken, share } = taker(t);
  const contents = { 'b.jpg': pattern(10), large: pattern(2 * PIECE + 3, 7), empty: new Uint8Array(), last: pattern(PIECE) };
  const [b, large, empty, last] = Object.values(contents).map((bytes) => new Blob([bytes]));
  const progress = [];
  const source = folder('Sea', { 'b.jpg': b, deep: folder('deep', { er: folder('er', { large }) }), empty, last });
  const shared = await files.share(source, { tags: ['trip'], onProgress: (step) => progress.push(step) });
  const size = 3 * PIECE + 13;
  assert.deepEqual(shared, { cid: FOLDER, link: `warren:${FOLDER}?name=Sea`, size });
  const paths = [
    ['b.jpg', 10],
    ['deep/er/large', 2 * PIECE + 3],
    ['empty', 0],
    ['last', PIECE],
  ];
  assert.deepEqual(share().about, { name: 'Sea', media: '', tags: ['trip'], files: paths });
  assert.equal(share().size, size);
  assert.ok(Buffer.concat(taken).equals(Buffer.concat(Object.values(contents))));
  assert.deepEqual(taken.map(({ length }) => length), [PIECE, PIECE, PIECE, 13]);
  assert.deepEqual(progress.at(-1), { bytes: size, size });
});

test('a list of files is a folder as well, many small ones in few pieces', async (t) => {
  const { files, taken, share } = taker(t);
  const list = Array.from({ length: 1000 }, (_, at) => ({ path: `photos/${at}`, file: new Blob([pattern(500, at + 1)]) }));
  await files.share(list, { name: 'photos' });
  assert.equal(share().about.files.length, 1000);
  assert.equal(taken.length, Math.ceil(500_000 / PIECE));
  const all = Buffer.concat(await Promise.all(list.map(async ({ file }) => Buffer.from(await file.arrayBuffer()))));
  assert.ok(Buffer.concat(taken).equals(all));
});

test('what is no folder, or cannot be read, is said with its path', async (t) => {
  const { files, calls } = taker(t);
  await assert.rejects(files.share([{ path: 'x' }]), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(files.share([new Blob(['x'])]), { code: 'INVALID_ARGUMENT' });
  const one = { path: 'x', file: new Blob([]) };
  await assert.rejects(files.share(Array(65_537).fill(one)), { code: 'TOO_LARGE' });
  assert.deepEqual(calls(), [], 'nobody was asked to take it');
  class Vanished extends Blob {
    slice() {
      return { arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotFoundError')) };
    }
  }
  const vanished = new Vanished(['bytes']);
  await assert.rejects(files.share([{ path: 'a', file: new Blob(['a']) }, { path: 'b/c', file: vanished }]), (error) => {
    assert.equal(error.code, 'STORAGE_FAILED');
    assert.match(error.message, /b\/c/);
    return true;
  });
});

/** An engine that has a directory; its files are read as they are. */
function holder(t, contents) {
  const entries = Object.keys(contents).map((path) => [path, `id of ${path}`, contents[path].length, path.endsWith('.jpg') ? 'image/jpeg' : '']);
  const size = Object.values(contents).reduce((sum, { length }) => sum + length, 0);
  const info = { cid: FOLDER, name: '', media: '', tags: [], size, bytes: 0, sources: 1, complete: false, paused: false, files: entries.length };
  let id;
  const told = scripted(t, {
    fetchFolder: (_, call, engine) => {
      id = call;
      engine.send({ id: call, item: { ...info, entries: JSON.stringify(entries) } });
      return LATER;
    },
    fetchMember: ({ id: cid }, call, engine) => {
      engine.send({ id: call, item: {} });
      return cid.includes('missing') ? LATER : {};
    },
    read: ({ id: cid, place }) => contents[cid.slice('id of '.length)].slice(place * PIECE, (place + 1) * PIECE),
    pause: () => null,
    resume: () => null,
  });
  return {
    ...told,
    finish: () => told.engine.send({ id, ok: { ...info, bytes: size, sources: 0, complete: true } }),
    fail: (error) => told.engine.send({ id, error }),
  };
}

test('a directory has its list at once, and each of its files when it is asked for', async (t) => {
  const contents = { 'a/b.jpg': pattern(PIECE + 5), c: pattern(3) };
  const told = holder(t, contents);
  const progress = [];
  const directory = await told.files.fetchDirectory(`warren:${FOLDER}?name=Sea`, { onProgress: (step) => progress.push(step) });
  assert.deepEqual([directory.kind, directory.cid, directory.name, directory.size], ['directory', FOLDER, 'Sea', PIECE + 8]);
  assert.equal(directory.link, `warren:${FOLDER}?name=Sea`);
  assert.deepEqual(directory.entries, [
    { path: 'a/b.jpg', cid: 'id of a/b.jpg', size: PIECE + 5, media: 'image/jpeg' },
    { path: 'c', cid: 'id of c', size: 3 },
  ]);
  const file = await directory.file('a/b.jpg');
  assert.deepEqual([file.kind, file.name, file.size], ['file', 'b.jpg', PIECE + 5]);
  assert.ok(Buffer.from(await (await file.blob()).arrayBuffer()).equals(Buffer.from(contents['a/b.jpg'])));
  await file.complete();
  assert.deepEqual(told.calls().find(({ files }) => files === 'fetchMember'), { files: 'fetchMember', id: 'id of a/b.jpg', text: FOLDER });
  await assert.rejects(directory.file('b.jpg'), { code: 'NOT_FOUND' });
  await directory.pause();
  await directory.resume();
  told.finish();
  await directory.complete();
  assert.deepEqual(progress.at(-1), { bytes: PIECE + 8, size: PIECE + 8, sources: 0, paused: false });
});

test('what does not come of a directory is said to all who wait', async (t) => {
  const told = holder(t, { missing: pattern(5) });
  const directory = await told.files.fetchDirectory(FOLDER);
  const file = await directory.file('missing');
  told.fail(thrown('NOT_FOUND'));
  await assert.rejects(directory.complete(), { code: 'NOT_FOUND' });
  const { id } = await told.engine.saw(({ params }) => params?.files === 'fetchMember');
  told.engine.send({ id, error: thrown('CANCELLED') });
  await assert.rejects(file.complete(), { code: 'NOT_FOUND' });

  const nobody = scripted(t, {
    fetchFolder: () => {
      throw thrown('PROTOCOL_VIOLATION');
    },
  });
  await assert.rejects(nobody.files.fetchDirectory(FOLDER), { code: 'PROTOCOL_VIOLATION' });
});

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

test('a file is pinned where relays keep it, and it is said which do not', async (t) => {
  const answers = [
    { relay: 'p', until: 5000 },
    { relay: 'q', error: thrown('OVERLOADED') },
  ];
  const { files, calls } = scripted(t, { pin: () => answers });
  const pinned = await files.pin('warren:bafkr4icid?name=x', { days: 7 });
  assert.deepEqual(pinned.kept, [{ relay: 'p', until: new Date(5000) }]);
  assert.deepEqual([pinned.cid, pinned.refused[0].relay, pinned.refused[0].error.code], ['bafkr4icid', 'q', 'OVERLOADED']);
  await files.pin('bafkr4icid');
  assert.deepEqual(calls(), [
    { files: 'pin', id: 'bafkr4icid', place: 7 },
    { files: 'pin', id: 'bafkr4icid' },
  ]);
  const none = scripted(t, {
    pin: () => {
      throw thrown('UNSUPPORTED');
    },
  });
  await assert.rejects(none.files.pin('bafkr4icid'), { code: 'UNSUPPORTED' });
});
