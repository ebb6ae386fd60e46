// The npm package in an otherwise empty page, fetching and sharing files. Stock settings: they are kept on disk.

import { createPeer } from 'warren-p2p';
import { randomPieces, sumOf } from './sums.mjs';

const { home, peer: options } = JSON.parse(document.getElementById('task').textContent);
const at = (path) => new URL(path, location.href);
const LOOK = 50;
let peer;
let taken;

/** A peer that is at home with a relay, and so at rest. */
window.create = async () => {
  const urls = { wasmUrl: at('/warren.wasm'), appsWasmUrl: at('/apps.wasm'), storeWasmUrl: at('/store.wasm'), filesWorkerUrl: at('/files-worker.js') };
  peer = await createPeer({ join: home, ...urls, ...options });
  await peer.joined();
  while (!peer.relays.some(({ reserved }) => reserved)) await new Promise((again) => setTimeout(again, LOOK));
  const { kind, reason } = await peer.files.storage();
  if (kind !== 'disk') throw new Error(`files are in memory: ${reason}`);
};

/** Shares so many random bytes: how others get them, and their checksum. */
window.give = async (size) => {
  const blob = new Blob([...randomPieces(size)]);
  const { link } = await peer.files.share(blob, { name: 'original' });
  return { what: link, sum: await sumOf(blob.stream()) };
};

/** Milliseconds until the size was proven, and until all of it was there. */
window.take = async (link) => {
  const began = performance.now();
  taken = await peer.files.fetch(link);
  const first = performance.now() - began;
  await taken.complete();
  return { first, ms: performance.now() - began };
};

window.sum = () => sumOf(taken.stream());

window.ready = true;
