// Nodes of js-libp2p with kad-dht in one process: forked by kad-network.mjs, which asks them by messages
// {id, does, ...} and gets {id, answer} or {id, error}. Stock settings but for what one machine needs.

import { setTimeout as sleep } from 'node:timers/promises';
import '../interop/with-resolvers.mjs';

const names = ['libp2p', '@libp2p/tcp', '@libp2p/noise', '@libp2p/yamux', '@libp2p/identify', '@libp2p/ping'];
const [{ createLibp2p }, { tcp }, { noise }, { yamux }, { identify }, { ping }] = await Promise.all(
  names.map((name) => import(name)),
);
const { kadDHT } = await import('@libp2p/kad-dht');
const { multiaddr } = await import('@multiformats/multiaddr');

const LOOK_AGAIN = 100;
/** A routing table is asked to fill itself after so many looks, and nobody waits for it after so many. */
const REFRESH = 50;
const PATIENCE = 1_200;
/** Half of all nodes share one process: handshakes wait for each other longer than between machines. */
const HANDSHAKE = 120_000;
const nodes = new Map();

const deeds = {
  async start({ name, listen, announce, known }) {
    const node = await createLibp2p({
      addresses: { listen: [listen], announce: [announce] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: {
        // All come from one address.
        inboundConnectionThreshold: Infinity,
        maxIncomingPendingConnections: 1_000,
        dialTimeout: HANDSHAKE,
        addressDialTimeout: HANDSHAKE,
        inboundUpgradeTimeout: HANDSHAKE,
        inboundStreamProtocolNegotiationTimeout: HANDSHAKE,
        outboundStreamProtocolNegotiationTimeout: HANDSHAKE,
      },
      // Everybody is connected to everybody here: a ping of each connection every ten seconds is all a core can do.
      connectionMonitor: { enabled: false },
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify(), ping: ping(), dht: dht() },
    });
    nodes.set(name, node);
    for (const address of known) await node.dial(multiaddr(address));
    return String(node.peerId);
  },

  async settled({ name, enough }) {
    const { dht } = nodes.get(name).services;
    for (let looks = 1; dht.routingTable.size < enough; looks += 1) {
      if (looks % REFRESH === 0) dht.refreshRoutingTable().catch(() => {});
      if (looks > PATIENCE) throw new Error(`a routing table has ${dht.routingTable.size} of ${enough} entries`);
      await sleep(LOOK_AGAIN);
    }
  },

  put: ({ name, key, value }) => nodes.get(name).contentRouting.put(bytes(key), bytes(value)),

  /** Milliseconds until the value was there; nothing when it was not found. */
  async get({ name, key, value }) {
    const began = performance.now();
    try {
      const found = await nodes.get(name).contentRouting.get(bytes(key));
      return new TextDecoder().decode(found) === value ? performance.now() - began : null;
    } catch (error) {
      process.stderr.write(`${key} was not found: ${error.message}\n`);
      return null;
    }
  },
};

function dht() {
  return kadDHT({
    protocol: '/bench/kad/1.0.0',
    clientMode: false,
    peerInfoMapper: (peer) => peer,
    validators: { bench: async () => {} },
    selectors: { bench: () => 0 },
  });
}

function bytes(text) {
  return new TextEncoder().encode(text);
}

process.on('message', async ({ id, does, ...more }) => {
  try {
    process.send({ id, answer: await deeds[does](more) });
  } catch (error) {
    process.send({ id, error: error.stack ?? String(error) });
  }
});
process.on('disconnect', () => process.exit());
process.send({ id: 0 });
