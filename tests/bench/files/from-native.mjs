// A tab fetches a file from a program, beside WebTorrent and helia in the same browser. Ours comes from a relay that keeps it
// for a publisher that has left, and from `warren share`. WebTorrent's comes over HTTP from what it calls a web seed, and over
// WebRTC from a peer in Node, each into the place on disk where it keeps files by itself, and into memory: the best of these
// four is compared with. Helia's comes over bitswap on a WebSocket from a peer in Node, into memory.

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BINARY, Relay } from '../../e2e/relay.mjs';
import { Telling } from '../telling.mjs';
import { original } from './original.mjs';
import { compared, inBrowser, inTurns, opened, rival, serveHelia, serveOwn, serveTorrent, taken } from './tabs.mjs';

const ANY_PORT = '127.0.0.1:0';
const READY_MS = 120_000;
const QUOTA = '16G';
const BY_WEBSOCKET = { transports: ['websocket'] };

/** Rows of transfers of `tab` MiB. */
export async function fromNative({ say, rounds, tab, folder }) {
  const ends = [];
  const later = (end) => ends.unshift(end);
  try {
    const file = await original(folder, 'from-native', tab);
    later(() => rmSync(file.path));
    const kinds = { ...(await ours(file, later)), ...(await torrents(file, later)), ...(await helia(file, later)) };
    return rows(await inTurns(kinds, rounds, say));
  } finally {
    for (const end of ends) await end();
  }
}

/** Two networks, so that it is known who has the file. */
async function ours(file, later) {
  const keeping = await started(later, ['--pin-quota', QUOTA]);
  const publisher = share(keeping, file, ['--keep']);
  later(() => publisher.end());
  const { link } = await publisher.event('sharing', READY_MS);
  const { relays } = await publisher.event('keeping', READY_MS);
  if (relays !== 1) throw new Error('the relay does not keep the file');
  await publisher.end();

  const plain = await started(later, []);
  const sharer = share(plain, file, []);
  later(() => sharer.end());
  await sharer.event('ready', READY_MS);
  const fetch = async (relay, options) => {
    const site = await serveOwn(relay, options);
    later(() => site.close());
    return () => inBrowser(async (context) => taken(await opened(context, site.url), link, file));
  };
  return { relay: await fetch(keeping), 'relay by WebSocket': await fetch(keeping, BY_WEBSOCKET), share: await fetch(plain) };
}

async function started(later, args) {
  const relay = await Relay.start({ args });
  later(() => relay.remove());
  return relay;
}

function share(relay, { path }, options) {
  return new Telling([BINARY, 'share', path, ...options, '--listen', ANY_PORT, '--join', relay.url, '--json']);
}

async function torrents(file, later) {
  const { tracker, torrent, webSeed } = await startNode('torrent-node.mjs', [file.path], later);
  const site = await serveTorrent();
  later(() => site.close());
  const kind = (name, source) => () =>
    rival(name, () =>
      inBrowser(async (context) => {
        const page = await opened(context, site.url, { peers: source.tracker !== undefined });
        return taken(page, { torrent, ...source }, file);
      }),
    );
  const sources = {
    'web seed to disk': { webSeed },
    'web seed to memory': { webSeed, memory: true },
    'WebRTC to disk': { tracker },
    'WebRTC to memory': { tracker, memory: true },
  };
  return Object.fromEntries(Object.entries(sources).map(([name, source]) => [name, kind(`WebTorrent, ${name}`, source)]));
}

async function helia(file, later) {
  const { address, cid } = await startNode('helia-node.mjs', [file.path], later);
  const site = await serveHelia();
  later(() => site.close());
  const fetch = async (context) => taken(await opened(context, site.url, {}), { address, cid }, file);
  return { helia: () => rival('helia', () => inBrowser(fetch)) };
}

/** What a rival says who runs in Node. */
export async function startNode(script, words, later) {
  const node = new Telling([process.execPath, fileURLToPath(new URL(script, import.meta.url)), ...words]);
  later(() => node.end());
  return node.line(({ ready }) => ready, READY_MS);
}

/** The best that WebTorrent manages is over WebRTC, as ours is by itself where a browser has both; helia's is over a WebSocket. */
function rows({ relay, 'relay by WebSocket': webSocket, share, helia, ...torrents }) {
  return [
    compared('files-tab-from-relay ÷ WebTorrent', relay, torrents, { floor: 1.5 }),
    compared('files-tab-from-relay by WebSocket ÷ WebTorrent', webSocket, torrents, {}),
    compared('files-tab-from-relay ÷ helia', relay, { helia }, {}),
    compared('files-tab-from-relay by WebSocket ÷ helia', webSocket, { helia }, { floor: 1.5 }),
    compared('files-tab-from-share ÷ WebTorrent', share, torrents, {}),
    compared('files-tab-from-share ÷ helia', share, { helia }, {}),
  ];
}
