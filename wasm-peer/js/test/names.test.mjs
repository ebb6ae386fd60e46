import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load } from './support.mjs';

const { Peer } = await load('peer.ts');
const { Solver } = await load('solver.ts');

const HELD = { name: 'alice.p2p', owner: 'hex', generation: 1, expires: 1000, liveUntil: null, zone: null, seq: 0 };

/** Spells by lower case alone, and solves a puzzle at the number that equals its bits. */
function fakeModule() {
  const glue = { search: (_, bits, from, tries) => (from + tries > 2 ** bits ? from + tries : -1) };
  return {
    load: async () => ({ glue, compiled: undefined }),
    canonical: async (text) => ({ name: `xn--${text.length}.p2p`, shown: text }),
    entry: async (text) => `xn--${text.length}`,
  };
}

function start(t, name) {
  const calls = [];
  const engine = new FakeEngine(name ? { name: (params) => (calls.push(params), name(params)) } : {});
  const module = fakeModule();
  const solver = new Solver(module);
  const peer = new Peer(engine.port, { ephemeral: false }, () => {}, { module, solver });
  t.after(() => engine.shut());
  return { names: peer.names, calls, solver, engine };
}

test('ASCII goes to the engine as it was typed, anything else is spelled first', async (t) => {
  const { names, calls } = start(t, () => HELD);
  const held = await names.renew('Alice');
  assert.deepEqual(held, { name: 'alice.p2p', generation: 1, seq: 0, expires: new Date(1000) });
  const alias = { type: 'alias', name: 'käse' };
  await names.update('bücher', { entries: [{ sub: 'ä', resources: [alias] }, { sub: '', resources: [] }] });
  assert.deepEqual([calls[0].name, calls[1].name], ['Alice', 'xn--6.p2p']);
  assert.deepEqual(JSON.parse(calls[1].text).entries, [
    { sub: 'xn--1', resources: [{ type: 'alias', name: 'xn--4.p2p' }] },
    { sub: '', resources: [] },
  ]);
});

test('what is no text, or no zone, is said before the engine is asked', async (t) => {
  const { names, calls } = start(t, () => HELD);
  await assert.rejects(names.resolve(7), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(names.update('alice', {}), { code: 'INVALID_ARGUMENT', remedy: /entries/ });
  assert.deepEqual(calls, []);
});

test('progress has the stage from the engine and the work from the solver', async (t) => {
  const seed = new Uint8Array([1, 255]);
  const { names, solver, engine } = start(t);
  const steps = [];
  const claim = names.claim('alice', {
    onProgress: (step) => (steps.push(step), step.tried > 8192 && solver.stop(seed)),
  });
  const { id } = await engine.saw(({ method }) => method === 'name');
  engine.send({ id, item: { stage: 'asking' } });
  engine.send({ id, item: { stage: 'working', puzzle: '01ff', bits: 50 } });
  while (steps.length < 2) await new Promise((later) => setTimeout(later));
  await assert.rejects(solver.solve(seed, 50), { name: 'AbortError' });
  engine.send({ id, ok: HELD });
  await claim;
  assert.deepEqual(steps.slice(0, 2), [{ stage: 'asking' }, { stage: 'working', tried: 0, expected: 2 ** 50 }]);
  assert.ok(steps.at(-1).tried > 8192);
});

test('where no worker can be made, a puzzle is solved here', async () => {
  assert.ok((await new Solver(fakeModule()).solve(new Uint8Array(32), 8)) > 0);
});
