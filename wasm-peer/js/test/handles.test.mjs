// Files that stay where they are: shared by their handles, read in their places, and there again after a reload.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privateFiles, visitorsFile } from './opfs.mjs';
import { FakeEngine, LATER, load } from './support.mjs';

const { Files, RpcPort } = await load('files.ts', 'rpc-port.ts');
const { PairInPlace, placedAt, placedNumberOf, numberOf, KeptFiles, FileDisk, lend, takeBack } = await load(
  'pair-in-place.ts',
  'kept-pair.ts',
  'kept-files.ts',
  'file-disk.ts',
  'lent-handles.ts',
);

const MIB = 1024 * 1024;
const CID = 'bafkr4icid';
const INFO = { cid: CID, name: 'sea.film', media: 'video/x', tags: [], size: 9, bytes: 9, sources: 0, complete: true, paused: false };
const pattern = (size, seed = 31) => Uint8Array.from({ length: size }, (_, at) => (at * seed) % 253);
const failedAs = (name) => (error) => error.name === name;

/** `answers[kind](params, id, engine)` answers a call of that kind. */
function scripted(t, answers) {
  const engine = new FakeEngine({ files: (params, { id, engine }) => answers[params.files](params, id, engine) });
  t.after(() => engine.shut());
  const calls = () => engine.received.filter(({ method }) => method === 'files').map(({ params }) => params);
  return { calls, files: new Files(new RpcPort(engine.port, () => {})) };
}

const room = (durable) => ({ durable, used: 0, most: 1, reason: durable ? '' : 'why' });

test('of a handle nothing crosses but a number; it says how far its hashing is', async (t) => {
  const { files, calls } = scripted(t, {
    storage: () => room(true),
    shareInPlace: (_, id, engine) => {
      engine.send({ id, item: { bytes: 4 } });
      engine.send({ id, ok: { ...INFO, inPlace: 'readable' } });
      return LATER;
    },
  });
  const progress = [];
  const shared = await files.share(visitorsFile('sea.film', pattern(9)), { tags: ['red'], onProgress: (step) => progress.push(step) });
  assert.deepEqual(shared, { cid: CID, link: `warren:${CID}?name=sea.film`, size: 9 });
  assert.deepEqual(progress, [{ bytes: 4, size: 9 }]);
  const [, share] = calls();
  assert.deepEqual(JSON.parse(share.text), { name: 'sea.film', media: 'video/x', tags: ['red'] });
  assert.ok(share.call > 0);
  assert.deepEqual(calls().map(({ files }) => files), ['storage', 'shareInPlace']);
});

test('where nothing stays over a reload a handle is copied as its file is', async (t) => {
  const taken = [];
  let share;
  const { files } = scripted(t, {
    storage: () => room(false),
    share: (params, id, engine) => {
      share = { id, engine };
      assert.deepEqual([params.place, JSON.parse(params.text).name], [9, 'other']);
      engine.send({ id, item: { call: 7 } });
      return LATER;
    },
    take: ({ value }) => void taken.push(...value.bytes) ?? null,
    end: () => {
      share.engine.send({ id: share.id, ok: INFO });
      return null;
    },
  });
  await files.share(visitorsFile('sea.film', pattern(9)), { name: 'other' });
  assert.deepEqual(taken, [...pattern(9)]);
});

test('a handle that may not be read, or leads nowhere, is refused before anything else', async (t) => {
  const { files, calls } = scripted(t, {});
  const handle = visitorsFile('sea.film', pattern(9));
  handle.permission = 'prompt';
  await assert.rejects(files.share(handle), { code: 'PERMISSION_DENIED' });
  handle.permission = 'granted';
  handle.remove();
  await assert.rejects(files.share(handle), { code: 'STORAGE_FAILED' });
  assert.deepEqual(calls(), []);
});

test('the list says how it is with a file in its place, and reading it can be allowed', async (t) => {
  const asks = { ...INFO, bytes: 0, complete: false, inPlace: 'needs-permission' };
  const { files, calls } = scripted(t, {
    list: () => [asks, { ...INFO, cid: 'bafkr4icopy' }],
    allow: () => ({ ...INFO, inPlace: 'readable' }),
  });
  const [first, copy] = await files.list();
  assert.deepEqual([first.inPlace, first.complete, 'inPlace' in copy], ['needs-permission', false, false]);
  const allowed = await files.allow(first.link);
  assert.deepEqual([allowed.inPlace, allowed.complete, allowed.link], ['readable', true, first.link]);
  assert.deepEqual(calls().at(-1), { files: 'allow', id: CID });
});

