// Values: what one tab stores another reads, what is refused and why, and what survives a crash.

import assert from 'node:assert/strict';
import { failure, scenario } from './harness.mjs';

const LIMIT = 8 * 1024;

scenario('what tab A stores tab B reads: JSON and bytes, by hash and by label', async (scene) => {
  const relay = await scene.relay();
  const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
  const stored = await a.peer(async (peer) => ({
    json: await peer.dht.put({ text: 'grüße', list: [1, 2.5, null] }),
    bytes: await peer.dht.put(new Uint8Array([0, 255, 1])),
    first: await peer.dht.set('profile', 'one'),
    second: await peer.dht.set('profile', 'two'),
  }));
  assert.equal(stored.first.key, stored.second.key);
  assert.ok(stored.second.seq > stored.first.seq);
  const read = await b.peer(async (peer, stored) => {
    const bytes = (await peer.dht.get(stored.bytes.key)).value;
    return {
      json: (await peer.dht.get(stored.json.key)).value,
      bytes: bytes instanceof Uint8Array && [...bytes],
      profile: await peer.dht.get(stored.second.key),
    };
  }, stored);
  assert.deepEqual(read.json, { text: 'grüße', list: [1, 2.5, null] });
  assert.deepEqual(read.bytes, [0, 255, 1]);
  assert.equal(read.profile.value, 'two');
  assert.equal(read.profile.kind, 'record');
  assert.equal(read.profile.label, 'profile');
  assert.equal(read.profile.author, await a.peer((peer) => peer.author));
});

scenario('the largest value fits, one byte more is TOO_LARGE', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  const put = (size) => tab.peer(async (peer, size) => (await peer.dht.put(new Uint8Array(size))).key, size);
  const key = await put(LIMIT);
  assert.equal(await tab.peer(async (peer, key) => (await peer.dht.get(key)).value.length, key), LIMIT);
  const error = await failure(put(LIMIT + 1));
  assert.equal(error.code, 'TOO_LARGE');
  assert.notEqual(error.remedy, '');
});

scenario('a value that nobody has is NOT_FOUND, what is no key is INVALID_KEY', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  const get = (key) => tab.peer((peer, key) => peer.dht.get(key), key);
  const key = await tab.peer(async (peer) => (await peer.dht.put('here')).key);
  for (const bad of ['', 'nonsense', key.slice(0, -3), `${key}a`]) {
    assert.equal((await failure(get(bad))).code, 'INVALID_KEY', bad);
  }
  const missing = `${key.slice(0, -8)}${key.slice(-8) === 'aaaaaaaa' ? 'eeeeeeee' : 'aaaaaaaa'}`;
  const error = await failure(get(missing));
  assert.equal(error.code, 'NOT_FOUND');
  assert.equal(error.name, 'WarrenError');
});

scenario('an aborted call rejects with the reason of its signal, and the next one works', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  const outcome = await tab.peer(async (peer) => {
    const reason = new Error('no longer wanted');
    const abort = new AbortController();
    const running = peer.dht.put('given up', { signal: abort.signal }).catch((error) => error);
    abort.abort(reason);
    const during = (await running) === reason;
    const before = (await peer.dht.get('x', { signal: AbortSignal.abort(reason) }).catch((error) => error)) === reason;
    const { key } = await peer.dht.put('wanted');
    return { during, before, after: (await peer.dht.get(key)).value };
  });
  assert.deepEqual(outcome, { during: true, before: true, after: 'wanted' });
});

scenario('a value acknowledged before kill -9 of the only relay is read after its restart', async (scene) => {
  const relay = await scene.relay();
  const writer = await scene.joinedTab(relay);
  const keys = await writer.peer(async (peer) => {
    const puts = Array.from({ length: 8 }, (_, n) => peer.dht.put({ n }));
    return (await Promise.all(puts)).map(({ key }) => key);
  });
  await relay.kill();
  // Nobody who still holds the values in memory may help.
  await writer.page.context().close();
  await relay.restart();
  const reader = await scene.joinedTab(relay);
  const values = await reader.peer(
    (peer, keys) => Promise.all(keys.map(async (key) => (await peer.dht.get(key)).value.n)),
    keys,
  );
  assert.deepEqual(values, [0, 1, 2, 3, 4, 5, 6, 7]);
});
