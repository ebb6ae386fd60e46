// The npm package in an otherwise empty page, measuring connections with /perf/1.0.0. Stock settings.

import { createPeer } from 'warren-p2p';

const { home } = JSON.parse(document.getElementById('task').textContent);
const wasmUrl = new URL('/warren.wasm', location.href);
const appsWasmUrl = new URL('/apps.wasm', location.href);
const LOOK = 50;
let peer;

/** A peer that is at home with a relay, and so at rest. Answers with its id. */
window.create = async (options = {}) => {
  peer = await createPeer({ join: home, identity: 'memory', wasmUrl, appsWasmUrl, ...options });
  await peer.joined();
  await until(() => peer.relays.some(({ reserved }) => reserved));
  return peer.id;
};

async function until(holds) {
  while (!(await holds())) await new Promise((again) => setTimeout(again, LOOK));
}

/** Milliseconds until a ping over a new connection is answered. */
window.dial = async (address) => {
  const began = performance.now();
  const { id } = await peer.connect(address);
  await peer.ping(id);
  return performance.now() - began;
};

/** Resolves when another peer can be found by its id. */
window.untilFound = (id) =>
  until(async () => {
    const info = await peer.findPeer(id).catch(({ code }) => code);
    return info.addresses?.length > 0;
  });

/** The same with another page: by whatever way there is first, and then by the direct one. */
window.meet = async (id) => {
  const direct = new Promise((resolve) => {
    const isDirect = ({ detail }) => detail.peer === id && detail.change === 'open' && detail.transport === 'webrtc';
    peer.addEventListener('connection', (event) => isDirect(event) && resolve());
  });
  const began = performance.now();
  await peer.connect(id);
  await peer.ping(id);
  const usable = performance.now() - began;
  await direct;
  await peer.ping(id);
  return { usable, direct: performance.now() - began };
};

/** A peer dials the relays of its network by itself once it has met them: the next dial is that of a new peer. */
window.hangUp = async () => {
  await peer.close();
  await window.create();
};

window.perf = (address, upload, download) => peer.measure(address.split('/').at(-1), { upload, download });

window.peer = () => peer;
window.ready = true;