test('a file in its place is read as long as it looks as it did', async () => {
  const bytes = pattern(5 * MIB + 3);
  const handle = visitorsFile('sea.film', bytes);
  const pair = new PairInPlace(3, await placedAt(handle));
  const read = (at, length) => {
    const into = new Uint8Array(length);
    pair.read(false, at, into);
    return Buffer.from(into);
  };
  await pair.look();
  assert.equal(pair.size(false), bytes.length);
  for (const [at, length] of [[0, 10], [256 * 1024 - 5, 300_000], [bytes.length - 3, 3], [7, 0]]) {
    assert.ok(read(at, length).equals(bytes.subarray(at, at + length)), `${at} ${length}`);
  }
  assert.throws(() => read(bytes.length - 3, 4), failedAs('FileChangedError'), 'it has no more');
  const portions = [];
  for (let next = pair.next(); next.length > 0; next = pair.next()) portions.push(next);
  assert.deepEqual(portions.map(({ length }) => length), [4 * MIB, MIB + 3]);
  assert.ok(Buffer.concat(portions).equals(bytes));
  // Nothing is ever written to it.
  pair.write(false, 0, pattern(9, 7));
  pair.resize(false, 0);
  pair.flush(false);
  assert.ok(read(0, 9).equals(bytes.subarray(0, 9)));

  handle.write(pattern(bytes.length, 7));
  // What was not read before the change is not what it was.
  assert.throws(() => read(2 * MIB, 9), failedAs('FileChangedError'));
  await assert.rejects(pair.look(), failedAs('FileChangedError'));
  assert.equal(await pair.state(), 'changed');
  handle.remove();
  await assert.rejects(pair.look(), failedAs('FileChangedError'));
});

test('how it is with a file depends on the browser, the visitor and the file', async () => {
  const handle = visitorsFile('sea.film', pattern(9));
  const pair = new PairInPlace(1, await placedAt(handle));
  assert.equal(await pair.state(), 'readable');
  for (const permission of ['prompt', 'denied']) {
    handle.permission = permission;
    assert.equal(await pair.state(), 'needs-permission');
  }
  delete handle.queryPermission;
  assert.equal(await pair.state(), 'needs-permission', 'without the question reading decides');
  handle.permission = 'granted';
  assert.equal(await pair.state(), 'readable');
  handle.remove();
  assert.equal(await pair.state(), 'changed');
});

test('files in their places have names of their own', () => {
  assert.deepEqual(['1.there', '1.data', '01.there', '1.there.tmp'].map(placedNumberOf), [1, undefined, undefined, undefined]);
  assert.equal(numberOf('1.there'), undefined);
});

/** In place of the module: it keeps what it is told beside the file, and its hashes are the bytes. */
const GLUE = {
  Taking: {
    begin(pair) {
      const taken = [];
      return { take: (bytes) => taken.push(...bytes) > 0, finish: () => slotOf(pair, taken.length), free: () => {} };
    },
  },
  Slot: {
    create: (pair, _, size) => slotOf(pair, size),
    restore(pair) {
      if (pair.size(true) === 0) return [];
      const note = new Uint8Array(pair.size(true));
      pair.read(true, 0, note);
      return [slotOf(pair, pair.size(false)), note];
    },
  },
};

function slotOf(pair, size) {
  const piece = () => {
    const bytes = new Uint8Array(size);
    pair.read(false, 0, bytes);
    return bytes;
  };
  return {
    map: () => Uint8Array.of(size),
    size: () => size,
    whole: () => true,
    keep: (note) => pair.write(true, 0, note),
    write: () => assert.fail('nothing is written'),
    piece,
    settle: () => {},
    free: () => {},
  };
}

/** Handles in memory. */
class Handles {
  all = new Map();
  log = [];

  async load(number) {
    return this.all.get(number);
  }

  async save(number, placed) {
    this.log.push('handle');
    this.all.set(number, placed);
  }

  async forget(number) {
    this.all.delete(number);
  }
}

/** What the page asks the worker, one question after the other. */
function worker(handles) {
  const files = new KeptFiles(GLUE, 'place', handles, () => {});
  return (what, file = 0, more = {}) => files.answer({ what, file, number: 0, ...more });
}

async function sharedInPlace(ask, handle, note) {
  const file = await ask('place', 0, { handle });
  for (let read = await ask('hash', file); read > 0; read = await ask('hash', file));
  await ask('finish', file);
  await ask('keep', file, { bytes: note });
  return file;
}

