// Helia in a page: unixfs over bitswap, with the transports of js-libp2p. Stock settings: blocks are in memory.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { webRTC } from '@libp2p/webrtc';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { withBitswap } from '@helia/bitswap';
import { withLibp2pLight } from '@helia/libp2p';
import { unixfs } from '@helia/unixfs';
import { multiaddr } from '@multiformats/multiaddr';
import { createHeliaLight } from 'helia';
import { CID } from 'multiformats/cid';
import { randomPieces, sumOf } from './sums.mjs';

const LOOK = 50;
let helia;
let parts;

/** A node that others reach where it listens; resolves when they do. */
window.create = async ({ listen = [] } = {}) => {
  const libp2p = {
    addresses: { listen },
    transports: [webRTC(), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Local addresses are refused by default in browsers.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  };
  helia = await withBitswap(withLibp2pLight(createHeliaLight(), libp2p)).start();
  while (listen.length > 0 && !reachable()) await new Promise((again) => setTimeout(again, LOOK));
};

function reachable() {
  return helia.libp2p.getMultiaddrs().map(String).find((address) => address.split('/').includes('webrtc'));
}

/** Adds so many random bytes: how others get them, and their checksum. */
window.give = async ({ size }) => {
  const pieces = [...randomPieces(size)];
  const cid = await unixfs(helia).addByteStream(pieces);
  return { what: { cid: cid.toString(), address: reachable() }, sum: await sumOf(pieces) };
};

/** Milliseconds until it was connected, and until all of it was there: blocks come in any order, and `cat` waits for the first. */
window.take = async ({ address, cid }) => {
  const began = performance.now();
  await helia.libp2p.dial(multiaddr(address), { signal: AbortSignal.timeout(30_000) });
  const first = performance.now() - began;
  parts = [];
  for await (const part of unixfs(helia).cat(CID.parse(cid))) parts.push(part);
  return { first, ms: performance.now() - began };
};

window.sum = () => sumOf(parts);

window.ready = true;
