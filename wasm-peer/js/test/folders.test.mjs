// Directories as an application sees them, with a scripted engine behind the port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FOLDER, PIECE, holder, pattern, scripted, thrown } from './directories.mjs';
import { LATER } from './support.mjs';

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

test('a folder that this page may not read is said to be one', async (t) => {
  const { files, calls } = taker(t);
  const denied = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  const locked = { kind: 'directory', name: 'locked', entries: () => ({ [Symbol.asyncIterator]: () => ({ next: denied }) }) };
  const file = { kind: 'file', name: 'secret', getFile: denied };
  for (const [source, path] of [
    [locked, 'locked'],
    [folder('Sea', { deep: folder('deep', { locked }) }), 'deep/locked'],
    [folder('Sea', { deep: folder('deep', { file }) }), 'deep/file'],
  ]) {
    await assert.rejects(files.share(source), (error) => {
      assert.deepEqual([error.code, error.message.includes(`"${path}"`), error.remedy !== ''], ['PERMISSION_DENIED', true, true], error.message);
      return true;
    });
  }
  const reason = new Error('enough');
  await assert.rejects(files.share(folder('Sea', { file }), { signal: AbortSignal.abort(reason) }), reason);
  assert.deepEqual(calls(), [], 'nobody was asked to take it');
});

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
