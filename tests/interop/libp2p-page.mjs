// The page of the interop tests: `window.start(options)` makes `window.peer`.

import './with-resolvers.mjs';
import { JsPeer } from './libp2p.mjs';

window.start = async (options) => {
  window.peer = await JsPeer.start(options);
  return window.peer.id;
};
