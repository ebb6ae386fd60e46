// A second browser engine: Firefox against a relay on another machine (a network namespace), and on localhost,
// where it has no WebRTC.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { firefoxMissing, launchFirefox } from './firefox.mjs';
import { Namespace, namespacesMissing } from './namespace.mjs';
import { Relay, within } from './relay.mjs';

const PATIENCE = 60_000;
const ANY = '127.0.0.1:0';

let browser;
after(() => browser?.close());

/** The page of a relay in Firefox, once its peer is in `state`; `use` gets the page and the snapshot. */
async function inFirefox(relay, query, use) {
  browser ??= await launchFirefox();
  const page = await browser.newPage();
  try {
    await page.goto(`${relay.url}/?${new URLSearchParams({ identity: 'memory', ...query })}`);
    await within(
      PATIENCE,
      'the page in Firefox did not join',
      page.evaluate(async () => void (await (await window.warren.ready).joined())),
    );
    return await use(page, await page.evaluate(() => window.warren.peer.snapshot()));
  } finally {
    await page.close();
  }
}

async function elsewhere(use) {
  const namespace = new Namespace();
  const any = `${namespace.there}:0`;
  const relay = new Relay({ prefix: namespace.prefix, http: any, tcp: any, udp: any, quic: 'off' });
  try {
    await relay.start();
    await use(relay);
  } finally {
    await relay.remove();
    namespace.remove();
  }
}

test('Firefox joins by WebRTC-direct alone, stores and reads', { skip: firefoxMissing() ?? namespacesMissing() ?? false }, async () => {
  await elsewhere(async (relay) => {
    await inFirefox(relay, { transports: 'webrtc-direct' }, async (page, snapshot) => {
      assert.equal(snapshot.relays[0].transport, 'webrtc-direct');
      const read = await page.evaluate(async () => {
        const { key } = await window.warren.peer.dht.put({ from: 'Firefox' });
        return (await window.warren.peer.dht.get(key)).value;
      });
      assert.deepEqual(read, { from: 'Firefox' });
    });
  });
});

test('two pages in Firefox connect directly and stay connected without the relay', { skip: firefoxMissing() ?? namespacesMissing() ?? false }, async () => {
  await elsewhere(async (relay) => {
    await inFirefox(relay, {}, async (one) => {
      await inFirefox(relay, {}, async (other) => {
        const reserved = async () => {
          while (!window.warren.peer.relays.some(({ reserved }) => reserved)) await new Promise((again) => setTimeout(again, 50));
          return window.warren.peer.id;
        };
        const ids = [await one.evaluate(reserved), await other.evaluate(reserved)];
        const connects = async (id) => {
          const { peer } = window.warren;
          while (!(await peer.findPeer(id).catch(() => undefined))) await new Promise((again) => setTimeout(again, 100));
          await peer.connect(id);
          const ways = () => peer.connections.filter((link) => link.peer === id).map(({ transport }) => transport);
          while (ways().join() !== 'webrtc') await new Promise((again) => setTimeout(again, 100));
          return (await peer.ping(id)).ms;
        };
        const asked = one.evaluate(connects, ids[1]);
        assert.ok((await within(PATIENCE, 'the pages in Firefox did not connect directly', asked)) >= 0);
        const alone = async (id) => {
          const { peer } = window.warren;
          while (peer.state !== 'lost') await new Promise((again) => setTimeout(again, 100));
          const { ms } = await peer.ping(id);
          const answer = await peer.call(id, 'warren.ping');
          return { ms, answer, ways: peer.connections.filter((link) => link.peer === id).map(({ transport }) => transport) };
        };
        await relay.kill();
        const without = Promise.all([one.evaluate(alone, ids[1]), other.evaluate(alone, ids[0])]);
        for (const { ms, answer, ways } of await within(PATIENCE, 'the pages in Firefox need the relay', without)) {
          assert.ok(ms >= 0 && answer, JSON.stringify({ ms, answer }));
          assert.deepEqual(ways, ['webrtc']);
        }
      });
    });
  });
});

test('Firefox on localhost joins by WebSocket and says why not by WebRTC', { skip: firefoxMissing() ?? false }, async () => {
  const relay = await Relay.start({ http: ANY });
  try {
    await inFirefox(relay, {}, (_, snapshot) => {
      const [home] = snapshot.relays;
      assert.equal(home.transport, 'websocket');
      const refused = home.attempts.find(({ transport }) => transport === 'webrtc-direct');
      assert.match(refused?.reason ?? '', /Firefox|loopback|localhost/i);
    });
  } finally {
    await relay.remove();
  }
});
