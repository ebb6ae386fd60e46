// Chat rooms as a visitor meets them: entered, spoken in, read back and left on the page.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { deed, enter, inRoom, message, say } from './talk.mjs';

const PATIENCE = { timeout: 120_000 };

/** Messages of one author, and in all, for a long history. */
const SPOKEN = 36;
const ALL = 4 * SPOKEN;

/** Runs in the page: says the next numbers in the long room, once those before are there. */
async function speak(peer, from) {
  const room = (window.long = await peer.chat.join('long', { nick: `N${from}` }));
  for (;;) {
    // Listened to before it is asked: what comes in between is not missed.
    const more = new Promise((next) => room.on('message', next));
    if ((await room.history({ limit: 400 })).length >= from) break;
    await more;
  }
  for (let number = from; number < from + 36; number += 1) await room.send(`text ${number} ${'and more '.repeat(number % 30)}`);
}

scenario(
  'two visitors chat: they see each other, answer, mark, change, take back and leave',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'lobby', 'Ada');
    await enter(ben, 'lobby', 'Ben');
    await inRoom(ada, '.here li', { hasText: 'Ben' }).waitFor();
    await say(ada, 'hello there');
    await message(ben, 'hello there').waitFor();
    await deed(ben, 'hello there', 'Reply');
    await say(ben, 'hello Ada');
    await message(ada, 'hello Ada').locator('blockquote', { hasText: 'hello there' }).waitFor();
    await deed(ada, 'hello Ada', 'Thumbs up');
    await message(ben, 'hello Ada').locator('.mark', { hasText: '👍 1' }).waitFor();
    await deed(ben, 'hello Ada', 'Edit');
    await say(ben, 'good morning');
    await message(ada, 'good morning').locator('.edited').waitFor();
    await message(ada, 'good morning').locator('.more').click();
    assert.equal(await message(ada, 'good morning').getByRole('button', { name: 'Delete' }).count(), 0);
    await deed(ben, 'good morning', 'Delete');
    await message(ben, 'good morning').getByRole('button', { name: 'Really delete' }).click();
    await message(ada, 'good morning').waitFor({ state: 'detached' });
    await inRoom(ben, '.say textarea').pressSequentially('I wri');
    await inRoom(ada, '.typing', { hasText: 'writes' }).waitFor();
    await inRoom(ben, 'header button', { hasText: 'Leave' }).click();
    await inRoom(ada, '.hint', { hasText: 'Nobody else is here now.' }).waitFor();
    await ben.locator('#rooms .none').waitFor();
  },
  PATIENCE,
);

scenario(
  'what others write stays text; only addresses of the web become links, which tell nothing of this page',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'lobby', 'Ada');
    await enter(ben, 'lobby', '<i>Ben</i>');
    const hostile = [
      '<img src=x onerror="window.broken = 1"><b>bold</b>',
      'javascript:alert(1) data:text/html,x ftp://example.org/ //example.org',
      'https://user:pass@example.org/',
    ];
    for (const text of hostile) await say(ben, text);
    await say(ben, 'see (https://example.org/a_(b)?c=1#d), http://example.net. "https://[nonsense"');
    await message(ada, 'see (').waitFor();
    const texts = await ada.locator('.message .text').allInnerTexts();
    assert.deepEqual(texts.slice(0, 3), hostile, 'as it was written');
    assert.equal(await ada.locator('.message :is(img, b, i)').count(), 0);
    const links = await ada.locator('.message a').evaluateAll((all) => all.map(({ href, rel, target }) => ({ href, rel, target })));
    const link = (href) => ({ href, rel: 'noopener noreferrer nofollow', target: '_blank' });
    assert.deepEqual(links, [link('https://example.org/a_(b)?c=1#d'), link('http://example.net/')]);
  },
  PATIENCE,
);

