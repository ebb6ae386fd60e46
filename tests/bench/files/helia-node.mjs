// node files/helia-node.mjs PATH
// Helia outside of a browser: has a file and gives it to whoever asks over bitswap, on a WebSocket. Says where, and goes on
// until its standard input ends.

import './old-node.mjs';
import { createReadStream } from 'node:fs';
import { noise } from '@libp2p/noise';
import { identify } from '@libp2p/identify';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';

// What an older Node lacks has to be there before these are loaded.
const { createHeliaLight } = await import('helia');
const { withBitswap } = await import('@helia/bitswap');
const { withLibp2pLight } = await import('@helia/libp2p');
const { unixfs } = await import('@helia/unixfs');

const [path] = process.argv.slice(2);
const libp2p = {
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
};
const helia = await withBitswap(withLibp2pLight(createHeliaLight(), libp2p)).start();
const cid = await unixfs(helia).addByteStream(createReadStream(path, { highWaterMark: 1024 * 1024 }));
const [address] = helia.libp2p.getMultiaddrs().map(String);
console.log(JSON.stringify({ ready: true, address, cid: cid.toString() }));
process.stdin.resume().on('end', () => process.exit(0));
