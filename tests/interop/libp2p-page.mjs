// The page of the interop tests: `window.start(options)` makes `window.peer`.

import { JsPeer } from './libp2p.mjs';

// Debian's and Node's engines may be older than what js-libp2p asks for.
Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
};

window.start = async (options) => {
  window.peer = await JsPeer.start(options);
  return window.peer.id;
};
