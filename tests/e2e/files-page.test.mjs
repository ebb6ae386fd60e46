// Files as a visitor meets them: dropped and picked, opened by their link, found by a tag, paused and cancelled.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tab, scenario, temporaryFolder } from './harness.mjs';
import { sharing } from './sharing.mjs';

const PATIENCE = { timeout: 120_000 };
/** Many times what is asked for at first, so that a pause finds something missing. */
const LARGE = 8 * 1024 * 1024;
const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const MARKUP = '<!doctype html><b>not bold</b><script>window.broken = 1</script>';
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const row = (page, name) => page.locator('#files > li', { hasText: name });
const press = (page, name, button) => row(page, name).getByRole('button', { name: `${button} ${name}`, exact: true }).click();
const reached = (page, name, state) => page.locator(`#files > li[data-state=${state}]`, { hasText: name }).waitFor();

/** Drops a file somewhere on the page; whether the page says before that it may be dropped. */
const drop = (page, bytes, name, type) =>
  page.evaluate(
    ([base64, name, type]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], name, { type }));
      const fire = (kind) => document.querySelector('h1').dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
      fire('dragover');
      const seen = document.querySelector('.drop-here').checkVisibility();
      fire('drop');
      return seen;
    },
    [bytes.toString('base64'), name, type],
  );

/** Searches until something is found: words are announced a moment after the file. */
async function find(page, words) {
  const hit = page.locator('#search-result .found > li');
  const none = page.locator('#search-result .hint');
  for (;;) {
    await page.locator('#search-words').fill(words);
    await page.locator('#search-words').press('Enter');
    await page.locator('#search-form:not([aria-busy])').and(page.locator(':has(.found > li, .result .hint)')).waitFor();
    if ((await none.count()) === 0) return hit;
  }
}

async function saved(page, name) {
  const download = page.waitForEvent('download');
  await press(page, name, 'Save');
  const file = await download;
  return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
}

async function fetchTyped(page, what) {
  await page.locator('#fetch-what').fill(what);
  await page.locator('#fetch-what').press('Enter');
}

/** Presses a button of a transfer as soon as there is one. */
const pressSoon = (page, label) =>
  page.evaluate((label) => {
    const find = () => [...document.querySelectorAll('#files button:not([hidden])')].find(({ textContent }) => textContent === label);
    const observer = new MutationObserver(() => {
      const button = find();
      if (!button) return;
      observer.disconnect();
      button.click();
    });
    observer.observe(document.querySelector('#files'), { childList: true, subtree: true, attributes: true, characterData: true });
  }, label);

scenario(
  'a visitor drops and picks files; another one opens the link, finds the other file by its tag, and saves what was shared',
  async (scene) => {
    const relay = await scene.relay();
    const a = await scene.joinedTab(relay);
    await a.reserved();
    assert.equal(await drop(a.page, PICTURE, 'a picture.png', 'image/png'), true, 'it shows where files may be dropped');
    await a.page.locator('#share-files').setInputFiles({ name: 'page.html', mimeType: 'text/html', buffer: Buffer.from(MARKUP) });
    await a.page.locator('#share-tags').fill('holiday 2024, red');
    await a.page.locator('#share-go').click();
    const cards = a.page.locator('#share-result .good');
    await cards.nth(1).waitFor();
    const link = await cards.first().locator('code').innerText();
    assert.match(link, /\/#\/f\/bafkr4i[a-z2-7]{52}\?name=a%20picture\.png$/);
    assert.equal(await a.page.locator('#share-chosen li').count(), 0);
    await reached(a.page, 'page.html', 'complete');
    assert.deepEqual(await row(a.page, 'page.html').locator('.tag').allInnerTexts(), ['holiday 2024', 'red']);

    // The link opens the page, which fetches as soon as it has joined, and shows what came.
    const b = new Tab(await (await scene.visitor()).newPage());
    await b.page.goto(link);
    await b.page.locator('#files img').waitFor();
    assert.equal(await b.page.locator('#files img').evaluate(async (image) => (await image.decode(), image.naturalWidth)), 1);
    const copy = await saved(b.page, 'a picture.png');
    assert.deepEqual([copy.name, sha256(copy.bytes)], ['a picture.png', sha256(PICTURE)]);

    const [hit] = await (await find(b.page, 'HOLIDAY')).filter({ hasText: 'page.html' }).all();
    assert.match(await hit.innerText(), /1 peer has it/);
    await hit.getByRole('button', { name: 'Fetch page.html' }).click();
    await b.page.locator('#files pre').waitFor();
    assert.equal(await b.page.locator('#files pre').innerText(), MARKUP);
    assert.equal(await b.page.evaluate(() => window.broken), undefined);
    await fetchTyped(b.page, 'nonsense');
    await b.page.locator('#fetch-result .error', { hasText: 'INVALID_ARGUMENT' }).waitFor();
    assert.deepEqual(b.complaints.all, []);

    // Nothing is removed before it is said twice.
    await press(a.page, 'a picture.png', 'Remove');
    await a.page.getByRole('button', { name: 'Keep it' }).and(a.page.locator(':focus')).press('Enter');
    await press(a.page, 'a picture.png', 'Remove');
    await a.page.getByRole('button', { name: 'Remove it' }).press('Enter');
    await row(a.page, 'a picture.png').waitFor({ state: 'detached' });
    assert.deepEqual((await a.peer((peer) => peer.files.list())).map(({ name }) => name), ['page.html']);
  },
  PATIENCE,
);

scenario(
  'a transfer rests when it is paused, goes on with what is missing, and leaves nothing behind when it is cancelled',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      const b = await scene.joinedTab(relay);
      const bytes = randomBytes(LARGE);
      const path = join(folder.path, 'large.bin');
      writeFileSync(path, bytes);
      // As long as a page needs to press a button in the middle.
      program = await sharing(relay, path, ['--limit-rate', '1024']);
      const listed = () => b.peer((peer) => peer.files.list());

      await pressSoon(b.page, 'Pause');
      await fetchTyped(b.page, program.link);
      await reached(b.page, 'large.bin', 'paused');
      // What was asked for is taken; then nobody is asked.
      await b.until(async () => (await window.warren.peer.files.list()).every(({ paused, sources }) => paused && sources === 0));
      const [rests] = await listed();
      assert.ok(rests.bytes < LARGE && rests.pieces.length === 32 && rests.pieces.includes(0), JSON.stringify(rests));
      await row(b.page, 'large.bin').getByText('Paused at').waitFor();
      const bar = row(b.page, 'large.bin').getByRole('progressbar');
      await b.until((_, share) => Number(document.querySelector('#files [role=progressbar]').ariaValueNow) === share, Math.floor((rests.bytes / LARGE) * 100));
      assert.match(await bar.evaluate((element) => element.style.getPropertyValue('--there')), /linear-gradient/);
      await press(b.page, 'large.bin', 'Resume');
      await reached(b.page, 'large.bin', 'complete');
      const copy = await saved(b.page, 'large.bin');
      assert.equal(sha256(copy.bytes), sha256(bytes));
      await press(b.page, 'large.bin', 'Remove');
      await b.page.getByRole('button', { name: 'Remove it' }).click();
      await row(b.page, 'large.bin').waitFor({ state: 'detached' });

      await pressSoon(b.page, 'Cancel');
      await fetchTyped(b.page, program.link);
      await b.page.locator('#fetch-form:not([aria-busy])').waitFor();
      await row(b.page, 'large.bin').waitFor({ state: 'detached' });
      await b.until(async () => (await window.warren.peer.files.list()).length === 0);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);