scenario(
  'the link of a private room lets another visitor in, and a reload leads back',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'club', 'Ada', 'private');
    await inRoom(ada, '.about summary').click();
    const link = await inRoom(ada, '.about code').innerText();
    assert.match(link, /\/#room=club&secret=[a-z2-7]{26}$/);
    await say(ada, 'only for us');
    await enter(ben, link, 'Ben');
    await message(ben, 'only for us').waitFor();
    await inRoom(ben, '.tag', { hasText: 'private' }).waitFor();
    await ben.goto(relay.url);
    await message(ben, 'only for us').waitFor();
    await ben.goto(link);
    await ben.reload();
    await message(ben, 'only for us').waitFor();
    assert.equal(await ben.locator('#rooms .room').count(), 1);
    await ada.locator('#room-name').fill('#room=club&secret=nonsense');
    await ada.locator('#room-name').press('Enter');
    await ada.locator('#room-result .error', { hasText: 'INVALID_ARGUMENT' }).waitFor();
  },
  PATIENCE,
);

scenario(
  'what was not read is counted beside its room, and in the title of a hidden tab, until somebody looks',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'lobby', 'Ada');
    for (const room of ['lobby', 'kitchen']) await enter(ben, room, 'Ben');
    await inRoom(ada, '.here li', { hasText: 'Ben' }).waitFor();
    const lobby = ben.locator('.pick', { hasText: 'lobby' });
    const badge = lobby.locator('.badge');
    await say(ada, 'first');
    await say(ada, 'second');
    await badge.getByText('2', { exact: true }).waitFor();
    assert.match(await lobby.innerText(), /2 not read yet/);
    const title = await ben.title();
    assert.doesNotMatch(title, /^\(/, 'whoever sees the page needs no number there');
    await visibility(ben, 'hidden');
    assert.equal(await ben.title(), `(2) ${title}`);
    await visibility(ben, 'visible');
    assert.equal(await ben.title(), title);
    await lobby.click();
    await badge.waitFor({ state: 'hidden' });
    const lines = await ben.locator('.room:not([hidden]) .messages > li').evaluateAll((all) => all.map(({ className }) => className.split(' ').at(-1)));
    assert.deepEqual(lines, ['day', 'unread', 'message', 'follows'], 'a line above what is new');
    await visibility(ben, 'hidden');
    await say(ada, 'third');
    await ben.waitForFunction((title) => document.title === `(1) ${title}`, title);
    await visibility(ben, 'visible');
    await ben.waitForFunction((title) => document.title === title, title);
  },
  PATIENCE,
);

