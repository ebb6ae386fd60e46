// Files as an application sees them, with a scripted engine behind the port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, LATER, load } from './support.mjs';

const { Files } = await load('files.ts');
const { RpcPort } = await load('rpc-port.ts');
const { FilePlaces } = await load('file-places.ts');
const { numberOf } = await load('kept-pair.ts');

const PIECE = 256 * 1024;
const CID = 'bafkr4icid';
const SIZE = 2 * PIECE + 5;
const INFO = { cid: CID, name: '', media: '', tags: [], size: SIZE, bytes: 0, sources: 0, complete: false, paused: false };

/** `answers[kind](params, id, engine)` answers a call of that kind. */
function scripted(t, answers) {
  const engine = new FakeEngine({ files: (params, { id, engine }) => answers[params.files](params, id, engine) });
  t.after(() => engine.shut());
  const calls = () => engine.received.filter(({ method }) => method === 'files').map(({ params }) => params);
  return { engine, calls, answers, files: new Files(new RpcPort(engine.port, () => {})) };
}

/** An engine that takes files, and shares what it was given. */
function keeper(t, take = () => null) {
  const taken = [];
  let share;
  const told = scripted(t, {
    share: (params, id, engine) => {
      share = { id, about: JSON.parse(params.text), size: params.place };
      engine.send({ id, item: { call: 7 } });
      return LATER;
    },
    take: (params) => {
      assert.equal(params.call, 7);
      taken.push(params.value.bytes);
      return take(taken.length, share.id, told.engine);
    },
    end: () => {
      const size = taken.reduce((sum, bytes) => sum + bytes.length, 0);
      told.engine.send({ id: share.id, ok: { ...INFO, ...share.about, size, bytes: size, complete: true } });
      return null;
    },
  });
  return { ...told, taken, share: () => share };
}

const pattern = (size) => Uint8Array.from({ length: size }, (_, at) => (at * 31) % 253);
const together = (taken) => Buffer.concat(taken);
const thrown = (code) => ({ code, message: code, remedy: 'Do something.' });

test('a file crosses in pieces, under its own name', async (t) => {
  const { files, taken, share } = keeper(t);
  const bytes = pattern(SIZE);
  const progress = [];
  const source = new File([bytes], 'Red sea.film', { type: 'video/x' });
  const shared = await files.share(source, { tags: ['holiday'], onProgress: (step) => progress.push(step) });
  assert.deepEqual(shared, { cid: CID, link: `warren:${CID}?name=Red%20sea.film`, size: SIZE });
  assert.equal(share().size, SIZE, 'whether there is room is known before anything is read');
  assert.deepEqual(share().about, { name: 'Red sea.film', media: 'video/x', tags: ['holiday'] });
  assert.deepEqual(
    taken.map(({ length }) => length),
    [PIECE, PIECE, 5],
  );
  assert.ok(together(taken).equals(bytes));
  assert.deepEqual(progress.at(-1), { bytes: SIZE, size: SIZE });
});

test('bytes and streams are shared as well, and need no name', async (t) => {
  const bytes = pattern(SIZE);
  for (const source of [bytes, new Blob([bytes]), new Blob([bytes]).stream()]) {
    const { files, taken } = keeper(t);
    const shared = await files.share(source);
    assert.equal(shared.link, `warren:${CID}`);
    assert.ok(together(taken).equals(bytes));
    assert.ok(taken.every(({ length }) => length <= PIECE));
  }
  const { files, taken } = keeper(t);
  assert.equal((await files.share(new Uint8Array(), { name: 'nothing' })).size, 0);
  assert.deepEqual(taken, []);
  await assert.rejects(files.share('text'), { code: 'INVALID_ARGUMENT' });
});

test('no more of a Buffer crosses than its piece', async (t) => {
  const { files, taken } = keeper(t);
  await files.share(Buffer.alloc(3 * PIECE, 7));
  assert.deepEqual(
    taken.map(({ length, buffer }) => [length, buffer.byteLength]),
    Array(3).fill([PIECE, PIECE]),
  );
});

test('a stream that nobody begins to read is cancelled', async (t) => {
  const { files } = scripted(t, {
    share: () => {
      throw thrown('NO_RELAY');
    },
  });
  let cancelled = false;
  const stream = new ReadableStream({ cancel: () => void (cancelled = true) });
  await assert.rejects(files.share(stream), { code: 'NO_RELAY' });
  assert.equal(cancelled, true);
});

test('what is wrong with a listener is reported, and stops nothing', async (t) => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  t.after(() => delete globalThis.reportError);
  const wrong = new Error('a defect of the application');
  const onProgress = () => {
    throw wrong;
  };
  const { files, taken } = keeper(t);
  assert.equal((await files.share(pattern(SIZE), { onProgress })).size, SIZE);
  assert.equal(taken.length, 3);
  assert.deepEqual(reported, [wrong, wrong, wrong]);

  const told = source(t, pattern(5));
  const file = await told.files.fetch(CID, { onProgress });
  assert.equal(reported.length, 4);
  const blob = file.blob();
  await told.give();
  assert.equal((await blob).size, 5);
});

