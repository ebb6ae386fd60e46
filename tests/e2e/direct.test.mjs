// Direct messages in tabs: to each other, to somebody who is away, and over a reload.

import assert from 'node:assert/strict';
import { failure, scenario } from './harness.mjs';

const PATIENCE = { timeout: 150_000 };

/** Starts to receive; `window.received` has what came. */
const receive = (tab) =>
  tab.peer((peer) => {
    window.received = [];
    window.receiving = (async () => {
      for await (const message of peer.messages) window.received.push(message);
    })().catch((error) => error.code);
  });
const received = (tab, count) => tab.page.waitForFunction((count) => window.received.length >= count, count, { timeout: 60_000 });
const bodies = (tab) => tab.page.evaluate(() => window.received.map(({ body }) => body));
const author = (tab) => tab.peer((peer) => peer.author);
/** Sends all, and waits until each is in one of these states. */
const send = (tab, to, bodies, wanted) =>
  tab.peer(
    async (peer, { to, bodies, wanted }) => {
      const sent = [];
      for (const body of bodies) sent.push(await peer.messages.send(to, body));
      const reached = async (message) => {
        for await (const state of message.states()) if (wanted.includes(state)) return state;
        throw new Error('this state never came');
      };
      return Promise.all(sent.map(reached));
    },
    { to, bodies, wanted },
  );
const numbers = (from, to) => Array.from({ length: to - from }, (_, index) => from + index);

scenario(
  'messages go from tab to tab, wait for one that is away, and are there once after a reload',
  async (scene) => {
    const relay = await scene.relay();
    const a = await scene.joinedTab(relay);
    const context = await scene.visitor();
    const b = await scene.joinedTab(relay, { context });
    await Promise.all([a.reserved(), b.reserved()]);
    const to = await author(b);
    await receive(b);
    await b.untilFound(await b.id());
    // By the id of the peer: whom it runs for is what it says of itself.
    await send(a, await b.id(), [{ hello: 'world' }], ['delivered']);
    await received(b, 1);
    const [first] = await b.page.evaluate(() => window.received);
    assert.deepEqual([first.body, first.from, first.sent], [{ hello: 'world' }, await author(a), false]);
    await send(a, to, numbers(0, 50), ['delivered']);
    await received(b, 51);
    assert.deepEqual((await bodies(b)).slice(1), numbers(0, 50));

    // The author wrote down where it is: messages wait there.
    await b.peer((peer) => peer.close());
    await b.page.close();
    await send(a, to, numbers(50, 70), ['waiting']);
    const again = await scene.joinedTab(relay, { context });
    assert.equal(await author(again), to);
    await receive(again);
    await received(again, 20);
    // What was taken last before may come again; nothing else.
    const got = await bodies(again);
    assert.deepEqual(got.slice(-20), numbers(50, 70));
    assert.ok(got.length <= 21, JSON.stringify(got));
    const history = await again.peer((peer, who) => peer.messages.history(who, { limit: 3 }), await author(a));
    assert.deepEqual(
      history.map(({ body }) => body),
      [69, 68, 67],
    );
  },
  PATIENCE,
);

scenario(
  'a blocked author is told so, bytes arrive as bytes, and errors say what is wrong',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await Promise.all([a.reserved(), b.reserved()]);
    await receive(b);
    const id = await b.id();
    await a.untilFound(id);
    await b.peer((peer, who) => peer.messages.block(who), await author(a));
    assert.deepEqual(await b.peer((peer) => peer.messages.blocked()), [await author(a)]);
    const refused = a.peer(async (peer, id) => (await peer.messages.send(id, 'psst')).delivered(), id);
    assert.equal((await failure(refused)).code, 'REFUSED');
    await b.peer((peer, who) => peer.messages.unblock(who), await author(a));
    await a.peer(async (peer, id) => (await peer.messages.send(id, new Uint8Array([1, 2, 255]))).delivered(), id);
    await received(b, 1);
    assert.deepEqual(await b.page.evaluate(() => [...window.received[0].body]), [1, 2, 255]);
    const large = a.peer((peer, id) => peer.messages.send(id, 'x'.repeat(17_000)), id);
    assert.equal((await failure(large)).code, 'TOO_LARGE');
    const nobody = a.peer((peer) => peer.messages.send('nobody', 'x'));
    assert.equal((await failure(nobody)).code, 'INVALID_ARGUMENT');
    // A second reader ends the first.
    await b.peer((peer) => void peer.messages.receive().next().catch(() => {}));
    assert.equal(await b.page.evaluate(() => window.receiving), 'CANCELLED');
  },
  PATIENCE,
);