scenario(
  'older messages come when one scrolls up, and what is read stays where it is',
  async (scene) => {
    const relay = await scene.relay();
    const tabs = await Promise.all(Array.from({ length: 4 }, () => scene.joinedTab(relay)));
    // One author may not say so much at once.
    for (const [index, tab] of tabs.entries()) await tab.peer(speak, index * SPOKEN);
    const [a, b] = tabs;
    const { page } = a;
    await a.until(async (_snapshot, all) => (await window.long.history({ limit: 400 })).length === all, ALL);
    await enter(page, 'long', 'Ada');
    await message(page, `text ${ALL - 1} `).waitFor();
    assert.equal(await page.locator('.message').count(), 50, 'only the newest at first');
    await page.locator('.messages .day', { hasText: 'Today' }).waitFor();
    for (let shown = 50; shown < ALL; ) {
      const moved = await page.evaluate(async (shown) => {
        const list = document.querySelector('.room .scroll');
        list.scrollTop = 150;
        const first = [...list.querySelectorAll('.message')].find((one) => one.getBoundingClientRect().bottom > list.getBoundingClientRect().top);
        const before = first.getBoundingClientRect().top;
        while (list.querySelectorAll('.message').length === shown) await new Promise((next) => requestAnimationFrame(next));
        return first.getBoundingClientRect().top - before;
      }, shown);
      assert.ok(Math.abs(moved) <= 1, `it jumped by ${moved} px`);
      shown = await page.locator('.message').count();
    }
    const numbers = await page.locator('.message .text').evaluateAll((all) => all.map(({ textContent }) => Number(textContent.split(' ')[1])));
    assert.deepEqual(numbers, Array.from({ length: ALL }, (_, number) => number));
    await inRoom(page, '.edge', { hasText: 'This is the beginning.' }).waitFor();

    // Something new does not take the reader away, but is told.
    const top = () => page.evaluate(() => document.querySelector('.room .scroll').scrollTop);
    const before = await top();
    await enter(b.page, 'long', 'Ben');
    await say(b.page, 'are you there?');
    await inRoom(page, '.jump', { hasText: '1 new message below' }).waitFor();
    assert.equal(await top(), before);
    await inRoom(page, '.jump').click();
    await message(page, 'are you there?').waitFor();
    await inRoom(page, '.jump').waitFor({ state: 'hidden' });

    // Nor when it is drawn before the browser has told that the reader left the end.
    await page.evaluate(() => {
      window.late = new AbortController();
      document.addEventListener('scroll', (event) => event.stopImmediatePropagation(), { capture: true, signal: window.late.signal });
      document.querySelector('.room .scroll').scrollTop = 400;
    });
    await say(b.page, 'and now?');
    await inRoom(page, '.jump', { hasText: '1 new message below' }).waitFor();
    assert.equal(await top(), 400);
    await page.evaluate(() => window.late.abort());

    // Whoever comes back from another room is where the newest is, if that is where he was.
    await inRoom(page, '.jump').click();
    await enter(page, 'other', 'Ada');
    for (const text of ['one', 'two', 'three']) await say(b.page, `${text} ${'and more '.repeat(40)}`);
    const pick = page.locator('.pick', { hasText: 'long' });
    await pick.locator('.badge').getByText('3', { exact: true }).waitFor();
    await pick.click();
    await message(page, 'three and more').waitFor();
    const below = await inRoom(page, '.scroll').evaluate((list) => list.scrollHeight - list.clientHeight - list.scrollTop);
    assert.ok(below <= 1, `${below} px below what is shown`);
    assert.equal(await inRoom(page, '.jump').isVisible(), false);
  },
  PATIENCE,
);

scenario(
  'a room is entered, spoken in and answered in with the keyboard alone, on a phone',
  async (scene) => {
    const relay = await scene.relay();
    const context = await scene.visitor({ viewport: { width: 360, height: 740 } });
    const [{ page }, b] = await Promise.all([scene.joinedTab(relay, { context }), scene.joinedTab(relay)]);
    await enter(b.page, 'lobby', 'Ben');
    await say(b.page, 'does anybody type? '.repeat(12));
    await page.locator('#room-name').focus();
    await page.keyboard.type('lobby');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Ada');
    await page.keyboard.press('Enter');
    await message(page, 'does anybody').waitFor();
    await page.waitForFunction(() => document.activeElement?.matches('.room .say textarea'), undefined);
    await page.keyboard.type('yes');
    await page.keyboard.press('Enter');
    await message(b.page, 'yes').waitFor();
    // Back from the composer, past the way to the newest, to the last message but one.
    await message(page, 'yes').waitFor();
    for (let steps = 0; steps < 2; ) {
      await page.keyboard.press('Shift+Tab');
      if (await page.evaluate(() => document.activeElement.matches('.message .more'))) steps += 1;
    }
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Reply');
    await page.keyboard.press('Enter');
    await page.keyboard.type('I do');
    await page.keyboard.press('Enter');
    await message(b.page, 'I do').locator('blockquote', { hasText: 'does anybody' }).waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360, 'nothing is wider than the phone');
    const unnamed = await page.evaluate(() =>
      [...document.querySelectorAll(':is(#rooms, #conversations) :is(button, input, textarea)')]
        .filter((one) => !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length))
        .map((one) => one.outerHTML),
    );
    assert.deepEqual(unnamed, [], 'everything has a name for those who hear the page');
  },
  PATIENCE,
);

/** Headless tabs are never hidden: what the browser would say is said for it. */
function visibility(page, state) {
  return page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => state === 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
}
