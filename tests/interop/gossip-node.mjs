// node interop/gossip-node.mjs ADDRESS TOPIC [HEX]: js-libp2p with its own gossipsub joins a topic at one node. It prints every packet that it hears,
// as a line of hex; with HEX it publishes that packet as soon as it has heard one, and says so. Knows nothing of Warren.

import './with-resolvers.mjs';

const { gossipsub } = await import('@libp2p/gossipsub');
const { identify } = await import('@libp2p/identify');
const { noise } = await import('@libp2p/noise');
const { tcp } = await import('@libp2p/tcp');
const { yamux } = await import('@libp2p/yamux');
const { multiaddr } = await import('@multiformats/multiaddr');
const { createLibp2p } = await import('libp2p');

const [address, topic, packet] = process.argv.slice(2);
const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), pubsub: gossipsub({ globalSignaturePolicy: 'StrictNoSign' }) },
});
const { pubsub } = node.services;
const say = (line) => process.stdout.write(`${line}\n`);
// Whoever hears something is heard, too: streams go both ways by then.
let waiting = packet;
pubsub.addEventListener('message', async ({ detail }) => {
  say(Buffer.from(detail.data).toString('hex'));
  if (waiting === undefined) return;
  const data = Buffer.from(waiting, 'hex');
  waiting = undefined;
  await pubsub.publish(topic, data);
  say('published');
});
pubsub.subscribe(topic);
await node.dial(multiaddr(address));
say('connected');
