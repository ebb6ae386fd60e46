// Two pages talk to each other: over a relay at first, and then without.

import assert from 'node:assert/strict';
import { LONG, scenario } from './harness.mjs';

/** Chromium as it will be: a page may not rewrite its own session description. */
const NO_MUNGING = { browserArguments: ['--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/'] };

const isDirect = (snapshot, id) => {
  const ways = snapshot.connections.filter(({ peer }) => peer === id).map(({ transport }) => transport);
  return ways.length === 1 && ways[0] === 'webrtc';
};
const connect = (tab, id) => tab.peer((peer, id) => peer.connect(id), id);
const ping = (tab, id) => tab.peer((peer, id) => peer.ping(id), id);
const call = (tab, id) => tab.peer((peer, id) => peer.call(id, 'warren.ping'), id);

async function pair(scene, query) {
  const relay = await scene.relay();
  const tabs = await Promise.all([scene.tab(relay, { query }), scene.tab(relay, { query })]);
  await Promise.all(tabs.map((tab) => tab.reserved()));
  const ids = await Promise.all(tabs.map((tab) => tab.id()));
  await tabs[0].untilFound(ids[1]);
  return { relay, tabs, ids };
}

for (const [where, options] of Object.entries({ 'as it is': {}, 'that forbids munging': NO_MUNGING })) {
  scenario(
    `two tabs connect directly and stay connected without the relay, in a browser ${where}`,
    async (scene) => {
      const { relay, tabs, ids } = await pair(scene);
      const [a, b] = tabs;
      await a.record('upgrade', 'connection');
      await connect(a, ids[1]);
      await Promise.all([a.until(isDirect, ids[1]), b.until(isDirect, ids[0])]);
      const opened = (await a.events('connection')).filter(({ detail }) => detail.change === 'open');
      assert.deepEqual(opened.map(({ detail }) => detail.transport), ['circuit', 'webrtc']);
      await relay.kill();
      await a.state('lost');
      assert.ok((await ping(a, ids[1])).ms < 30_000);
      assert.ok(await call(a, ids[1]));
      assert.ok(await call(b, ids[0]));
    },
    options,
  );
}

const ROUNDS = LONG ? 100 : 3;

scenario(
  'when both dial at once, exactly one connection comes of it',
  async (scene) => {
    const { tabs, ids } = await pair(scene);
    const [a, b] = tabs;
    const gone = (snapshot, id) => !snapshot.connections.some(({ peer }) => peer === id);
    await b.untilFound(ids[0]);
    for (let round = 0; round < ROUNDS; round += 1) {
      await Promise.all([connect(a, ids[1]), connect(b, ids[0])]);
      await Promise.all([a.until(isDirect, ids[1]), b.until(isDirect, ids[0])]);
      assert.ok(await call(a, ids[1]));
      await a.peer((peer, id) => peer.disconnect(id), ids[1]);
      await Promise.all([a.until(gone, ids[1]), b.until(gone, ids[0])]);
    }
  },
  { timeout: 60_000 + ROUNDS * 10_000 },
);

scenario('who shows its address to relays only stays behind them, and the other one is told', async (scene) => {
  const relay = await scene.relay();
  const [a, b] = await Promise.all([scene.tab(relay), scene.tab(relay)]);
  await Promise.all([a.reserved(), b.reserved()]);
  const id = await b.page.evaluate(async () => {
    window.shy = await window.warren.another({ relayOnly: true });
    await window.shy.joined();
    return window.shy.id;
  });
  await a.untilFound(id);
  await a.record('upgrade');
  await connect(a, id);
  const { detail } = await a.nextEvent('upgrade');
  assert.equal(detail.peer, id);
  assert.equal(detail.state, 'kept');
  assert.ok(detail.retryAt > Date.now() - 30_000, JSON.stringify(detail));
  assert.ok((await ping(a, id)).ms >= 0);
  const [way] = (await a.snapshot()).connections.filter(({ peer }) => peer === id);
  assert.equal(way.transport, 'circuit');
  const [known] = await a.peer((peer, id) => peer.connections.filter((link) => link.peer === id), id);
  for (const { kept } of [way, known]) {
    assert.ok(kept.reason, 'it is said why');
    assert.ok(kept.retryAt >= detail.retryAt, JSON.stringify(kept));
  }
});

const MANY = LONG ? 30 : 6;
/** More than one connection carries at a time: the rest waits for its turn. */
const AT_ONCE = 50;

scenario(
  'many peers of one page reach a tab directly, and thousands of streams go over one connection',
  async (scene) => {
    const relay = await scene.relay();
    const [hub, page] = await Promise.all([scene.tab(relay), scene.tab(relay)]);
    await hub.reserved();
    const id = await hub.id();
    await page.untilFound(id);
    const connected = await page.page.evaluate(
      async ({ id, many }) => {
        const peers = await Promise.all(Array.from({ length: many }, () => window.warren.another({})));
        await Promise.all(peers.map((peer) => peer.joined()));
        // One after the other: a relay opens ten circuits to one peer at a time, and refuses more.
        for (const peer of peers) await peer.connect(id);
        const direct = (peer) => peer.connections.some((link) => link.peer === id && link.transport === 'webrtc');
        const late = performance.now() + 60_000;
        while (!peers.every(direct) && performance.now() < late) await new Promise((again) => setTimeout(again, 100));
        window.crowd = peers;
        // What is there in place of a direct connection.
        return peers.map((peer) => direct(peer) || peer.connections.filter((link) => link.peer === id));
      },
      { id, many: MANY },
    );
    assert.deepEqual(connected, Array(MANY).fill(true));
    const answered = await page.page.evaluate(
      async ({ id, streams, AT_ONCE }) => {
        const [peer] = window.crowd;
        let answered = 0;
        for (let done = 0; done < streams; done += AT_ONCE) {
          const calls = Array.from({ length: Math.min(AT_ONCE, streams - done) }, () => peer.call(id, 'warren.ping'));
          answered += (await Promise.all(calls)).length;
        }
        return answered;
      },
      { id, streams: LONG ? 3_000 : 500, AT_ONCE },
    );
    assert.equal(answered, LONG ? 3_000 : 500);
    const crowd = await page.page.evaluate(() => window.crowd.map((peer) => peer.id));
    const exactly = ({ connections }, crowd) => {
      const direct = connections.filter(({ transport }) => transport === 'webrtc').map(({ peer }) => peer);
      return direct.length === crowd.length && crowd.every((id) => direct.includes(id));
    };
    await hub.until(exactly, crowd);
  },
  { timeout: 180_000 },
);
