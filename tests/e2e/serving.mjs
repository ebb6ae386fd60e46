// `warren serve upper`: a peer of the command line that makes words large, and how pages find and call it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BINARY, within } from './relay.mjs';

const PATIENCE = 30_000;

/** Starts it; `prefix` is put in front of its command, `listen` is where it takes connections of peers that are no pages. */
export async function serving(relay, { prefix = [], listen = '127.0.0.1:0' } = {}) {
  const serve = ['serve', 'upper', '--allow', 'anyone', '--listen', listen, '--join', relay.url, '--json'];
  const [command, ...args] = [...prefix, BINARY, ...serve, '--', 'tr', 'a-z', 'A-Z'];
  const program = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(program, 'exit');
  ended.catch(() => undefined);
  let said = '';
  program.stderr.on('data', (text) => (said += text));
  const stop = async () => {
    program.kill();
    await ended;
  };
  try {
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    const first = await within(PATIENCE, '`warren serve` said nothing', lines.next());
    if (first.done) throw new Error(`\`warren serve\` ended with ${(await ended)[0]}`);
    return { id: JSON.parse(first.value).peer, stop };
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${said}`);
  }
}

/** Waits until its record says where it is reached through a relay: what it listens on is not for browsers. */
export function untilReachable(tab, id) {
  const found = tab.peer(async (peer, id) => {
    for (;;) {
      const info = await peer.findPeer(id).catch(() => undefined);
      if (info?.addresses.some((address) => address.includes('/p2p-circuit'))) return;
      await new Promise((again) => setTimeout(again, 100));
    }
  }, id);
  return within(PATIENCE, 'no address for browsers was found', found);
}

/** The word in large letters, as a page gets it. */
export const upper = (tab, id, word) => tab.peer((peer, [id, word]) => peer.rpc.call(id, 'upper', [word]), [id, word]);

/** Whether a page is connected to it without a relay, and in no other way. */
export const isDirect = (snapshot, id) => {
  const ways = snapshot.connections.filter(({ peer }) => peer === id).map(({ transport }) => transport);
  return ways.length === 1 && ways[0] === 'webrtc';
};
