// WebRTC-direct in the browser: both versions, many dials, and remotes that go without a word.

import assert from 'node:assert/strict';
import { jsServer } from './js-server.mjs';
import { LONG, failure, scenario, tell } from './harness.mjs';

/** Chromium as it will be: a page may not rewrite its own session description. */
const NO_MUNGING = { browserArguments: ['--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/'] };
/** More than the peer connections that Chromium gives a tab in its life, unless the old ones are collected. */
const DIALS = LONG ? 600 : 40;

/** A visitor whose page writes down what its peer connections do. They are not kept by that. */
async function watchedTab(scene, relay, transports) {
  const context = await scene.visitor();
  await context.addInitScript(() => {
    const calls = [];
    const alive = new Set();
    window.webrtc = { calls, alive };
    const version = (sdp) => /libp2p\+webrtc\+(v\d)/.exec(sdp)?.[1];
    window.RTCPeerConnection = class extends RTCPeerConnection {
      #number = calls.push(undefined) - 1;
      constructor(...options) {
        super(...options);
        alive.add(this.#number);
      }
      setRemoteDescription(description) {
        calls[this.#number] = version(description.sdp);
        return super.setRemoteDescription(description);
      }
      close() {
        alive.delete(this.#number);
        super.close();
      }
    };
  });
  return scene.joinedTab(relay, { context, query: { transports } });
}

const callsOf = (tab) => tab.page.evaluate(() => window.webrtc.calls);
const aliveIn = (tab) => tab.page.evaluate(() => window.webrtc.alive.size);
const isConnected = (snapshot, id) => snapshot.connections.some(({ peer }) => peer === id);
const isGone = (snapshot, id) => !snapshot.connections.some(({ peer }) => peer === id);

async function storesAndReads(tab) {
  const key = await tab.peer(async (peer) => (await peer.dht.put('by data channel')).key);
  assert.equal(await tab.peer(async (peer, key) => (await peer.dht.get(key)).value, key), 'by data channel');
}

for (const [where, options] of Object.entries({ 'as it is': {}, 'that forbids munging': NO_MUNGING })) {
  scenario(
    `joins by version 2 in a browser ${where}`,
    async (scene) => {
      const relay = await scene.relay();
      const tab = await (await watchedTab(scene, relay, 'webrtc-direct')).reserved();
      const calls = await callsOf(tab);
      assert.ok(calls.length > 0 && calls.every((version) => version === 'v2'), calls.join());
      await storesAndReads(tab);
    },
    options,
  );
}

/** Runs `work` beside a js-libp2p server. */
async function withJsServer(work) {
  const server = await jsServer();
  try {
    await work(server);
  } finally {
    await server.kill();
  }
}

const connect = (tab, server) => tab.peer((peer, address) => peer.connect(address), server.addresses[0]);
const disconnect = (tab, server) => tab.peer((peer, id) => peer.disconnect(id), server.id);

scenario('a server that knows only version 1 is found out once, and then called right', (scene) =>
  withJsServer(async (server) => {
    const relay = await scene.relay();
    const tab = await watchedTab(scene, relay, 'websocket,webrtc-direct');
    const before = (await callsOf(tab)).length;
    assert.deepEqual(await connect(tab, server), { id: server.id });
    await tab.until(isConnected, server.id);
    await disconnect(tab, server);
    await tab.until(isGone, server.id);
    await connect(tab, server);
    assert.deepEqual((await callsOf(tab)).slice(before), ['v2', 'v1', 'v1']);
  }),
);

scenario(
  'a browser that forbids munging says so about a server that knows only version 1',
  (scene) =>
    withJsServer(async (server) => {
      const tab = await watchedTab(scene, await scene.relay(), 'websocket,webrtc-direct');
      const error = await failure(connect(tab, server));
      assert.equal(error.code, 'DIAL_FAILED');
      const cause = await tab.peer(
        (peer, address) => peer.connect(address).catch((error) => String(error.cause ?? error.message)),
        server.addresses[0],
      );
      assert.match(cause, /version 1.*update the server, or use WebSocket/i);
    }),
  NO_MUNGING,
);

scenario('a remote that is gone without a word is missed, and its connection closed', (scene, t) =>
  withJsServer(async (server) => {
    // No relay of ours at the other end: nothing but the transport itself can notice.
    const tab = await watchedTab(scene, await scene.relay(), 'websocket,webrtc-direct');
    await connect(tab, server);
    await tab.until(isConnected, server.id);
    const before = await aliveIn(tab);
    await server.kill();
    const killed = performance.now();
    await tab.until(isGone, server.id);
    tell(t, `noticed after ${((performance.now() - killed) / 1000).toFixed(2)} s, goal 10 s`);
    assert.equal(await aliveIn(tab), before - 1);
  }),
);

scenario(
  `${DIALS} dials of one tab`,
  (scene, t) =>
    withJsServer(async (server) => {
      const tab = await watchedTab(scene, await scene.relay(), 'websocket,webrtc-direct');
      await connect(tab, server);
      await tab.until(isConnected, server.id);
      const alive = await aliveIn(tab);
      const started = performance.now();
      for (let dial = 1; dial < DIALS; dial += 1) {
        await disconnect(tab, server);
        await tab.until(isGone, server.id);
        await connect(tab, server);
        await tab.until(isConnected, server.id);
      }
      tell(t, `${((performance.now() - started) / DIALS).toFixed(0)} ms each`);
      assert.ok((await callsOf(tab)).length >= DIALS);
      assert.equal(await aliveIn(tab), alive);
    }),
  { timeout: 60_000 + DIALS * 2_000 },
);
