// Peers find each other by id and by namespace, and know who they are.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { scenario } from './harness.mjs';

scenario('A finds B by peer id alone and pings it through the relay', async (scene) => {
  const relay = await scene.relay();
  const [a, b] = await Promise.all([scene.tab(relay), scene.tab(relay)]);
  await Promise.all([a.reserved(), b.reserved()]);
  const id = await b.id();
  const info = await a.untilFound(id);
  assert.equal(info.id, id);
  assert.deepEqual(info.relays, [relay.id]);
  assert.equal(info.author, await b.peer((peer) => peer.author));
  const { connected, ms } = await a.peer(
    async (peer, id) => ({ connected: await peer.connect(id), ms: (await peer.ping(id)).ms }),
    id,
  );
  assert.equal(connected.id, id);
  assert.ok(ms >= 0 && ms < 30_000, `${ms} ms`);
  const reply = await a.peer((peer, id) => peer.call(id, 'warren.ping'), id);
  assert.notEqual(reply, undefined);
  await a.until((snapshot, id) => snapshot.connections.some((connection) => connection.peer === id), id);
});

scenario('members of a namespace find each other, until they stop', async (scene) => {
  const relay = await scene.relay();
  const [a, b, c] = await Promise.all([scene.tab(relay), scene.tab(relay), scene.tab(relay)]);
  await Promise.all([a, b, c].map((tab) => tab.reserved()));
  await Promise.all(
    [a, b].map((tab) => tab.peer(async (peer) => void (window.announced = await peer.provide('warren-test')))),
  );
  const members = () =>
    c.peer(async (peer) => {
      const found = [];
      for await (const { id } of peer.find('warren-test')) found.push(id);
      return found.sort();
    });
  assert.deepEqual(await members(), [await a.id(), await b.id()].sort());
  const limited = await c.peer(async (peer) => {
    const found = [];
    for await (const { id } of peer.find('warren-test', { limit: 1 })) found.push(id);
    return found.length;
  });
  assert.equal(limited, 1);
  await a.page.evaluate(() => window.announced.stop());
  assert.deepEqual(await members(), [await b.id()]);
});

scenario('a second tab of one visitor has an identity of its own, and says so', async (scene) => {
  const relay = await scene.relay();
  const context = await scene.visitor();
  const first = await scene.joinedTab(relay, { context });
  const second = await scene.joinedTab(relay, { context });
  assert.notEqual(await first.id(), await second.id());
  assert.deepEqual(await first.peer((peer) => peer.identity), { ephemeral: false });
  assert.deepEqual(await second.peer((peer) => peer.identity), { ephemeral: true, reason: 'another-tab' });
  assert.match(await second.page.getByTestId('notices').innerText(), /another tab/i);
  const key = await first.peer(async (peer) => (await peer.dht.put('to my twin')).key);
  assert.equal(await second.peer(async (peer, key) => (await peer.dht.get(key)).value, key), 'to my twin');
});

scenario('the same peer after a reload, and another one for another visitor', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  const who = () => tab.peer(({ id, author }) => ({ id, author }));
  const before = await who();
  await tab.page.reload();
  await tab.started();
  await tab.joined();
  assert.deepEqual(await who(), before);
  const stranger = await scene.joinedTab(relay);
  assert.notEqual(await stranger.id(), before.id);
});

scenario('goes offline with the browser when no connection lives, and is back with it', async (scene) => {
  const relay = await scene.relay();
  const tab = await (await scene.tab(relay)).reserved();
  const context = tab.page.context();
  await context.setOffline(true);
  await relay.kill();
  await tab.state('offline');
  await relay.restart();
  await context.setOffline(false);
  await tab.reserved();
  const key = await tab.peer(async (peer) => (await peer.dht.put('online')).key);
  assert.equal(await tab.peer(async (peer, key) => (await peer.dht.get(key)).value, key), 'online');
});

/** An address of this machine that browsers do not trust like localhost. */
const plainAddress = Object.values(networkInterfaces())
  .flat()
  .find((address) => address.family === 'IPv4' && !address.internal)?.address;

scenario(
  'a page over plain http from an IP address joins and says what is missing',
  async (scene) => {
    const relay = await scene.relay({ http: `${plainAddress}:0`, udp: `${plainAddress}:0` });
    const tab = await scene.joinedTab(relay);
    assert.equal(await tab.page.evaluate(() => window.isSecureContext), false);
    assert.match(await tab.page.getByTestId('notices').innerText(), /plain http/i);
    const key = await tab.peer(async (peer) => (await peer.dht.put('insecure')).key);
    assert.equal(await tab.peer(async (peer, key) => (await peer.dht.get(key)).value, key), 'insecure');
  },
  { skip: plainAddress ? undefined : 'this machine has loopback addresses only' },
);

scenario('a closed peer says CLOSED and gives its identity to the next tab', async (scene) => {
  const relay = await scene.relay();
  const context = await scene.visitor();
  const first = await scene.joinedTab(relay, { context });
  const id = await first.id();
  const code = await first.peer(async (peer) => {
    await peer.close();
    return peer.dht.put('too late').catch((error) => error.code);
  });
  assert.equal(code, 'CLOSED');
  const second = await scene.joinedTab(relay, { context });
  assert.equal(await second.id(), id);
});
