// A tab gets in over each transport, alone and together, and over TLS.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { scenario, tell, temporaryFolder } from './harness.mjs';
import { pagesOnlyProxy } from './proxy.mjs';

const transportsOf = (snapshot) => [
  ...new Set(snapshot.connections.filter(({ relayed }) => !relayed).map(({ transport }) => transport)),
];
const attemptsOf = (snapshot) => snapshot.relays.flatMap((relay) => relay.attempts);

async function storesAndReads(tab) {
  const key = await tab.peer(async (peer) => (await peer.dht.put({ burrow: 7 })).key);
  const value = await tab.peer(async (peer, key) => (await peer.dht.get(key)).value, key);
  assert.deepEqual(value, { burrow: 7 });
}

scenario('joins with both transports offered, and is told the network of the relay', async (scene, t) => {
  const relay = await scene.relay();
  const tab = await (await scene.tab(relay)).reserved();
  const snapshot = await tab.snapshot();
  assert.equal(snapshot.network, relay.ready.network);
  assert.equal(snapshot.relays[0].id, relay.id);
  assert.equal(snapshot.relays[0].reserved, true);
  const attempts = attemptsOf(snapshot);
  assert.deepEqual(new Set(attempts.map((attempt) => attempt.transport)), new Set(['webrtc-direct', 'websocket']));
  assert.ok(attempts.some((attempt) => attempt.state === 'connected'), JSON.stringify(attempts));
  tell(t, `won by ${transportsOf(snapshot).join(', ')}`);
  await storesAndReads(tab);
});

scenario('joins by WebRTC-direct alone', async (scene) => {
  const relay = await scene.relay();
  const tab = await (await scene.tab(relay, { query: { transports: 'webrtc-direct' } })).reserved();
  assert.deepEqual(transportsOf(await tab.snapshot()), ['webrtc-direct']);
  await storesAndReads(tab);
});

scenario('joins by WebRTC-direct when TCP gets the page through and nothing else', async (scene) => {
  const relay = await scene.relay();
  const proxy = await pagesOnlyProxy();
  try {
    const context = await scene.visitor({ proxy: proxy.settings });
    const tab = await (await scene.tab(relay, { context })).reserved();
    assert.deepEqual(transportsOf(await tab.snapshot()), ['webrtc-direct']);
    await storesAndReads(tab);
    assert.ok(proxy.refused() > 0, 'the WebSocket was tried');
  } finally {
    proxy.close();
  }
});

scenario('joins by WebSocket alone', async (scene) => {
  const relay = await scene.relay();
  const tab = await (await scene.tab(relay, { query: { transports: 'websocket' } })).reserved();
  assert.deepEqual(transportsOf(await tab.snapshot()), ['websocket']);
  await storesAndReads(tab);
});

scenario('joins by WebSocket when the relay has no UDP', async (scene) => {
  const relay = await scene.relay({ udp: 'off', quic: 'off' });
  assert.deepEqual(relay.addresses('webrtc-direct'), []);
  const tab = await (await scene.tab(relay)).reserved();
  assert.deepEqual(transportsOf(await tab.snapshot()), ['websocket']);
  await storesAndReads(tab);
});

scenario('joins a relay that is given by multiaddr only', async (scene) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  const network = await tab.page.evaluate(
    async ({ bootstrap }) => {
      const peer = await window.warren.createPeer({ bootstrap, join: [], identity: 'memory' });
      await peer.joined({ timeoutMs: 20_000 });
      const { network } = peer;
      await peer.close();
      return network;
    },
    { bootstrap: [...relay.addresses('webrtc-direct'), ...relay.addresses('ws')].map((address) => withId(address, relay.id)) },
  );
  assert.equal(network, relay.ready.network);
});

function withId(address, id) {
  return address.includes('/p2p/') ? address : `${address}/p2p/${id}`;
}

scenario(
  'joins over TLS: page, join document and WebSocket on one https port',
  async (scene) => {
    const folder = temporaryFolder();
    try {
      const { cert, key } = selfSigned(folder.path);
      const relay = await scene.relay({ args: ['--tls-cert', cert, '--tls-key', key] });
      assert.match(relay.url, /^https:/);
      const tab = await (await scene.tab(relay, { query: { transports: 'websocket' } })).reserved();
      const snapshot = await tab.snapshot();
      assert.deepEqual(transportsOf(snapshot), ['websocket']);
      assert.match(snapshot.connections[0].address, /\/(tls\/ws|wss)/);
      await storesAndReads(tab);
    } finally {
      folder.remove();
    }
  },
  { browserArguments: ['--ignore-certificate-errors'] },
);

function selfSigned(folder) {
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const command = ['req', '-x509', ...curve, '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject];
  execFileSync('openssl', command, { stdio: 'ignore' });
  return { cert, key };
}
