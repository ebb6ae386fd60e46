// node bench/gossip-nodes.mjs RELAYS PEERS: nodes of js-libp2p with gossipsub in one process, in one topic. The
// relays are connected to each other, each peer to one of them. Stock settings.
//
// Prints a line when everybody is there. Then it answers `talk N MS` on standard input as `bench-native chat` does:
// {"took": [milliseconds], "lost": count}.

import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import '../interop/with-resolvers.mjs';

const names = ['libp2p', '@libp2p/gossipsub', '@libp2p/identify', '@libp2p/noise', '@libp2p/tcp', '@libp2p/yamux'];
const [{ createLibp2p }, { gossipsub }, { identify }, { noise }, { tcp }, { yamux }] = await Promise.all(
  names.map((name) => import(name)),
);

const TOPIC = 'bench';
const PATIENCE = 10_000;
const LOOK_AGAIN = 100;
/** Heartbeats until meshes have settled. */
const SETTLING = 5_000;

const [relayCount, peerCount] = process.argv.slice(2).map(Number);
const relays = [];
const peers = [];
/** For the message that is under way: whom it reached, and when. */
let waiting = null;

async function start(listen) {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // All come from one address.
    connectionManager: { inboundConnectionThreshold: Infinity, maxIncomingPendingConnections: 1_000 },
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), pubsub: gossipsub() },
  });
  node.services.pubsub.subscribe(TOPIC);
  return node;
}

for (let number = 0; number < relayCount; number += 1) {
  const relay = await start(['/ip4/127.0.0.1/tcp/0']);
  for (const other of relays) await relay.dial(other.getMultiaddrs());
  relays.push(relay);
}
for (let number = 0; number < peerCount; number += 1) {
  const peer = await start([]);
  await peer.dial(relays[number % relays.length].getMultiaddrs());
  peer.services.pubsub.addEventListener('message', ({ detail }) => waiting?.heard(number, detail.data));
  peers.push(peer);
}
while (peers.some((peer) => peer.services.pubsub.getSubscribers(TOPIC).length === 0)) await sleep(LOOK_AGAIN);
await sleep(SETTLING);
process.stdout.write(`${JSON.stringify({ ready: peers.length })}\n`);

let said = 0;
for await (const line of createInterface(process.stdin)) {
  const [does, count, pace] = line.split(' ');
  if (does !== 'talk') throw new Error(`no such command: ${line}`);
  const took = [];
  let lost = 0;
  for (let number = 0; number < Number(count); number += 1) {
    const next = sleep(Number(pace));
    const times = await deliver();
    took.push(...times);
    lost += peers.length - 1 - times.length;
    await next;
  }
  process.stdout.write(`${JSON.stringify({ took, lost })}\n`);
}
process.exit();

/** One message by the next peer: how long it took to each of the others. */
async function deliver() {
  const speaker = said % peers.length;
  said += 1;
  const text = `message ${said}: ${'x'.repeat(64)}`;
  const times = [];
  const { promise: all, resolve } = Promise.withResolvers();
  waiting = {
    heard(number, data) {
      if (number === speaker || new TextDecoder().decode(data) !== text) return;
      times.push(performance.now() - began);
      if (times.length === peers.length - 1) resolve();
    },
  };
  const began = performance.now();
  await peers[speaker].services.pubsub.publish(TOPIC, new TextEncoder().encode(text));
  await Promise.race([all, sleep(PATIENCE, null, { ref: false })]);
  waiting = null;
  return times;
}
