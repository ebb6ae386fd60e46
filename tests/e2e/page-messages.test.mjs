// Messages to one person as a visitor meets them: written, delivered, refused, left in a mailbox and read back.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { enter, inRoom } from './talk.mjs';

const PATIENCE = { timeout: 150_000 };

const open = (page, what, options) => page.locator(`#conversations .conversation:not([hidden]) ${what}`, options);
const own = (page, text, state) => open(page, `.direct.mine[data-state=${state}]`, { hasText: text });
const got = (page, text) => open(page, '.direct:not(.mine)', { hasText: text });

async function write(page, text) {
  const input = open(page, '.say textarea');
  await input.fill(text);
  await input.press('Enter');
}

async function openWith(page, whom) {
  await page.locator('#write-to').fill(whom);
  await page.locator('#write-to').press('Enter');
  await open(page, '.say textarea').and(page.locator(':focus')).waitFor();
}

async function take(page) {
  await page.locator('#receiving button', { hasText: 'Take messages' }).click();
  await page.locator('#receiving', { hasText: 'This tab takes messages.' }).waitFor();
}

scenario(
  'two visitors write to each other: delivered, refused while blocked, left in the mailbox of who is away',
  async (scene) => {
    const relay = await scene.relay();
    const context = await scene.visitor();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay, { context })]);
    await Promise.all([a.reserved(), b.reserved()]);
    await a.untilFound(await b.id());
    await take(b.page);
    await openWith(a.page, await b.id());
    await write(a.page, 'are you <b>awake</b>? https://example.org/');
    await own(a.page, 'awake', 'delivered').waitFor();
    await got(b.page, 'are you <b>awake</b>?').waitFor();
    assert.equal(await got(b.page, 'awake').locator('a').getAttribute('rel'), 'noopener noreferrer nofollow');
    await write(b.page, 'yes');
    await own(b.page, 'yes', 'delivered').waitFor();
    await got(a.page, 'yes').waitFor();

    await open(b.page, 'header button', { hasText: 'Block' }).click();
    await open(b.page, '.blocked', { hasText: 'You take nothing' }).waitFor();
    await write(a.page, 'hello?');
    await own(a.page, 'hello?', 'refused').getByText('Refused by the other side').waitFor();
    await open(b.page, 'header button', { hasText: 'Unblock' }).click();
    await open(b.page, 'header button', { hasText: /^Block$/ }).waitFor();

    await b.page.close();
    await write(a.page, 'for later');
    await own(a.page, 'for later', 'waiting').getByText('In the mailbox').waitFor({ timeout: 60_000 });
    // The page remembers that it takes messages.
    const again = await scene.joinedTab(relay, { context });
    await again.page.locator('#conversations .pick .badge', { hasText: '1' }).or(got(again.page, 'for later')).first().waitFor();
    await got(again.page, 'for later').waitFor();
    await own(a.page, 'for later', 'delivered').waitFor({ timeout: 60_000 });
    const words = await again.page.locator('.direct .text').allInnerTexts();
    assert.deepEqual(words, ['are you <b>awake</b>? https://example.org/', 'yes', 'for later']);
  },
  PATIENCE,
);

scenario(
  'a member of a room is written to alone; older messages come when one scrolls up; what cannot be is said',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await Promise.all([a.reserved(), b.reserved()]);
    const author = await b.peer((peer) => peer.author);
    await take(b.page);
    await a.peer(async (peer, to) => {
      for (let number = 0; number < 120; number += 1) await peer.messages.send(to, `text ${number}`);
    }, author);
    await enter(a.page, 'lobby', 'Ada');
    await enter(b.page, 'lobby', 'Ben');
    await inRoom(a.page, '.here button', { hasText: 'Ben' }).click();
    await open(a.page, '.direct', { hasText: 'text 119' }).waitFor();
    assert.match(await open(a.page, 'header h3').innerText(), /^Ben/);
    assert.equal(await a.page.locator('.direct').count(), 50);
    for (let shown = 50; shown < 120; shown = await a.page.locator('.direct').count()) {
      const moved = await a.page.evaluate(async (shown) => {
        const list = document.querySelector('.conversation .scroll');
        list.scrollTop = 150;
        const first = [...list.querySelectorAll('.direct')].find((one) => one.getBoundingClientRect().bottom > list.getBoundingClientRect().top);
        const before = first.getBoundingClientRect().top;
        while (list.querySelectorAll('.direct').length === shown) await new Promise((next) => requestAnimationFrame(next));
        return first.getBoundingClientRect().top - before;
      }, shown);
      assert.ok(Math.abs(moved) <= 1, `it jumped by ${moved} px`);
    }
    const numbers = await a.page.locator('.direct .text').evaluateAll((all) => all.map(({ textContent }) => Number(textContent.split(' ')[1])));
    assert.deepEqual(numbers, Array.from({ length: 120 }, (_, number) => number));

    await write(a.page, 'x'.repeat(17_000));
    await open(a.page, '.error', { hasText: 'TOO_LARGE' }).waitFor();
    assert.equal((await open(a.page, '.say textarea').inputValue()).length, 17_000, 'what was typed stays');
    await a.page.locator('#write-to').fill('nobody');
    await a.page.locator('#write-to').press('Enter');
    await a.page.locator('#write-result .error .code').waitFor();
    // The same author by its key is the same conversation.
    await openWith(a.page, await b.peer((peer) => peer.names.owner()));
    assert.equal(await a.page.locator('#conversations .conversation').count(), 1);
    assert.equal(await a.page.locator('#conversations .pick').count(), 1);
  },
  PATIENCE,
);
