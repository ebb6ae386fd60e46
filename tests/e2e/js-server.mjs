// A js-libp2p node that listens by WebRTC-direct, as a process of its own. Its version of the protocol is the
// first: what such servers understand, browsers are about to forbid.
//
// node js-server.mjs  prints one line {id, addresses} and runs until it is killed.

import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SELF = fileURLToPath(import.meta.url);

/** Starts one; resolves with {id, addresses, kill}. */
export async function jsServer() {
  const child = spawn(process.execPath, [SELF], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const ended = exited.then(([code]) => Promise.reject(new Error(`js-libp2p ended with status ${code}`)));
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  return {
    ...JSON.parse(line),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function serve() {
  await import('../interop/with-resolvers.mjs');
  const [{ createLibp2p }, { webRTCDirect }, { noise }, { identify }, { ping }] = await Promise.all(
    ['libp2p', '@libp2p/webrtc', '@libp2p/noise', '@libp2p/identify', '@libp2p/ping'].map((name) => import(name)),
  );
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] },
    transports: [webRTCDirect()],
    connectionEncrypters: [noise()],
    services: { identify: identify(), ping: ping() },
    // One page may come as often as it likes.
    connectionManager: { inboundConnectionThreshold: Infinity },
  });
  console.log(JSON.stringify({ id: String(node.peerId), addresses: node.getMultiaddrs().map(String) }));
}

if (process.argv[1] === SELF) await serve();
