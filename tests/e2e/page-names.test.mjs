// Names as a visitor meets them: claimed, filled, looked up, handed over and given up on the page, mostly by keyboard.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';

const PATIENCE = { timeout: 150_000 };

/** Types into the field and submits with Enter. */
async function enter(page, field, text) {
  await page.locator(field).fill(text);
  await page.locator(field).press('Enter');
}

const own = (page, name) => page.locator(`#own-names > li[data-key="${name}"]`);

async function claim(page, name) {
  await enter(page, '#claim-name', name);
  await page.locator('#claim-result .good').waitFor();
  await own(page, name).waitFor();
}

scenario(
  'a visitor claims a name, publishes under it, and another one looks it up',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page }, other] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await page.locator('#own-names[data-empty^="None yet"]').waitFor({ state: 'attached' });
    await claim(page, 'garden-gate.p2p');
    // The editor of the new name is open, with the focus where the value goes.
    await page.locator('.zone .value-field').first().waitFor();
    await page.keyboard.type('https://example.org/');
    await page.keyboard.press('Enter');
    await own(page, 'garden-gate.p2p').locator('.good', { hasText: 'Published' }).waitFor();
    assert.match(await own(page, 'garden-gate.p2p').locator('.what').innerText(), /^1 entry, yours for 36\d days$/);

    await enter(other.page, '#name', 'Garden-Gate');
    const result = other.page.locator('#name-result');
    await result.locator('a', { hasText: 'https://example.org/' }).waitFor();
    assert.match(await result.innerText(), /1 of 1 witnesses, owner k51\S+…\S+, /);
    assert.match(other.page.url(), /\/$/);
    await other.page.goto(`${relay.url}/#/n/garden-gate.p2p`);
    await other.page.reload();
    await result.locator('.good').waitFor();
    for (const broken of ['#/n/%', '#/k/%ff']) {
      await other.page.goto(`${relay.url}/${broken}`);
      await other.page.reload();
      await other.joined();
      assert.equal(await other.page.locator('#name').inputValue(), '');
    }
  },
  PATIENCE,
);

scenario(
  'what is wrong with a name is marked, and who holds it is said',
  async (scene) => {
    const relay = await scene.relay();
    const [first, { page }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(page, '#name', 'pay\u{440}al');
    await page.locator('#name-result .flaw mark').waitFor();
    assert.equal(await page.locator('#name-result mark').innerText(), '\u{440}');
    await enter(page, '#name', 'nobody-has-this');
    await page.locator('#name-result', { hasText: 'NAME_NOT_FOUND' }).waitFor();
    await first.peer((peer) => peer.names.claim('taken-already.p2p'));
    await enter(page, '#claim-name', 'taken-already');
    await page.locator('#claim-result', { hasText: 'NAME_TAKEN' }).waitFor();
    assert.match(await page.locator('#claim-result strong').innerText(), /k51\w+ until \d{4}-\d\d-\d\d/);
  },
  PATIENCE,
);

scenario(
  'a name is signed over on one page and taken over on another, and given up there',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page }, { page: theirs }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await claim(page, 'old-family-seat.p2p');
    const key = await theirs.locator('#owner-line code').innerText();
    await own(page, 'old-family-seat.p2p').getByRole('button', { name: 'Transfer' }).click();
    await page.keyboard.type(key);
    await page.keyboard.press('Enter');
    const handover = await own(page, 'old-family-seat.p2p').locator('.good code').innerText();
    await theirs.locator('.take-over summary').click();
    await theirs.locator('#handover').fill(handover);
    await theirs.locator('#handover').press('Control+Enter');
    await theirs.locator('#accept-result .good').waitFor();
    await own(theirs, 'old-family-seat.p2p').getByRole('button', { name: 'Release' }).click();
    await theirs.getByRole('button', { name: 'Keep it' }).click();
    await own(theirs, 'old-family-seat.p2p').getByRole('button', { name: 'Release' }).click();
    await theirs.getByRole('button', { name: 'Give it up' }).click();
    await own(theirs, 'old-family-seat.p2p').waitFor({ state: 'detached' });
  },
  PATIENCE,
);

scenario('a claim is seen at work and can be stopped, on a narrow screen without scrolling sideways', async (scene) => {
  const context = await scene.visitor({ viewport: { width: 360, height: 780 } });
  const { page } = await scene.joinedTab(await scene.relay(), { context });
  await enter(page, '#claim-name', 'q');
  await page.waitForFunction(() => document.querySelector('#claim-result progress')?.value > 0);
  assert.match(await page.locator('#claim-result .numbers').innerText(), /numbers tried; it takes [\d,.\s]+ on average/);
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(sideways <= 0, `${sideways} pixels beyond the screen`);
  await page.locator('#claim-form button').click();
  await page.locator('#claim-result', { hasText: 'Stopped.' }).waitFor();
}, PATIENCE);
