// Two pages on two machines behind two NATs, and a relay as their only STUN server.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { browserMissing, launchElsewhere } from './browser.mjs';
import { LONG, Tab, temporaryFolder, within } from './harness.mjs';
import { Internet, NATS, natsMissing } from './nats.mjs';
import { Relay } from './relay.mjs';
import { isDirect as isDirectTo, serving, untilReachable, upper } from './serving.mjs';

const skip = natsMissing() ?? browserMissing() ?? false;
const PATIENCE = 60_000;
const kinds = Object.keys(NATS);
/** Each kind with each, in one order; the first of them unless there is time. */
const PAIRS = kinds.flatMap((one, at) => kinds.slice(at).map((other) => [one, other])).slice(0, LONG ? Infinity : 1);
/** What comes of them where a NAT lets in only who was spoken to, under the very port: as most do. */
const isDirect = ([one, other]) => one !== 'random' && other !== 'random';
const matrix = [];

after(() => {
  if (matrix.length > 0) console.log(`\nNATs\n${matrix.map((line) => `  ${line}`).join('\n')}`);
});

/** A relay, and two joined tabs in two homes; all gone after `use`. */
async function withHomes(pair, use) {
  const net = new Internet();
  const folders = pair.map(() => temporaryFolder());
  const any = `${net.address}:0`;
  const relay = new Relay({ prefix: net.relay, http: any, tcp: any, udp: any, quic: 'off' });
  const browsers = [];
  try {
    const homes = pair.map((kind) => net.home(kind));
    await relay.start();
    for (const [at, home] of homes.entries()) browsers.push(await launchElsewhere(home.prefix, folders[at].path));
    const open = async (home, at, query = {}) => {
      const tab = await Tab.open(await browsers[at].newContext(), relay.url, query);
      return Object.assign(await tab.reserved(PATIENCE), { home });
    };
    await within(3 * PATIENCE, 'the homes did not come to an end', use(homes, open, relay));
  } finally {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
    await relay.remove();
    net.remove();
    for (const folder of folders) folder.remove();
  }
}

const ways = (snapshot, id) => snapshot.connections.filter(({ peer }) => peer === id).map(({ transport }) => transport);
const onlyDirect = (snapshot, id) => {
  const ways = snapshot.connections.filter(({ peer }) => peer === id).map(({ transport }) => transport);
  return ways.length === 1 && ways[0] === 'webrtc';
};

for (const pair of PAIRS) {
  const expected = isDirect(pair) ? 'connect directly' : 'stay with the relay, and say so';
  test(`pages behind NATs, ${pair.join(' and ')}, ${expected}`, { skip }, async () => {
    await withHomes(pair, async (homes, open) => {
      const [a, b] = await Promise.all(homes.map((home, at) => open(home, at)));
      const id = await b.id();
      await a.untilFound(id);
      await a.record('upgrade');
      await a.peer((peer, id) => peer.connect(id), id);
      const { detail } = await a.nextEvent('upgrade', PATIENCE);
      matrix.push(`${pair.join(' — ')}: ${detail.state}`);
      assert.equal(detail.state, isDirect(pair) ? 'direct' : 'kept', detail.reason);
      if (isDirect(pair)) await a.until(onlyDirect, id);
      else assert.deepEqual(ways(await a.snapshot(), id), ['circuit']);
      assert.ok((await a.peer((peer, id) => peer.ping(id), id)).ms >= 0);
    });
  });
}

test('a page and `warren serve`, each behind a NAT, connect directly', { skip }, async () => {
  await withHomes(['port-preserving', 'port-translating'], async (homes, open, relay) => {
    const tab = await open(homes[0], 0);
    const program = await serving(relay, { prefix: homes[1].prefix, listen: '0.0.0.0:0' });
    try {
      await untilReachable(tab, program.id);
      assert.deepEqual(await upper(tab, program.id, 'hello'), ['HELLO']);
      await tab.until(isDirectTo, program.id, PATIENCE);
      assert.deepEqual(await upper(tab, program.id, 'again'), ['AGAIN']);
    } finally {
      await program.stop();
    }
  });
});

test('where UDP is lost the circuit is used, and given up by itself when UDP comes back', { skip }, async () => {
  await withHomes(['port-preserving', 'port-preserving'], async (homes, open) => {
    homes[0].loseUdp();
    const [a, b] = await Promise.all(homes.map((home, at) => open(home, at)));
    const id = await b.id();
    await a.untilFound(id);
    await a.record('upgrade');
    await a.peer((peer, id) => peer.connect(id), id);
    const { detail } = await a.nextEvent('upgrade', PATIENCE);
    assert.equal(detail.state, 'kept');
    assert.ok(detail.reason, 'it is said why');
    assert.deepEqual(ways(await a.snapshot(), id), ['circuit']);
    assert.ok((await a.peer((peer, id) => peer.ping(id), id)).ms >= 0);
    homes[0].passUdp();
    await a.until(onlyDirect, id, PATIENCE);
  });
});