test('what is shared in its place is there after a restart, with how it is with it, and is not copied', async (t) => {
  const root = privateFiles(t);
  const handles = new Handles();
  const handle = visitorsFile('sea.film', pattern(200));
  const note = Uint8Array.of(1, 2, 3);
  const first = worker(handles);
  const file = await sharedInPlace(first, handle, note);
  assert.deepEqual(await first('bytes', file), pattern(200));
  const [used] = await first('room');
  assert.ok(used > 0 && used < 200 + 8 * 1024, 'only its hashes take room');
  const kept = [...(await (await root.getDirectoryHandle('warren-files')).getDirectoryHandle('place')).entries];
  assert.deepEqual(kept.map(([name, { bytes }]) => [name, bytes.length]), [[`${file}.there`, note.length]]);
  await first('close');

  const restarted = async () => {
    const ask = worker(handles);
    const [all, skipped] = await ask('kept');
    assert.equal(skipped, false);
    return { ask, all };
  };
  const { ask, all } = await restarted();
  assert.deepEqual(all, [[file, Uint8Array.of(200), note, 'readable']]);
  assert.deepEqual(await ask('bytes', file), pattern(200));
  await ask('close');

  handle.permission = 'prompt';
  const later = await restarted();
  assert.equal(later.all[0][3], 'needs-permission');
  await assert.rejects(later.ask('bytes', file), failedAs('NotAllowedError'));
  await assert.rejects(later.ask('write', file), failedAs('NotAllowedError'));
  assert.equal(await later.ask('handle', file), handle);
  handle.permission = 'granted';
  assert.equal(await later.ask('look', file), 'readable');
  assert.deepEqual(await later.ask('bytes', file), pattern(200));
  await assert.rejects(later.ask('write', file), /Nothing is written/);

  handle.write(pattern(200, 7));
  await assert.rejects(later.ask('bytes', file), failedAs('FileChangedError'));
  await later.ask('close');
  const last = await restarted();
  assert.equal(last.all[0][3], 'changed');
  await last.ask('discard', file);
  assert.deepEqual([handles.all.size, root.entries.size], [0, 0], 'the handle is forgotten');
});

test('a file that changes while it is hashed is not shared, and leaves nothing behind', async (t) => {
  const root = privateFiles(t);
  const handles = new Handles();
  const handle = visitorsFile('sea.film', pattern(200));
  const ask = worker(handles);
  const file = await ask('place', 0, { handle });
  assert.equal(await ask('hash', file), 200);
  handle.write(pattern(201));
  await assert.rejects(ask('finish', file), failedAs('FileChangingError'));
  await ask('discard', file);
  assert.deepEqual([handles.all.size, root.entries.size], [0, 0]);
});

test('what a crash has left of sharing goes', async (t) => {
  const root = privateFiles(t);
  const handles = new Handles();
  const before = worker(handles);
  // The page ends before the handle is kept, and after.
  await before('place', 0, { handle: visitorsFile('one', pattern(5)) });
  const second = await before('place', 0, { handle: visitorsFile('two', pattern(5)) });
  handles.all.set(second, await placedAt(visitorsFile('two', pattern(5))));
  await before('close');
  assert.deepEqual(await worker(handles)('kept'), [[], false]);
  assert.deepEqual([handles.all.size, root.entries.size], [0, 0]);
  await assert.rejects(worker(handles)('place'), /has not come/);
});

test('handles that cannot be looked up today stay for another day', async (t) => {
  const root = privateFiles(t);
  const handles = new Handles();
  t.mock.method(console, 'error', () => {});
  const ask = worker(handles);
  await sharedInPlace(ask, visitorsFile('sea.film', pattern(5)), Uint8Array.of(1));
  await ask('close');
  const load = t.mock.method(handles, 'load', async () => Promise.reject(new Error('no database')));
  assert.deepEqual(await worker(handles)('kept'), [[], true]);
  load.mock.restore();
  assert.equal((await worker(handles)('kept'))[0].length, 1);
  assert.equal(root.entries.size, 1);
});

/** The page's end of a worker that answers from a table. */
async function disk(t, answers) {
  privateFiles(t);
  const asked = [];
  const before = globalThis.Worker;
  globalThis.Worker = class {
    postMessage(question) {
      asked.push(question);
      const ok = 'place' in question ? undefined : answers[question.what](question);
      queueMicrotask(() => this.onmessage({ data: { id: question.id, ok } }));
    }

    terminate() {}
  };
  t.after(() => (globalThis.Worker = before));
  // A module with nothing in it.
  const wasm = `data:application/wasm;base64,${Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]).toString('base64')}`;
  return { asked, disk: await FileDisk.open('place', { wasm, worker: 'worker.js' }) };
}

test('a handle reaches the worker by its number, and the page asks the visitor', async (t) => {
  const handle = visitorsFile('sea.film', pattern(9));
  const { asked, disk: page } = await disk(t, { place: () => 5, handle: () => handle, look: () => 'readable' });
  const number = lend(handle);
  assert.equal(await page.ask('place', 0, number), 5);
  assert.equal(asked.at(-1).handle, handle);
  takeBack(number);
  await page.ask('place', 0, number);
  assert.equal(asked.at(-1).handle, undefined);

  handle.permission = 'prompt';
  assert.equal(await page.ask('allow', 5, 0), 'readable');
  assert.deepEqual([handle.asked, asked.at(-1).what, asked.at(-1).file], [1, 'look', 5]);
  handle.answer = 'denied';
  await assert.rejects(page.ask('allow', 5, 0), failedAs('NotAllowedError'));
  assert.equal(asked.at(-1).what, 'handle', 'nobody looks');
  // Where browsers do not ask, reading decides.
  delete handle.requestPermission;
  assert.equal(await page.ask('allow', 5, 0), 'readable');
  page.end();
});
