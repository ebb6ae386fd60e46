// Rooms on the page, as a visitor works with them.

/** Enters a room by name or link, and waits until it is open. `kind` is who may enter: public, private or words. */
export async function enter(page, room, nick, kind = 'public', words) {
  await page.locator('#room-nick').fill(nick);
  await page.locator(`input[name=room-kind][value=${kind}]`).check();
  if (words !== undefined) await page.locator('#room-words').fill(words);
  await page.locator('#room-name').fill(room);
  await page.locator('#room-name').press('Enter');
  await inRoom(page, '.say textarea').and(page.locator(':focus')).waitFor();
}

/** Something of the room that is open. */
export function inRoom(page, what, options) {
  return page.locator(`#rooms .room:not([hidden]) ${what}`, options);
}

/** Says something in the room that is open, and waits until it is kept. */
export async function say(page, text) {
  const input = inRoom(page, '.say textarea');
  await input.fill(text);
  await input.press('Enter');
  await page.waitForFunction(() => document.querySelector('#rooms .room:not([hidden]) .say textarea').value === '');
}

export function message(page, text) {
  return inRoom(page, '.message', { has: page.locator('.text', { hasText: text }) }).last();
}

/** Does something about a message that is shown. */
export async function deed(page, text, name) {
  const about = message(page, text);
  await about.locator('.more').click();
  await about.locator('.deeds').getByRole('button', { name, exact: true }).click();
}
