// Chat rooms as a visitor meets them: entered, spoken in and left on the page.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';

const PATIENCE = { timeout: 120_000 };

/** Enters a room by name or link. */
async function enter(page, room, nick, isPrivate = false) {
  await page.locator('#room-nick').fill(nick);
  await page.locator('#room-private').setChecked(isPrivate);
  await page.locator('#room-name').fill(room);
  await page.locator('#room-name').press('Enter');
  await page.locator('#rooms .room').waitFor();
}

async function say(page, text) {
  const input = page.locator('#rooms .room > form.say textarea');
  await input.fill(text);
  await input.press('Enter');
}

const message = (page, text) => page.locator('#rooms .message', { has: page.locator('.text', { hasText: text }) });

scenario(
  'two visitors chat: they see each other, answer, mark, change, take back and leave',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'lobby', 'Ada');
    await enter(ben, 'lobby', 'Ben');
    await ada.locator('.room .chips li', { hasText: 'Ben' }).waitFor();
    await say(ada, 'hello <b>there</b>');
    await message(ben, 'hello <b>there</b>').waitFor();
    await message(ben, 'hello').getByRole('button', { name: 'Reply' }).click();
    await say(ben, 'hello Ada');
    await message(ada, 'hello Ada').locator('blockquote', { hasText: 'hello <b>' }).waitFor();
    await message(ada, 'hello Ada').getByRole('button', { name: '👍' }).click();
    await message(ben, 'hello Ada').locator('.mark', { hasText: '👍 1' }).waitFor();
    await message(ben, 'hello Ada').getByRole('button', { name: 'Edit' }).click();
    await say(ben, 'good morning');
    await message(ada, 'good morning').locator('.by', { hasText: 'edited' }).waitFor();
    assert.equal(await message(ada, 'good morning').getByRole('button', { name: 'Delete' }).count(), 0);
    await message(ben, 'good morning').getByRole('button', { name: 'Delete' }).click();
    await message(ada, 'good morning').waitFor({ state: 'detached' });
    await ben.locator('.room > form.say textarea').pressSequentially('I wri');
    await ada.locator('.typing', { hasText: 'writes' }).waitFor();
    await ben.locator('.room header button', { hasText: 'Leave' }).click();
    await ada.locator('.room', { hasText: 'Nobody else is here now.' }).waitFor();
    await ben.locator('#rooms .none').waitFor();
  },
  PATIENCE,
);

scenario(
  'the link of a private room lets another visitor in',
  async (scene) => {
    const relay = await scene.relay();
    const [{ page: ada }, { page: ben }] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(ada, 'club', 'Ada', true);
    const link = await ada.locator('.room code').first().innerText();
    assert.match(link, /\/#room=club&secret=[a-z2-7]{26}$/);
    await say(ada, 'only for us');
    await enter(ben, link, 'Ben');
    await message(ben, 'only for us').waitFor();
    await ben.locator('.room .tag', { hasText: 'private' }).waitFor();
    await ben.goto(link);
    await ben.reload();
    await message(ben, 'only for us').waitFor();
  },
  PATIENCE,
);
