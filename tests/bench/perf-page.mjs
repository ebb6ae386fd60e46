// js-libp2p in a page, measuring WebRTC-direct with /perf/1.0.0. Stock settings.

import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { webRTCDirect } from '@libp2p/webrtc';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

const PIECE = 64 * 1024;
let node;

window.create = async () => {
  node = await createLibp2p({
    transports: [webRTCDirect()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  });
};

/** Milliseconds until a ping over a new connection is answered. */
window.dial = async (address) => {
  const target = multiaddr(address);
  const began = performance.now();
  await node.dial(target);
  await node.services.ping.ping(target);
  return performance.now() - began;
};

window.hangUp = (address) => node.hangUp(multiaddr(address));

/** As the protocol says: how much is wanted back, then as much as is sent, then what was wanted. */
window.perf = async (address, upload, download) => {
  const stream = await node.dialProtocol(multiaddr(address), '/perf/1.0.0');
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
  const piece = new Uint8Array(PIECE);
  for (let left = upload; left > 0; left -= PIECE) {
    if (!stream.send(left < PIECE ? piece.subarray(0, left) : piece)) await stream.onDrain();
  }
  await stream.close();
  await receive;
  const ended = performance.now();
  return { sendingMs: (answered ?? ended) - began, receivingMs: ended - (answered ?? ended) };
};

window.ready = true;
