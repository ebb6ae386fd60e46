// How long a tab takes to resolve a name that it has resolved before.

import { launch } from '../e2e/browser.mjs';
import { Relay, within } from '../e2e/relay.mjs';

const PAGE_MS = 120_000;
const NAME = 'often-asked-for.p2p';

/** Milliseconds of each of so many resolutions, one after the other, in a page that did not publish the name. */
export async function cachedResolutions(count) {
  const relay = await Relay.start();
  const browser = await launch();
  try {
    await inTab(browser, relay, publish, NAME);
    return await inTab(browser, relay, resolveAgain, { name: NAME, count });
  } finally {
    await browser.close();
    await relay.remove();
  }
}

async function inTab(browser, relay, work, argument) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(relay.url);
    return await within(PAGE_MS, 'the page did not finish', page.evaluate(work, argument));
  } finally {
    await context.close();
  }
}

async function publish(name) {
  const peer = await window.warren.ready;
  await peer.joined();
  await peer.names.claim(name);
  await peer.names.update(name, { entries: [{ sub: '', resources: [{ type: 'text', text: 'hello' }] }] });
}

async function resolveAgain({ name, count }) {
  const peer = await window.warren.ready;
  await peer.joined();
  await peer.names.resolve(name);
  const took = [];
  while (took.length < count) {
    const began = performance.now();
    const { proofs } = await peer.names.resolve(name);
    took.push(performance.now() - began);
    if (!proofs[0].cached) throw new Error('the answer did not come from the cache');
  }
  return took;
}
