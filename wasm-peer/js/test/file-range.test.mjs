// Some bytes of a file: what may be asked for, what is told of it, and what is read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, LATER, load } from './support.mjs';

const { Files } = await load('files.ts');
const { RpcPort } = await load('rpc-port.ts');
const { asked, within, partsOf } = await load('file-range.ts');

const PIECE = 256 * 1024;
const CID = 'bafkr4icid';
const INFO = { cid: CID, name: '', media: '', tags: [], bytes: 0, sources: 1, complete: false, paused: false };
const pattern = (size) => Uint8Array.from({ length: size }, (_, at) => (at * 31) % 253);

/** An engine that has a file, and tells of a range what a real one tells. */
function source(t, bytes) {
  const places = [];
  const engine = new FakeEngine({
    files: (params, { id, engine }) => {
      if (params.files === 'read') {
        places.push(params.place);
        return bytes.slice(params.place * PIECE, (params.place + 1) * PIECE);
      }
      const ranged = params.limit !== undefined;
      const range = { start: params.place, end: Math.min(params.limit, bytes.length), bytes: 0, pieces: [0, 50] };
      const info = { ...INFO, size: bytes.length, pieces: [0, 0, 0, 0] };
      engine.send({ id, item: ranged ? { ...info, range } : info });
      engine.send({ id, ok: ranged ? { ...info, range: { ...range, bytes: range.end - range.start, pieces: undefined } } : info });
      return LATER;
    },
  });
  t.after(() => engine.shut());
  const params = () => engine.received.filter(({ method, params }) => method === 'files' && params.files === 'fetch').map(({ params }) => params);
  return { files: new Files(new RpcPort(engine.port, () => {})), places, params };
}

test('a range has two ends in their order', () => {
  assert.deepEqual(asked({}), { start: 0, end: Number.MAX_SAFE_INTEGER });
  assert.deepEqual(asked({ start: 5, end: 5 }), { start: 5, end: 5 });
  for (const range of [{ start: 2, end: 1 }, { start: -1 }, { end: 0.5 }, { start: NaN }, { end: '7' }, { end: Infinity }]) {
    assert.throws(() => asked(range), { code: 'INVALID_ARGUMENT' }, JSON.stringify(range));
  }
});

test('only what was fetched is read', () => {
  const fetched = { start: 10, end: 90 };
  for (const [range, found] of [
    [{}, { start: 10, end: 90 }],
    [{ start: 20 }, { start: 20, end: 90 }],
    [{ end: 11 }, { start: 10, end: 11 }],
  ]) {
    assert.deepEqual(within(range, fetched, 100), found);
  }
  assert.deepEqual(within({ start: 95, end: 1000 }, { start: 0, end: 100 }, 100), { start: 95, end: 100 });
  for (const range of [{ start: 9 }, { end: 91 }, { start: 95 }, { start: 50, end: 20 }]) {
    assert.throws(() => within(range, fetched, 100), { code: 'INVALID_ARGUMENT' }, JSON.stringify(range));
  }
});

test('a range is made of parts of pieces', () => {
  for (const [start, end, parts] of [
    [0, 0, []],
    [PIECE, PIECE, []],
    [0, 1, [[0, 0, 1]]],
    [PIECE - 1, PIECE + 1, [[0, PIECE - 1, PIECE], [1, 0, 1]]],
    [PIECE, 3 * PIECE, [[1, 0, PIECE], [2, 0, PIECE]]],
    [2 * PIECE + 7, 2 * PIECE + 9, [[2, 7, 9]]],
  ]) {
    assert.deepEqual([...partsOf({ start, end })].map(({ place, from, to }) => [place, from, to]), parts, `${start} to ${end}`);
  }
});

test('of a range no other piece is read, and its progress is that of the range', async (t) => {
  const bytes = pattern(3 * PIECE + 5);
  const { files, places, params } = source(t, bytes);
  const progress = [];
  const span = { start: PIECE - 3, end: 2 * PIECE - 1 };
  const file = await files.fetch(CID, { range: span, onProgress: (step) => progress.push(step) });
  assert.deepEqual([file.size, file.range], [bytes.length, span]);
  await file.complete();
  assert.deepEqual(params(), [{ files: 'fetch', id: CID, text: '{}', place: span.start, limit: span.end }]);
  assert.deepEqual(progress, [
    { bytes: 0, size: PIECE + 2, sources: 1, pieces: [0, 50], paused: false },
    { bytes: PIECE + 2, size: PIECE + 2, sources: 1, paused: false },
  ]);
  const blob = await file.blob({ type: 'image/png' });
  assert.equal(blob.type, 'image/png');
  assert.ok(Buffer.from(await blob.arrayBuffer()).equals(bytes.subarray(span.start, span.end)));
  assert.deepEqual(places, [0, 1]);
  assert.throws(() => file.stream({ start: 0 }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(file.text({ end: bytes.length }), { code: 'INVALID_ARGUMENT' });
});

test('of a whole file some can be read, and an end behind that of the file is its end', async (t) => {
  const bytes = pattern(2 * PIECE + 5);
  const { files, places } = source(t, bytes);
  const file = await files.fetch(CID);
  assert.deepEqual(file.range, { start: 0, end: bytes.length });
  const come = [];
  for await (const part of file.stream({ start: 2 * PIECE + 1, end: 3 * PIECE })) come.push(part);
  assert.ok(Buffer.concat(come).equals(bytes.subarray(2 * PIECE + 1)));
  assert.deepEqual(places, [2]);
  assert.equal((await file.blob({ end: 7 })).size, 7);
  assert.equal((await file.blob('x/y')).size, bytes.length);

  const words = source(t, new TextEncoder().encode('one two'));
  assert.equal(await (await words.files.fetch(CID, { range: { start: 4, end: 99 } })).text(), 'two');
  await assert.rejects(files.fetch(CID, { range: { start: 7, end: 3 } }), { code: 'INVALID_ARGUMENT' });
});
