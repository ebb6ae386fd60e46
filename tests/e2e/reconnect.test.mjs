// Relays die and come back; tabs come back by themselves, or notice nothing when there are two.

import assert from 'node:assert/strict';
import { LONG, scenario, tell } from './harness.mjs';

const ROUNDS = LONG ? 20 : 3;
/** The promise is 5 s on a quiet machine; a test on a busy one only insists that it happens. */
const PATIENCE_MS = 30_000;

scenario(
  `comes back after kill -9 of the only relay, ${ROUNDS} times`,
  async (scene, t) => {
    const relay = await scene.relay();
    const tab = await (await scene.tab(relay)).reserved();
    const id = await tab.id();
    const seconds = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await relay.kill();
      const killed = performance.now();
      await tab.state('lost', PATIENCE_MS);
      const noticed = ((performance.now() - killed) / 1000).toFixed(2);
      await relay.restart();
      const ready = performance.now();
      await tab.reserved(PATIENCE_MS);
      seconds.push((performance.now() - ready) / 1000);
      tell(t, `round ${round + 1}: noticed after ${noticed} s, back ${seconds.at(-1).toFixed(2)} s after the relay was ready`);
    }
    tell(t, `slowest ${Math.max(...seconds).toFixed(2)} s, goal 5 s`);
    assert.equal(await tab.id(), id);
    const key = await tab.peer(async (peer) => (await peer.dht.put('back')).key);
    assert.equal(await tab.peer(async (peer, key) => (await peer.dht.get(key)).value, key), 'back');
  },
  { timeout: 30_000 + ROUNDS * 2 * PATIENCE_MS },
);

scenario('after a relay came back the tab is again found by its peer id', async (scene) => {
  const relay = await scene.relay();
  const [a, b] = await Promise.all([scene.tab(relay), scene.tab(relay)]);
  await Promise.all([a.reserved(), b.reserved()]);
  await relay.kill();
  await Promise.all([a.state('lost'), b.state('lost')]);
  await relay.restart();
  await Promise.all([a.reserved(), b.reserved()]);
  const id = await b.id();
  await a.untilFound(id);
  const ms = await a.peer(async (peer, id) => (await peer.ping(id)).ms, id);
  assert.ok(ms >= 0);
});

scenario('two relays, one killed: the tab notices nothing but an event', async (scene) => {
  const first = await scene.relay();
  const second = await scene.relay({ args: ['--join', first.url] });
  assert.equal(second.ready.network, first.ready.network);
  const tab = await scene.joinedTab(first);
  await tab.until((snapshot) => snapshot.relays.filter((relay) => relay.state === 'connected' && relay.reserved).length === 2);
  const key = await tab.peer(async (peer) => (await peer.dht.put('kept twice')).key);
  await tab.record('state', 'relay');
  await first.kill();
  await tab.page.waitForFunction(
    (id) => window.recorded.some((event) => event.name === 'relay' && event.detail.id === id && event.detail.state !== 'connected'),
    first.id,
  );
  const read = await tab.peer(async (peer, key) => ({ value: (await peer.dht.get(key)).value, state: peer.state }), key);
  assert.deepEqual(read, { value: 'kept twice', state: 'joined' });
  const stored = await tab.peer(async (peer) => (await peer.dht.put('by the other')).stored);
  assert.ok(stored >= 1);
  assert.deepEqual(await tab.events('state'), []);
});

scenario('a relay that says goodbye is missed at once, and found again', async (scene) => {
  const relay = await scene.relay();
  const tab = await (await scene.tab(relay)).reserved();
  await tab.record('state');
  await relay.stop();
  await tab.state('lost');
  const [lost] = await tab.events('state');
  assert.equal(lost.detail.previous, 'joined');
  await relay.restart();
  await tab.reserved();
});

scenario('a tab opened while its relay is away joins when the relay comes', async (scene) => {
  const relay = await scene.relay();
  const other = await scene.relay();
  const tab = await scene.joinedTab(other);
  await relay.kill();
  await tab.page.evaluate(async (join) => {
    window.late = await window.warren.createPeer({ join, identity: 'memory' });
  }, relay.url);
  assert.equal(await tab.page.evaluate(() => window.late.state), 'joining');
  const error = await tab.page.evaluate(() =>
    window.late.joined({ timeoutMs: 1_000 }).catch(({ code, message }) => ({ code, message })),
  );
  assert.equal(error.code, 'TIMED_OUT');
  await relay.restart();
  await tab.page.waitForFunction(() => window.late.state === 'joined');
});
