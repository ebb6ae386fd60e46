// The npm package in an otherwise empty page, measuring WebRTC-direct with /perf/1.0.0. Stock settings.

import { createPeer } from 'warren-p2p';

const { home } = JSON.parse(document.getElementById('task').textContent);
let peer;

/** A peer that is at home with a relay, and so at rest. */
window.create = async () => {
  peer = await createPeer({ join: home, identity: 'memory', wasmUrl: new URL('/warren.wasm', location.href) });
  await peer.joined();
  while (!peer.relays.some(({ reserved }) => reserved)) await new Promise((again) => setTimeout(again, 50));
};

/** Milliseconds until a ping over a new connection is answered. */
window.dial = async (address) => {
  const began = performance.now();
  const { id } = await peer.connect(address);
  await peer.ping(id);
  return performance.now() - began;
};

/** A peer dials the relays of its network by itself once it has met them: the next dial is that of a new peer. */
window.hangUp = async () => {
  await peer.close();
  await window.create();
};

window.perf = (address, upload, download) => peer.measure(address.split('/').at(-1), { upload, download });

window.ready = true;
