// Bulk data between a tab and a relay by WebRTC-direct, and what both do when the other end or the path goes.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Forwarder } from './forwarder.mjs';
import { LONG, scenario, tell } from './harness.mjs';

const MIB = 1024 * 1024;
const SIZE = LONG ? 64 * MIB : 16 * MIB;
/** Much more than can have moved before the transfer is cut short. */
const ENDLESS = 1024 * MIB;
const STREAMS = LONG ? 10_000 : 500;
const AT_ONCE = 4;
/** How long a page hangs in the middle of a transfer: less than makes the other end give it up. */
const PAUSE_MS = 4_000;
/** The promise is 10 s; a test on a busy machine only insists that it happens. */
const PATIENCE_MS = 40_000;
const DIRECTIONS = ['download', 'upload'];

/**
 * A tab and a relay that is none of its homes, with one connection between them: WebRTC-direct, to `path(address)`.
 * `far` answers measurements and logs connections that end.
 */
async function connected(scene, path = (address) => address) {
  const far = await scene.relay({ args: ['--perf'], env: { WARREN_LOG_FILTER: 'warn,warren_shared=debug' } });
  const tab = await scene.joinedTab(await scene.relay());
  const [address] = far.addresses('webrtc-direct');
  await tab.peer((peer, address) => peer.connect(address), await path(address));
  await tab.until((snapshot, id) => snapshot.connections.some(({ peer }) => peer === id), far.id);
  return { tab, far };
}

const measure = ({ tab, far }, bytes) => tab.peer((peer, [id, bytes]) => peer.measure(id, bytes), [far.id, bytes]);

/** Cuts a transfer short with `cut` and tells how long it took `watchers`, `{side: () => promise}`, to notice. */
async function interrupted(t, ends, direction, cut, watchers) {
  const transfer = measure(ends, { [direction]: ENDLESS }).then(
    () => 'done',
    () => 'failed',
  );
  await sleep(2_000);
  // Whoever listens does so before anything happens.
  const noticed = Object.entries(watchers).map(async ([side, watch]) => [side, await watch(), performance.now()]);
  const from = performance.now();
  await cut();
  for (const [side, , at] of await Promise.all(noticed)) {
    tell(t, `${direction}: ${side} noticed after ${((at - from) / 1000).toFixed(2)} s, goal 10 s`);
  }
  return transfer;
}

const inTheTab = ({ tab, far }) =>
  tab.until((snapshot, id) => !snapshot.connections.some(({ peer }) => peer === id), far.id, PATIENCE_MS);
const atTheRelay = ({ far }, id) => far.logged(new RegExp(`a connection ended.*${id}`), PATIENCE_MS);

for (const direction of DIRECTIONS) {
  scenario(`the path is cut in the middle of a transfer (${direction}): both ends notice`, async (scene, t) => {
    let forwarder;
    try {
      const ends = await connected(scene, async (address) => {
        forwarder = await Forwarder.before(address);
        return forwarder.address;
      });
      const id = await ends.tab.id();
      const outcome = await interrupted(t, ends, direction, () => (forwarder.cut = true), {
        'the tab': () => inTheTab(ends),
        'the relay': () => atTheRelay(ends, id),
      });
      assert.equal(outcome, 'failed');
    } finally {
      forwarder?.close();
    }
  });

  scenario(`the relay is killed in the middle of a transfer (${direction}): the tab notices`, async (scene, t) => {
    const ends = await connected(scene);
    const outcome = await interrupted(t, ends, direction, () => ends.far.kill(), { 'the tab': () => inTheTab(ends) });
    assert.equal(outcome, 'failed');
  });

  scenario(`the tab crashes in the middle of a transfer (${direction}): the relay notices`, async (scene, t) => {
    const ends = await connected(scene);
    const id = await ends.tab.id();
    ends.tab.complaints.expectCrash();
    const crash = () => void ends.tab.page.goto('chrome://crash').catch(() => {});
    const outcome = await interrupted(t, ends, direction, crash, { 'the relay': () => atTheRelay(ends, id) });
    assert.equal(outcome, 'failed');
  });

  scenario(`a page that hangs in the middle of a transfer (${direction}) loses nothing`, async (scene) => {
    const ends = await connected(scene);
    const measured = await ends.tab.peer(
      async (peer, [id, bytes, pause]) => {
        const transfer = peer.measure(id, bytes);
        await new Promise((moved) => setTimeout(moved, 300));
        for (const end = performance.now() + pause; performance.now() < end; );
        return transfer;
      },
      [ends.far.id, { [direction]: SIZE }, PAUSE_MS],
    );
    assert.equal(direction === 'upload' ? measured.sent : measured.received, SIZE);
    assert.equal((await measure(ends, { download: 1_000 })).received, 1_000);
  });
}

scenario(
  `${STREAMS} streams on one connection of a tab`,
  async (scene, t) => {
    const ends = await connected(scene);
    const started = performance.now();
    const answered = await ends.tab.peer(
      async (peer, [id, streams, atOnce]) => {
        let left = streams;
        let answered = 0;
        const work = async () => {
          while (left-- > 0) {
            const { received } = await peer.measure(id, { upload: 64, download: 64 });
            if (received === 64) answered += 1;
          }
        };
        await Promise.all(Array.from({ length: atOnce }, work));
        return answered;
      },
      [ends.far.id, STREAMS, AT_ONCE],
    );
    assert.equal(answered, STREAMS);
    tell(t, `${((performance.now() - started) / STREAMS).toFixed(2)} ms each`);
    const { connections } = await ends.tab.snapshot();
    assert.equal(connections.filter(({ peer }) => peer === ends.far.id).length, 1);
  },
  { timeout: 60_000 + STREAMS * 30 },
);
