// The stock browser transport in a page, measuring WebRTC-direct with /perf/1.0.0. `stock-page` is what wasm-bindgen made.

import init, { Peer } from 'stock-page';

let peer;

// Its data channels fire events at handlers that are gone. Nothing is lost by that.
window.addEventListener('error', (event) => {
  if (event.message.includes('closure invoked recursively or after being dropped')) event.preventDefault();
});

window.create = async () => {
  await init({ module_or_path: '/stock.wasm' });
  peer = new Peer();
};

/** Milliseconds until a ping over a new connection is answered. */
window.dial = (address) => peer.dial(address);

/** As the protocol says: how much is wanted back, then as much as is sent, then what was wanted. */
window.perf = (address, upload, download) => peer.perf(address, upload, download);

window.ready = true;
