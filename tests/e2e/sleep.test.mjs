// A machine that sleeps and a tab that nobody looks at: the peer comes back by itself.

import assert from 'node:assert/strict';
import { kill } from 'node:process';
import { browser, scenario, tell } from './harness.mjs';

const ASLEEP_MS = 20_000;

/** The processes that run pages. */
async function renderers() {
  const session = await (await browser()).newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

scenario('a tab that slept while the relay restarted joins again when it wakes', async (scene, t) => {
  const others = await renderers();
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  await tab.reserved();
  // The tab's own, and perhaps one that the browser keeps in store.
  const asleep = (await renderers()).filter((id) => !others.includes(id));
  assert.ok(asleep.length > 0, 'the tab has a process of its own');
  await tab.record('state');
  for (const id of asleep) kill(id, 'SIGSTOP');
  await relay.kill();
  await relay.restart();
  await new Promise((resolve) => setTimeout(resolve, ASLEEP_MS));
  for (const id of asleep) kill(id, 'SIGCONT');
  const woke = Date.now();
  await tab.page.waitForFunction(() => {
    const states = window.recorded.map(({ detail }) => detail.state);
    return states.length > 0 && states.at(-1) === 'joined';
  });
  tell(t, `joined again ${Date.now() - woke} ms after waking`);
  await tab.peer((peer) => peer.dht.put({ after: 'sleep' }));
});

/** Headless browsers show every page; this is what a page sees of being covered. */
function show(tab, state) {
  return tab.page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}

scenario('a hidden tab notices that the relay is gone, and is back soon after somebody looks', async (scene, t) => {
  const relay = await scene.relay();
  const tab = await scene.joinedTab(relay);
  await show(tab, 'hidden');
  await relay.kill();
  await tab.page.waitForFunction(() => window.warren.peer.state !== 'joined');
  await relay.restart();
  await show(tab, 'visible');
  const looked = Date.now();
  await tab.joined();
  tell(t, `joined again ${Date.now() - looked} ms after the tab was shown`);
  await tab.peer((peer) => peer.dht.put({ after: 'hiding' }));
});
