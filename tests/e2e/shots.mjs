// node tests/e2e/shots.mjs [folder]
// Pictures of the page in the states joining, joined and relay lost; light and dark, phone and desktop.
// Run by hand, to be looked at. The state is real: the relay is held back or killed.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { Relay } from './relay.mjs';
import { Tab } from './tab.mjs';

const FOLDER = process.argv[2] ?? fileURLToPath(new URL('../../target/shots', import.meta.url));
const SCREENS = {
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  desktop: { viewport: { width: 1280, height: 860 } },
};

mkdirSync(FOLDER, { recursive: true });
const browser = await launch();
try {
  for (const [screen, options] of Object.entries(SCREENS)) {
    for (const colorScheme of ['light', 'dark']) await shoot(`${screen}-${colorScheme}`, { ...options, colorScheme });
  }
} finally {
  await browser.close();
}

async function shoot(name, options) {
  const relay = await Relay.start();
  const context = await browser.newContext(options);
  try {
    await joining(context, relay, name);
    const tab = await Tab.open(context, relay.url);
    await tab.reserved();
    await used(tab, relay);
    await picture(tab, `joined-${name}`);
    await relay.kill();
    await tab.state('lost');
    await tab.page.waitForFunction(() => !window.warren.peer.relays.some((relay) => relay.state === 'connected'));
    await picture(tab, `lost-${name}`);
  } finally {
    await context.close();
    await relay.remove();
  }
}

/** The join document never comes, so that the page stays in this state. */
async function joining(context, relay, name) {
  await context.route('**/.well-known/warren.json', () => {});
  const tab = await Tab.open(context, relay.url);
  await tab.state('joining');
  await picture(tab, `joining-${name}`);
  await tab.page.close();
  await context.unrouteAll({ behavior: 'ignoreErrors' });
}

/** Forms with results in them, and another peer to be seen. */
async function used(tab, relay) {
  const other = await browser.newContext();
  const neighbour = await Tab.open(other, relay.url);
  await neighbour.reserved();
  await neighbour.peer((peer) => peer.provide('global-chat'));
  const { page } = tab;
  await page.locator('#store-value').fill('{"burrow": 7, "inhabitants": ["Hazel", "Fiver", "Bigwig"]}');
  await page.locator('input[value=json]').check();
  await page.locator('#store-form button[type=submit]').click();
  const key = page.locator('#store-result code').first();
  await key.waitFor();
  await page.locator('#read-key').fill(await key.innerText());
  await page.locator('#read-form button[type=submit]').click();
  await page.locator('#read-result .value').waitFor();
  await page.locator('#namespace').fill('global-chat');
  await page.locator('#namespace-form button[value=find]').click();
  await page.locator('#namespace-result li').first().waitFor();
  await page.locator('#find-id').fill(await neighbour.id());
  await page.locator('#find-form button[value=ping]').click();
  await page.locator('#find-result .good').waitFor();
  await other.close();
}

async function picture(tab, name) {
  await tab.page.evaluate(() => document.fonts.ready.then(() => scrollTo(0, 0)));
  const path = join(FOLDER, `${name}.png`);
  await tab.page.screenshot({ path, fullPage: true, animations: 'disabled' });
  console.log(path);
}
