// node interop/libp2p-relay.mjs: a relay of js-libp2p, with its stock limits, at a WebSocket of this machine. It prints its address as JSON.

import './with-resolvers.mjs';

const { circuitRelayServer } = await import('@libp2p/circuit-relay-v2');
const { identify } = await import('@libp2p/identify');
const { noise } = await import('@libp2p/noise');
const { ping } = await import('@libp2p/ping');
const { webSockets } = await import('@libp2p/websockets');
const { yamux } = await import('@libp2p/yamux');
const { createLibp2p } = await import('libp2p');

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping(), relay: circuitRelayServer() },
});
console.log(JSON.stringify({ address: node.getMultiaddrs().map(String)[0] }));