test('a signal, a source and the engine can each end the sharing, with their own reason', async (t) => {
  let closed;
  const endless = () =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(PIECE)),
      cancel: () => (closed = true),
    });
  const reason = new Error('enough');
  const stop = new AbortController();
  const given = keeper(t, (count) => (count === 3 ? (stop.abort(reason), LATER) : null));
  await assert.rejects(given.files.share(endless(), { signal: stop.signal }), reason);
  await given.engine.saw(({ cancel }) => cancel === given.share().id);
  assert.equal(closed, true, 'nobody reads the stream any more');

  const broken = new Error('the camera was unplugged');
  const failing = new ReadableStream({ pull: (controller) => controller.error(broken) });
  const source = keeper(t);
  await assert.rejects(source.files.share(failing), broken);

  closed = false;
  const full = keeper(t, (count, share, engine) => {
    if (count < 2) return null;
    engine.send({ id: share, error: thrown('STORAGE_FAILED') });
    throw thrown('CANCELLED');
  });
  await assert.rejects(full.files.share(endless()), { code: 'STORAGE_FAILED', remedy: 'Do something.' });
  assert.equal(closed, true);
});

/** An engine that has a file, piece by piece as the test lets it come. */
function source(t, bytes) {
  const waiting = [];
  const told = scripted(t, {
    fetch: (_, id, engine) => {
      told.fetch = id;
      engine.send({ id, item: { ...INFO, size: bytes.length } });
      return LATER;
    },
    read: ({ place, id: cid }, id, engine) => {
      assert.equal(cid, CID);
      waiting.push(() => engine.send({ id, ok: bytes.slice(place * PIECE, (place + 1) * PIECE) }));
      told.asked?.();
      return LATER;
    },
  });
  told.finish = () => told.engine.send({ id: told.fetch, ok: { ...INFO, bytes: bytes.length, complete: true } });
  told.fail = (error) => told.engine.send({ id: told.fetch, error });
  told.give = async () => {
    while (waiting.length === 0) await new Promise((asked) => (told.asked = asked));
    waiting.shift()();
  };
  told.waiting = waiting;
  return told;
}

test('a file is read in order, and the next piece is asked for when the last one was taken', async (t) => {
  const bytes = pattern(SIZE);
  const told = source(t, bytes);
  const progress = [];
  const file = await told.files.fetch(`warren:${CID}?name=Meer%20%26%20K%C3%BCste.jpg`, { onProgress: (step) => progress.push(step) });
  assert.deepEqual([file.cid, file.size, file.name], [CID, SIZE, 'Meer & Küste.jpg']);
  assert.equal(file.link, `warren:${CID}?name=Meer%20%26%20K%C3%BCste.jpg`);
  assert.deepEqual(progress, [{ bytes: 0, size: SIZE, sources: 0, paused: false }]);
  const reader = file.stream().getReader();
  const come = [];
  for (let piece = 0; piece < 3; piece += 1) {
    const read = reader.read();
    await told.give();
    come.push((await read).value);
    assert.equal(told.waiting.length, 0, 'nothing is read ahead');
  }
  assert.equal((await reader.read()).done, true);
  assert.ok(together(come).equals(bytes));

  const whole = file.blob('image/jpeg');
  for (let piece = 0; piece < 3; piece += 1) await told.give();
  const blob = await whole;
  assert.equal(blob.type, 'image/jpeg');
  assert.ok(Buffer.from(await blob.arrayBuffer()).equals(bytes));
  told.finish();
  assert.equal(await file.complete(), undefined);
});

test('text is text, and an empty file has none', async (t) => {
  const words = new TextEncoder().encode('grüße');
  const told = source(t, words);
  const text = (await told.files.fetch(CID)).text();
  await told.give();
  assert.equal(await text, 'grüße');
  const empty = source(t, new Uint8Array());
  assert.equal(await (await empty.files.fetch(CID)).text(), '');
  assert.equal(empty.waiting.length, 0);
});

test('what does not come is said: at once, or to those who read', async (t) => {
  const nobody = scripted(t, {
    fetch: () => {
      throw thrown('NOT_FOUND');
    },
  });
  await assert.rejects(nobody.files.fetch(CID), { code: 'NOT_FOUND' });
  await assert.rejects(nobody.files.fetch(7), { code: 'INVALID_ARGUMENT' });

  const told = source(t, pattern(SIZE));
  const file = await told.files.fetch(CID);
  const text = file.text();
  await told.give();
  told.fail(thrown('NOT_FOUND'));
  // The engine lets go of whoever waits for a piece.
  const { id } = await told.engine.saw(({ params }) => params?.place === 1);
  told.engine.send({ id, error: thrown('CANCELLED') });
  await assert.rejects(text, { code: 'NOT_FOUND' });
  await assert.rejects(file.complete(), { code: 'NOT_FOUND' });

  const reason = new Error('not wanted');
  const stop = new AbortController();
  const other = source(t, pattern(SIZE));
  await other.files.fetch(CID, { signal: stop.signal });
  stop.abort(reason);
  await other.engine.saw(({ cancel }) => cancel === other.fetch);
});

