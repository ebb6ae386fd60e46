import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './support.mjs';

const { createPeer } = await load('create.ts');
const { claim } = await load('claim.ts');
const { openIdentity } = await load('identity.ts');
const { openKeepsakes } = await load('keepsakes.ts');
const { createHost, prefetchJoin } = await load('host.ts');

test('mistakes in the options are told before anything is loaded', async () => {
  await assert.rejects(createPeer(), { code: 'INVALID_ARGUMENT', remedy: /join/ });
  await assert.rejects(createPeer({ join: 'relay' }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(createPeer({ join: 'ftp://relay' }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(createPeer({ join: [], transports: ['tcp'] }), { code: 'INVALID_ARGUMENT', message: /tcp/ });
  await assert.rejects(createPeer({ join: [], transports: [] }), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(createPeer({ join: [], signal: AbortSignal.abort(new Error('no')) }), /no/);
});

test('an engine that cannot be loaded says so', async () => {
  const loading = createPeer({ join: [], wasmUrl: 'file:///does/not/exist.wasm' });
  await assert.rejects(loading, { code: 'ENGINE_LOAD_FAILED', remedy: /./ });
});

test('without Web Locks the first tab gets the stored identity and the second one does not', async () => {
  const first = await claim('test:identity');
  assert.ok(first);
  assert.equal(await claim('test:identity'), undefined);
  first();
  const third = await claim('test:identity');
  assert.ok(third);
  third();
});

test('of two tabs that ask at the same time exactly one wins', async () => {
  const claims = await Promise.all([claim('test:race'), claim('test:race')]);
  assert.equal(claims.filter(Boolean).length, 1);
  claims.find(Boolean)();
});

test('without storage the identity is in memory, and a new one every time', async () => {
  const first = await openIdentity('persistent');
  const second = await openIdentity('memory');
  assert.deepEqual(first.info, { ephemeral: true, reason: 'no-storage' });
  assert.deepEqual(second.info, { ephemeral: true, reason: 'requested' });
  assert.equal(first.transportSeed.length, 32);
  assert.notDeepEqual(first.transportSeed, second.transportSeed);
  assert.notDeepEqual(first.transportSeed, first.authorSeed);
});

test('a join document is fetched before the engine asks, and used once', async (t) => {
  let answers = 0;
  t.mock.method(globalThis, 'fetch', async () => new Response(`answer ${++answers}`));
  const host = createHost(prefetchJoin(['http://relay'], 1000), openKeepsakes(true));
  const url = 'http://relay/.well-known/warren.json';
  assert.equal(answers, 1);
  assert.equal(await host.fetchText(url, 1000), 'answer 1');
  assert.equal(await host.fetchText(url, 1000), 'answer 2');
});

test('a relay that answers nonsense is named in the error', async (t) => {
  const host = createHost(new Map(), openKeepsakes(true));
  t.mock.method(globalThis, 'fetch', async () => new Response('', { status: 503 }));
  await assert.rejects(host.fetchText('http://relay/x', 1000), { code: 'JOIN_FAILED', message: /http:\/\/relay\/x.*503/ });
  t.mock.method(globalThis, 'fetch', async () => new Response('x'.repeat(300_000)));
  await assert.rejects(host.fetchText('http://relay/x', 1000), { code: 'JOIN_FAILED', message: /too long/ });
});
