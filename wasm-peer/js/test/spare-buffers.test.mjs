// What is handed over to a worker, and comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './support.mjs';

const { SpareBuffers } = await load('spare-buffers.ts');
const KIB = 1024;
const filled = (length, value) => new Uint8Array(length).fill(value);

test('a buffer that came back is used for the next bytes of its size, and only for them', () => {
  const spare = new SpareBuffers();
  const first = spare.copy(filled(257 * KIB, 1));
  spare.back(first.buffer);
  const larger = spare.copy(filled(400 * KIB, 2));
  assert.notEqual(larger.buffer, first.buffer);
  const second = spare.copy(filled(260 * KIB, 3));
  assert.equal(second.buffer, first.buffer);
  assert.deepEqual(second, filled(260 * KIB, 3), 'neither more bytes nor old ones');
  assert.notEqual(spare.copy(filled(260 * KIB, 4)).buffer, first.buffer, 'it is away again');
});

test('what is copied does not change with the original, however small', () => {
  const spare = new SpareBuffers();
  for (const length of [0, 10, 100 * KIB]) {
    const original = filled(length, 7);
    const copy = spare.copy(original);
    original.fill(8);
    assert.deepEqual(copy, filled(length, 7));
  }
});

test('a few buffers wait, and no small ones', () => {
  const spare = new SpareBuffers();
  const away = Array.from({ length: 40 }, () => spare.copy(filled(64 * KIB, 1)).buffer);
  for (const buffer of [new ArrayBuffer(10), ...away]) spare.back(buffer);
  const again = away.map(() => spare.copy(filled(64 * KIB, 2)).buffer);
  assert.equal(again.filter((buffer) => away.includes(buffer)).length, 16);
});

test('buffers of sizes that nobody wants any more make room', () => {
  const spare = new SpareBuffers();
  for (let count = 0; count < 16; count += 1) spare.back(new ArrayBuffer(128 * KIB));
  const wanted = spare.copy(filled(257 * KIB, 1)).buffer;
  spare.back(wanted);
  assert.equal(spare.copy(filled(257 * KIB, 2)).buffer, wanted);
});
