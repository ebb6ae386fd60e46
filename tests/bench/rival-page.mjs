// The js-libp2p peer that the bench loads in a page: what an application with chat needs, its stock settings.
// Bundled by esbuild. Reads what to do from the page and leaves the outcome in `window.answered`.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { gossipsub } from '@libp2p/gossipsub';
import { identify } from '@libp2p/identify';
import { kadDHT } from '@libp2p/kad-dht';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { webRTC, webRTCDirect } from '@libp2p/webrtc';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const { relay, protocol } = JSON.parse(document.getElementById('task').textContent);

window.answered = run();

/** Milliseconds from the start of the page load to each step. */
async function run() {
  const node = await createLibp2p({
    transports: [webRTC(), webRTCDirect(), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Local addresses are refused by default in browsers.
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub(),
      dht: kadDHT({ protocol, clientMode: true, peerInfoMapper: (peer) => peer }),
    },
  });
  const started = performance.now();
  await node.dial(multiaddr(relay));
  const connected = performance.now();
  await firstAnswer(node);
  return { started, connected, answered: performance.now() };
}

/** Ends with the first answer of another peer to a query, which is less than a verified value. */
async function firstAnswer(node) {
  const key = crypto.getRandomValues(new Uint8Array(32));
  for await (const event of node.services.dht.getClosestPeers(key)) {
    if (event.name === 'PEER_RESPONSE') return;
  }
  throw new Error('the query ended without an answer');
}
