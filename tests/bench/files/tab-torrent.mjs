// WebTorrent in a page, as its package has been built for browsers. Nothing but the tracker and the web seed that it is told
// of is asked, so that it waits for nobody who does not exist here.

import MemoryStore from 'memory-chunk-store';
import WebTorrent from 'webtorrent/dist/webtorrent.min.js';
import { randomPieces, sumOf } from './sums.mjs';

const NAME = 'original';
let client;
let taken;
let failed;

/** `peers`: whether it asks trackers for peers. */
window.create = ({ peers = true } = {}) => {
  const tracker = peers && { rtcConfig: { iceServers: [] } };
  client = new WebTorrent({ dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, tracker });
  failed = new Promise((_, reject) => client.on('error', reject));
  failed.catch(() => {});
};

/** Seeds so many random bytes, kept where it keeps them by itself: the torrent, and their checksum. */
window.give = async ({ size, tracker }) => {
  const file = new File([...randomPieces(size)], NAME);
  const seeded = new Promise((resolve) => client.seed(file, { announce: [tracker], name: NAME }, resolve));
  const torrent = await Promise.race([seeded, failed]);
  // The tracker may have answered before this could listen.
  torrent.discovery.tracker.update();
  await Promise.race([new Promise((resolve) => torrent.once('trackerAnnounce', resolve)), failed]);
  return { what: base64(torrent.torrentFile), sum: await sumOf(file.stream()) };
};

/** Milliseconds until the first bytes had come, and until all of it was there. `memory`: where it keeps it. */
window.take = async ({ torrent, tracker, webSeed, memory = false }) => {
  const began = performance.now();
  const sources = { announce: tracker ? [tracker] : [], urlList: webSeed ? [webSeed] : [] };
  taken = client.add(bytesOf(torrent), { ...sources, ...(memory && { store: MemoryStore }) });
  let first = 0;
  taken.once('download', () => (first = performance.now() - began));
  const done = new Promise((resolve, reject) => {
    taken.once('done', resolve);
    taken.once('error', reject);
  });
  await Promise.race([done, failed]);
  return { first, ms: performance.now() - began };
};

window.sum = () => sumOf(taken.files[0].stream());

function base64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

window.ready = true;
