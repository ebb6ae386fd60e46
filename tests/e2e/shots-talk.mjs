// node tests/e2e/shots-talk.mjs [folder]
// Pictures of rooms and messages on the page: empty, lively, private, with errors, and each state of a message; light and
// dark, phone and desktop. Run by hand, to be looked at. Everything in them is real.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { Relay } from './relay.mjs';
import { Tab } from './tab.mjs';
import { deed, enter, inRoom, message, say } from './talk.mjs';

const FOLDER = process.argv[2] ?? fileURLToPath(new URL('../../target/shots', import.meta.url));
const SCREENS = {
  phone: { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true },
  desktop: { viewport: { width: 1280, height: 900 } },
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
  const contexts = [];
  const visit = async (options) => {
    contexts.push(await browser.newContext(options));
    const tab = await Tab.open(contexts.at(-1), relay.url);
    await tab.reserved();
    return tab;
  };
  try {
    const [hazel, fiver, bigwig] = [await visit(options), await visit(), await visit()];
    await hazel.page.locator('#rooms .none').waitFor();
    await picture(hazel.page, 'h-rooms', `rooms-empty-${name}`);
    await picture(hazel.page, 'h-messages', `messages-empty-${name}`);
    await talk(hazel.page, fiver.page, bigwig.page);
    await picture(hazel.page, 'h-rooms', `rooms-lively-${name}`);
    await elders(hazel.page, fiver.page);
    await picture(hazel.page, 'h-rooms', `rooms-private-${name}`);
    await mistakes(hazel.page);
    await picture(hazel.page, 'h-rooms', `rooms-error-${name}`);
    // While there is a relay: without one the form waits for it.
    await hazel.page.locator('#write-to').fill('nobody');
    await hazel.page.locator('#write-to').press('Enter');
    await hazel.page.locator('#write-result .error').waitFor();
    await picture(hazel.page, 'h-messages', `messages-error-${name}`);
    await hazel.page.evaluate(() => document.querySelector('#write-result').replaceChildren());
    await write(hazel, fiver, relay);
    await picture(hazel.page, 'h-messages', `messages-states-${name}`);
  } finally {
    for (const context of contexts) await context.close();
    await relay.remove();
  }
}

async function talk(hazel, fiver, bigwig) {
  await enter(hazel, 'burrow', 'Hazel');
  await enter(fiver, 'burrow', 'Fiver');
  await enter(bigwig, 'burrow', 'Bigwig');
  await inRoom(hazel, '.here li').nth(1).waitFor();
  await say(hazel, 'Good morning! The relay of last night is up again.');
  await say(hazel, 'Notes are at https://example.org/notes?day=3 (and the old ones at http://example.org/old).');
  await message(fiver, 'Notes').waitFor();
  await say(fiver, 'Seen. I <b>never</b> trust a page that parses my HTML.');
  await message(bigwig, 'never').waitFor();
  await deed(bigwig, 'Good morning', 'Reply');
  await say(bigwig, 'Was it the disk? It took the whole night to copy, and I had to walk around in the dark to find the other one.');
  await message(fiver, 'the disk').waitFor();
  await deed(fiver, 'the disk', 'Thumbs up');
  await message(hazel, 'the disk').locator('.mark').click();
  await deed(fiver, 'the disk', 'Heart');
  await say(fiver, 'It was the cat');
  await deed(fiver, 'It was the cat', 'Edit');
  await say(fiver, 'It was the cat, as always');
  await inRoom(hazel, '.edited').waitFor();
  await inRoom(fiver, '.say textarea').pressSequentially('I am');
  await inRoom(hazel, '.typing', { hasText: 'writes' }).waitFor();
  await message(hazel, 'the cat').locator('.more').click();
}

async function elders(hazel, fiver) {
  await enter(hazel, 'elders', 'Hazel', 'private');
  await say(hazel, 'Nobody but us.');
  await deed(hazel, 'Nobody but us', 'Edit');
  for (const text of ['one', 'two']) await say(fiver, text);
  await hazel.locator('#rooms .badge', { hasText: '2' }).waitFor();
  await inRoom(hazel, '.about summary').click();
}

async function mistakes(page) {
  const input = inRoom(page, '.say textarea');
  await input.press('Escape');
  await input.fill('far too long '.repeat(1_400));
  await input.press('Enter');
  await inRoom(page, '.error').waitFor();
  await page.locator('#room-name').fill('#room=elders&secret=half');
  await page.locator('#room-name').press('Enter');
  await page.locator('#room-result .error').waitFor();
}

async function write(hazel, fiver, relay) {
  const open = (page, what, options) => page.locator(`#conversations .conversation:not([hidden]) ${what}`, options);
  const send = async (page, text) => {
    await open(page, '.say textarea').fill(text);
    await open(page, '.say textarea').press('Enter');
  };
  const reached = (text, state) => open(hazel.page, `.direct[data-state=${state}]`, { hasText: text }).waitFor();
  await fiver.page.locator('#receiving button').click();
  await fiver.page.locator('#receiving', { hasText: 'This tab takes messages.' }).waitFor();
  await hazel.page.locator('#rooms .pick', { hasText: 'burrow' }).click();
  await inRoom(hazel.page, '.here button', { hasText: 'Fiver' }).click();
  await send(hazel.page, 'Are you awake? See https://example.org/');
  await reached('awake', 'delivered');
  await open(fiver.page, '.direct', { hasText: 'awake' }).waitFor();
  await send(fiver.page, 'Yes, and I cannot sleep: the field is full of it. Let us talk tomorrow, with everybody who wants to come.');
  await open(hazel.page, '.direct', { hasText: 'cannot sleep' }).waitFor();
  await open(fiver.page, 'header button', { hasText: 'Block' }).click();
  await open(fiver.page, '.blocked', { hasText: 'You take nothing' }).waitFor();
  await send(hazel.page, 'Tomorrow then');
  await reached('Tomorrow then', 'refused');
  await open(fiver.page, 'header button', { hasText: 'Unblock' }).click();
  await open(fiver.page, 'header button', { hasText: /^Block$/ }).waitFor();
  await fiver.page.close();
  await send(hazel.page, 'This one waits for you');
  await reached('waits for you', 'waiting');
  await relay.kill();
  await send(hazel.page, 'And this one has no relay');
  await reached('no relay', 'sending');
}

async function picture(page, section, name) {
  await page.evaluate(() => document.fonts.ready.then(() => document.activeElement?.blur()));
  const path = join(FOLDER, `${name}.png`);
  await page.locator(`section[aria-labelledby=${section}]`).screenshot({ path, animations: 'disabled' });
  console.log(path);
}
