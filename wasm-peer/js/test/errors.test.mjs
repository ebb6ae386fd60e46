import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from './support.mjs';

const { WarrenError, isWarrenError } = await load('errors.ts');
const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');

test('the codes are those of the engine, and one that only JavaScript can see', () => {
  const engine = [...read('../../../shared/src/error.rs').matchAll(/^\s+\w+ "([A-Z_]+)" \d+ /gm)].map(([, code]) => code);
  const union = read('../src/errors.ts').match(/export type ErrorCode =([^;]+);/)[1];
  const here = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code);
  assert.ok(engine.length > 20);
  assert.deepEqual(here.toSorted(), [...engine, 'ENGINE_LOAD_FAILED'].toSorted());
});

test('an error survives JSON with what a reader needs', () => {
  const error = new WarrenError('TOO_LARGE', 'm', { remedy: 'r', cause: new Error('inner') });
  assert.deepEqual(JSON.parse(JSON.stringify(error)), {
    code: 'TOO_LARGE', message: 'm', remedy: 'r', retryable: false, cause: 'inner',
  });
});

test('facts of an error are typed here, and texts on the way', () => {
  const details = { holder: 'k51', until: '1000', answered: 'a, b', wanted: '3', position: '2', character: 'x', why: 'w' };
  const error = WarrenError.fromWire({ code: 'NAME_TAKEN', message: 'm', details });
  assert.deepEqual(error.details, {
    holder: 'k51', until: new Date(1000), answered: ['a', 'b'], wanted: 3, position: 2, character: 'x', why: 'w',
  });
  assert.deepEqual(error.toJSON().details, details);
  assert.deepEqual(WarrenError.fromWire({ code: 'NO_QUORUM', message: 'm', details: { answered: '' } }).details.answered, []);
});

test('errors of another copy of the package are recognised', () => {
  const foreign = Object.assign(new Error('m'), { name: 'WarrenError', code: 'CLOSED', remedy: '' });
  assert.ok(isWarrenError(foreign));
  assert.ok(!isWarrenError(new Error('m')));
  assert.ok(!isWarrenError({ name: 'WarrenError', code: 'CLOSED', remedy: '' }));
});
