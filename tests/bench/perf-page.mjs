// js-libp2p in a page, measuring connections with /perf/1.0.0. Stock settings.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { webRTC, webRTCDirect } from '@libp2p/webrtc';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const PIECE = 64 * 1024;
const PERF = '/perf/1.0.0';
const LOOK = 50;
let node;

/** A peer that others reach where it listens; there it answers measurements, too. Answers with such an address. */
window.create = async (listen = []) => {
  node = await createLibp2p({
    addresses: { listen },
    transports: [webRTC(), webRTCDirect(), webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  });
  await node.handle(PERF, answer);
  const reachable = () => node.getMultiaddrs().map(String).find((address) => address.split('/').includes('webrtc'));
  while (listen.length > 0 && !reachable()) await new Promise((again) => setTimeout(again, LOOK));
  return reachable();
};

/** Milliseconds until a ping over a new connection is answered. */
window.dial = async (address, patience = 60_000) => {
  const target = multiaddr(address);
  const signal = AbortSignal.timeout(patience);
  const began = performance.now();
  await node.dial(target, { signal });
  await node.services.ping.ping(target, { signal });
  return performance.now() - began;
};

window.hangUp = (address) => node.hangUp(multiaddr(address));

/** As the protocol says: how much is wanted back, then as much as is sent, then what was wanted. */
window.perf = async (address, upload, download) => {
  const stream = await node.dialProtocol(multiaddr(address), PERF);
  const wanted = new DataView(new ArrayBuffer(8));
  wanted.setBigUint64(0, BigInt(download));
  let answered;
  const receive = (async () => {
    let received = 0;
    for await (const chunk of stream) {
      answered ??= performance.now();
      received += chunk.byteLength;
    }
    if (received !== download) throw new Error(`${received} of ${download} bytes came`);
  })();
  const began = performance.now();
  stream.send(new Uint8Array(wanted.buffer));
  await fill(stream, upload);
  await stream.close();
  await receive;
  const ended = performance.now();
  return { sendingMs: (answered ?? ended) - began, receivingMs: ended - (answered ?? ended) };
};

async function fill(stream, bytes) {
  const piece = new Uint8Array(PIECE);
  for (let left = bytes; left > 0; left -= PIECE) {
    if (!stream.send(left < PIECE ? piece.subarray(0, left) : piece)) await drained(stream);
  }
}

/** What `onDrain()` promises is true the first time only; whoever believes it gives the stream everything at once. */
function drained(stream) {
  return new Promise((resolve, reject) => {
    stream.addEventListener('drain', resolve, { once: true });
    stream.addEventListener('close', () => reject(new Error('the stream was closed before everything was sent')), { once: true });
  });
}

async function answer(stream) {
  try {
    const head = new Uint8Array(8);
    let arrived = 0;
    for await (const chunk of stream) {
      if (arrived < head.length) head.set(chunk.subarray(0, head.length - arrived), arrived);
      arrived += chunk.byteLength;
    }
    await fill(stream, Number(new DataView(head.buffer).getBigUint64(0)));
    await stream.close();
  } catch (error) {
    stream.abort(error);
  }
}

window.ready = true;
