// What helia and js-libp2p take for granted, and Node may be too old for. To be imported before them.

import workers from 'node:worker_threads';
import zlib from 'node:zlib';
import '../../interop/with-resolvers.mjs';

// Both are looked at when their HTTP client is loaded, and not used here.
workers.markAsUncloneable ??= function markAsUncloneable() {};
zlib.createZstdDecompress ??= function createZstdDecompress() {
  throw new Error('this Node knows no Zstandard');
};
