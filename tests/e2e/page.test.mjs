// The page as a visitor meets it: by keyboard, on a phone, without complaints in the console.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';

const PHONE = { width: 360, height: 740 };

scenario('a value is stored and read with the keyboard alone', async (scene) => {
  const relay = await scene.relay();
  const { page } = await scene.joinedTab(relay);
  await tabTo(page, '#store-value');
  await page.keyboard.type('typed, not clicked');
  await tabTo(page, '#store-form button[type=submit]');
  await page.keyboard.press('Enter');
  const key = page.locator('#store-result code').first();
  await key.waitFor();
  await tabTo(page, '#read-key');
  await page.keyboard.type(await key.innerText());
  await page.keyboard.press('Enter');
  const value = page.locator('#read-result .value');
  await value.waitFor();
  assert.equal(await value.innerText(), 'typed, not clicked');
});

scenario('whatever has the focus shows it', async (scene) => {
  const relay = await scene.relay();
  const { page } = await scene.joinedTab(relay);
  await page.evaluate(() => (window.focused = new Set()));
  const invisible = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const { name, visible, again } = await page.evaluate(focusLook);
    if (again) break;
    if (!visible) invisible.push(name);
  }
  assert.ok((await page.evaluate(() => window.focused.size)) > 8, 'the page has things to focus');
  assert.deepEqual(invisible, []);
});

scenario('the form says what is wrong and what to do about it', async (scene) => {
  const relay = await scene.relay();
  const { page } = await scene.joinedTab(relay);
  await page.locator('#read-key').fill('not a key');
  await page.locator('#read-key').press('Enter');
  const error = page.locator('#read-result .error');
  await error.waitFor();
  assert.match(await error.innerText(), /INVALID_KEY/);
  assert.ok((await error.locator('p').count()) >= 3, 'cause, remedy and code');
});

scenario('nothing in the console and no violation of the content policy', async (scene) => {
  const relay = await scene.relay();
  const visitor = await scene.visitor();
  await visitor.addInitScript(() => {
    window.violations = [];
    addEventListener('securitypolicyviolation', (event) =>
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  const policies = [];
  visitor.on('response', (response) => {
    if (response.request().isNavigationRequest()) policies.push(response.headers()['content-security-policy'] ?? '');
  });
  const tab = await scene.tab(relay, { context: visitor });
  await tab.reserved();
  await tab.peer(async (peer) => peer.dht.get((await peer.dht.put('quiet')).key));
  assert.match(policies[0], /default-src|script-src/);
  assert.doesNotMatch(policies[0], /'unsafe-(inline|eval)'/);
  assert.deepEqual(await tab.page.evaluate(() => window.violations), []);
  assert.deepEqual(tab.complaints.all, []);
});

for (const scheme of ['light', 'dark']) {
  scenario(`fits a phone of 360 px, ${scheme}`, async (scene) => {
    const relay = await scene.relay();
    const context = await scene.visitor({ viewport: PHONE, colorScheme: scheme, hasTouch: true });
    const tab = await (await scene.tab(relay, { context })).reserved();
    await tab.page.locator('#store-value').fill('x'.repeat(200));
    await tab.page.locator('#store-form button[type=submit]').click();
    await tab.page.locator('#store-result code').first().waitFor();
    assert.deepEqual(await tab.page.evaluate(tooWide), []);
  });
}

scenario('a link to a key reads the value', async (scene) => {
  const relay = await scene.relay();
  const writer = await scene.joinedTab(relay);
  const key = await writer.peer(async (peer) => (await peer.dht.put('linked')).key);
  const reader = await scene.joinedTab(relay);
  await reader.page.goto(`${relay.url}/#/k/${encodeURIComponent(key)}`);
  await reader.page.locator('#read-result .value', { hasText: 'linked' }).waitFor();
});

/** Presses Tab until `selector` has the focus. */
async function tabTo(page, selector) {
  const end = await focusables(page);
  for (let presses = 0; presses <= end; presses += 1) {
    if (await page.evaluate((selector) => document.activeElement?.matches(selector), selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector} cannot be reached with the Tab key`);
}

function focusables(page) {
  return page.evaluate(() => document.querySelectorAll('a, button, input, textarea, [tabindex]').length + 2);
}

/** Runs in the page: does the focused element look focused, is it on the screen, and had it the focus before? */
function focusLook() {
  const element = document.activeElement;
  const again = window.focused.has(element);
  window.focused.add(element);
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const marked = (style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none';
  const onScreen = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  const name = element.id || `${element.tagName} ${element.textContent.trim().slice(0, 40)}`;
  return { name, again, visible: element === document.body || (marked && onScreen) };
}

/** Runs in the page: whatever sticks out to the right of the window and is not scrolled inside something. */
function tooWide() {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .map((element) => element.id || `${element.tagName}.${element.className}`);
}