test('how far a file is says which pieces are there, and it rests and goes on when it is told to', async (t) => {
  const told = source(t, pattern(SIZE));
  const orders = [];
  Object.assign(told.answers, { pause: ({ id }) => (orders.push(['pause', id]), null), resume: ({ id }) => (orders.push(['resume', id]), null) });
  const progress = [];
  const file = await told.files.fetch(CID, { onProgress: (step) => progress.push(step) });
  await file.pause();
  told.engine.send({ id: told.fetch, item: { ...INFO, bytes: PIECE, sources: 2, pieces: [0, 100, 0], paused: true } });
  await file.resume();
  assert.deepEqual(orders, [
    ['pause', CID],
    ['resume', CID],
  ]);
  assert.deepEqual(progress.at(-1), { bytes: PIECE, size: SIZE, sources: 2, pieces: [0, 100, 0], paused: true });
});

test('the address of a page leads to a file as a link does', async (t) => {
  for (const page of ['http://127.0.0.1:8080/', 'https://example.org/a/page?q=1']) {
    const file = await source(t, new Uint8Array()).files.fetch(`${page}#/f/${CID}?name=Red%20sea.film`);
    assert.deepEqual([file.cid, file.name], [CID, 'Red sea.film']);
  }
});

test('what a link calls a file leads nowhere', async (t) => {
  const told = source(t, new Uint8Array());
  for (const name of ['..', 'a%2Fb', '%5C', '%00', '%zz', '']) {
    const file = await told.files.fetch(`warren:${CID}?name=${name}`);
    assert.equal(file.name, undefined, name);
  }
});

test('files are listed, removed and found', async (t) => {
  const found = [
    [{ cid: 'a', name: 'red', media: '', tags: ['x'], size: 1, words: 2, authors: 1, holders: ['p'] }],
    [
      { cid: 'b', name: 'red house', media: 'image/png', tags: [], size: 2, words: 2, authors: 1, holders: ['p', 'q'] },
      { cid: 'c', name: 'house', media: '', tags: [], size: 3, words: 1, authors: 2, holders: ['q'] },
    ],
  ];
  const { files, calls } = scripted(t, {
    list: () => [{ ...INFO, name: 'n', bytes: SIZE, complete: true }],
    remove: ({ id }) => id === CID,
    search: (_, id, engine) => {
      for (const item of found) engine.send({ id, item });
      return null;
    },
  });
  assert.deepEqual(await files.list(), [
    { kind: 'file', cid: CID, link: `warren:${CID}?name=n`, name: 'n', size: SIZE, tags: [], bytes: SIZE, sources: 0, paused: false, complete: true },
  ]);
  assert.equal(await files.remove(`warren:${CID}?name=n`), true);
  assert.equal(await files.remove('other'), false);
  const seen = [];
  for await (const file of files.search('red house')) seen.push(file);
  assert.deepEqual(
    seen.map(({ cid, link, media }) => [cid, link, media]),
    [
      ['a', 'warren:a?name=red', undefined],
      ['b', 'warren:b?name=red%20house', 'image/png'],
      ['c', 'warren:c?name=house', undefined],
    ],
  );
  assert.deepEqual(seen[1].holders, ['p', 'q']);
  assert.deepEqual(calls().at(-1), { files: 'search', text: 'red house' });
});

test('where files are is told, and why they are in memory', async (t) => {
  const room = { durable: false, used: 5, most: 10, reason: 'no disk' };
  const { files, calls } = scripted(t, { storage: () => room });
  assert.deepEqual(await files.storage(), { kind: 'memory', used: 5, quota: 10, persisted: false, reason: 'no disk' });
  assert.deepEqual(calls(), [{ files: 'storage' }]);
});

test('without workers or an identity that stays files have no place, and nobody looks for some', async () => {
  const urls = { wasm: undefined, worker: undefined };
  for (const [ephemeral, reason] of [
    [true, /identity/],
    [false, /private file system/],
  ]) {
    const places = new FilePlaces(ephemeral, urls);
    await assert.rejects(places.open('net-author'), reason);
    assert.equal(await places.some(), false);
    places.end();
  }
});

test('only names that were given are those of kept files', () => {
  assert.deepEqual(['1.data', '20.beside'].map(numberOf), [1, 20]);
  for (const name of ['0.data', '01.data', '1.date', '1.data.tmp', 'x1.data', '.data', '']) assert.equal(numberOf(name), undefined, name);
});
