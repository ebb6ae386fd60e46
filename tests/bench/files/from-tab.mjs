// A tab fetches a file from another tab of the same browser, which has made it: ours, WebTorrent (into the place on disk where
// it keeps files by itself, and into memory) and helia, and the bytes alone over a bare data channel. Each on a connection that has
// carried no file before: what congestion control does at the beginning is part of every one of them. What the bare channel does
// once that is over is a row of its own.

import { serveBundled } from '../../e2e/bundled.mjs';
import { Relay } from '../../e2e/relay.mjs';
import { MESSAGES, bareTransfer, connectBare } from '../bare-pair.mjs';
import { MIB } from './original.mjs';
import { startNode } from './from-native.mjs';
import { compared, elsewhere, given, inBrowser, inTurns, opened, rival, serveHelia, serveOwn, serveTorrent, taken } from './tabs.mjs';

/** Rows of transfers of `tab` MiB. */
export async function fromTab({ say, rounds, tab }) {
  const ends = [];
  const later = (end) => ends.unshift(end);
  const size = tab * MIB;
  try {
    const relay = await Relay.start();
    later(() => relay.remove());
    const kinds = {
      ours: await ours(relay, size, later),
      ...(await torrents(size, later)),
      helia: await helia(relay, size, later),
      bare: await bare(size, later),
    };
    return rows(await inTurns(kinds, rounds, say));
  } finally {
    for (const end of ends) await end();
  }
}

async function served(serving, later) {
  const site = await serving;
  later(() => site.close());
  return site.url;
}

async function ours(relay, size, later) {
  const url = await served(serveOwn(relay), later);
  return () =>
    inBrowser(async (context) => {
      const [one, other] = [await opened(context, url), await opened(context, elsewhere(url))];
      const { what, sum } = await given(one, size);
      return taken(other, what, { size, sum });
    });
}

async function torrents(size, later) {
  const { tracker } = await startNode('torrent-node.mjs', [], later);
  const url = await served(serveTorrent(), later);
  const kind = (name, memory) => () =>
    rival(name, () =>
      inBrowser(async (context) => {
        const [one, other] = [await opened(context, url, {}), await opened(context, elsewhere(url), {})];
        const { what, sum } = await given(one, { size, tracker });
        return taken(other, { torrent: what, tracker, memory }, { size, sum });
      }),
    );
  return { 'to disk': kind('WebTorrent, to disk', false), 'to memory': kind('WebTorrent, to memory', true) };
}

async function helia(relay, size, later) {
  const url = await served(serveHelia(), later);
  const listen = [`${webSocketOf(relay)}/p2p-circuit`, '/webrtc'];
  return () =>
    rival('helia', () =>
      inBrowser(async (context) => {
        const [one, other] = [await opened(context, url, { listen }), await opened(context, elsewhere(url), {})];
        const { what, sum } = await given(one, { size });
        return taken(other, what, { size, sum });
      }),
    );
}

function webSocketOf(relay) {
  const [address] = relay.addresses('ws');
  if (!address) throw new Error('the relay tells no WebSocket address');
  return address.includes('/p2p/') ? address : `${address}/p2p/${relay.id}`;
}

/** The better of two message sizes, each between new pages: the first transfer, and a second one. */
async function bare(size, later) {
  const url = await served(serveBundled(new URL('../bare-page.mjs', import.meta.url)), later);
  const measure = (message) =>
    inBrowser(async (context) => {
      const [one, other] = [await context.newPage(), await context.newPage()];
      for (const page of [one, other]) await page.goto(url);
      await connectBare(one, other);
      const rate = async () => size / MIB / ((await bareTransfer(one, other, size, message)) / 1000);
      return { rate: await rate(), later: await rate() };
    });
  return async () => {
    const measured = [];
    for (const message of MESSAGES) measured.push(await measure(message));
    const best = (name) => Math.max(...measured.map((one) => one[name]));
    return { rate: best('rate'), later: best('later') };
  };
}

function rows({ ours, helia, bare, ...torrents }) {
  const later = bare.map(({ later }) => ({ rate: later }));
  return [
    compared('files-tab-from-tab ÷ WebTorrent', ours, torrents, { floor: 1 }),
    compared('files-tab-from-tab ÷ helia', ours, { helia }, { floor: 1 }),
    compared('files-tab-from-tab ÷ bare', ours, { bare }, { floor: 0.8 }),
    compared('files-tab-from-tab ÷ bare, once it is warm', ours, { bare: later }, { floor: 0.8 }),
  ];
}
