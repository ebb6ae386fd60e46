// node interop/libp2p-node.mjs ADDRESS BYTES: js-libp2p in Node dials, tells what identify said, and echoes.
// A process of its own, because its native WebRTC keeps threads and does not always end by itself.

import './with-resolvers.mjs';

const { JsPeer } = await import('./libp2p.mjs');
const [address, bytes] = process.argv.slice(2);

try {
  const peer = await JsPeer.start();
  const told = await peer.dial(address);
  const echoed = await peer.echo(address, Number(bytes));
  console.log(JSON.stringify({ ...told, echoed }));
  process.exit(0);
} catch (error) {
  console.error(error);
  process.exit(1);
}
