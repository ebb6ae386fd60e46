// Files that stay where they are: shared by their handles, given from their places, also after a reload, and not any more when they have
// changed. The handles are of the browser's private file system, for which nobody has to allow anything.

import assert from 'node:assert/strict';
import { failure, scenario } from './harness.mjs';

const MIB = 1024 * 1024;
/** Whoever wants what nobody has waits for a minute. */
const PATIENCE = { timeout: 180_000 };
const NAME = 'Red sea.film';

/** Writes random bytes to a file of the page's own: their checksum. */
const write = (tab, name, size) =>
  tab.peer(
    async (_, [name, size]) => {
      const bytes = new Uint8Array(size);
      // No more than 64 KiB at a time.
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      const root = await navigator.storage.getDirectory();
      const writable = await (await root.getFileHandle(name, { create: true })).createWritable();
      await writable.write(bytes);
      await writable.close();
      const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    },
    [name, size],
  );

/** Shares it by its handle: what `share` resolves with, and the last step of its progress. */
const share = (tab, name) =>
  tab.peer(async (peer, name) => {
    let last;
    const handle = await (await navigator.storage.getDirectory()).getFileHandle(name);
    const shared = await peer.files.share(handle, { onProgress: (step) => (last = step) });
    return { ...shared, last };
  }, name);

const fetched = (tab, what) =>
  tab.peer(async (peer, what) => {
    const file = await peer.files.fetch(what);
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await (await file.blob()).arrayBuffer()));
    return [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }, what);

const list = async (tab) => (await tab.peer((peer) => peer.files.list())).map(({ name, cid, complete, inPlace }) => ({ name, cid, complete, inPlace }));
const storage = (tab) => tab.peer((peer) => peer.files.storage());
const remove = (tab, cid) => tab.peer((peer, cid) => peer.files.remove(cid), cid);

/** What the store has in the private file system, and how many handles are in the database. */
const kept = (tab) =>
  tab.peer(async () => {
    const files = [];
    const look = async (folder) => {
      for await (const [name, entry] of folder.entries()) {
        if (entry.kind === 'directory') await look(entry);
        else files.push(name);
      }
    };
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('warren-files').catch((error) => {
      if (error.name !== 'NotFoundError') throw error;
    });
    if (folder) await look(folder);
    const ended = (request) => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
    const database = await ended(indexedDB.open('warren'));
    const keys = await ended(database.transaction('bytes').objectStore('bytes').getAllKeys());
    database.close();
    return { files: files.sort(), handles: keys.filter((key) => key.startsWith('handles/')).length };
  });

async function reloaded(tab) {
  await tab.page.reload();
  await tab.started();
  await tab.joined();
}

scenario(
  'a file is shared where it is, also after a reload; when it has changed nobody gets it, and when it is removed its handle is forgotten',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await Promise.all([a.reserved(), b.reserved()]);
    const size = 6 * MIB + 123;
    const sum = await write(a, NAME, size);
    const film = await share(a, NAME);
    assert.deepEqual([film.size, film.last], [size, { bytes: size, size }]);
    assert.deepEqual(await list(a), [{ name: NAME, cid: film.cid, complete: true, inPlace: 'readable' }]);
    const { kind, used } = await storage(a);
    assert.ok(kind === 'disk' && used > 0 && used < size / 16, `its hashes are kept, and nothing else: ${kind}, ${used}`);
    assert.deepEqual(await kept(a), { files: ['1.there'], handles: 1 });
    assert.equal(await fetched(b, film.link), sum);
    assert.equal(await fetched(a, film.cid), sum, 'it is read where it is');

    await b.page.close();
    await reloaded(a);
    const c = await scene.joinedTab(relay);
    await c.reserved();
    assert.equal(await fetched(c, film.link), sum);
    assert.deepEqual(await list(a), [{ name: NAME, cid: film.cid, complete: true, inPlace: 'readable' }]);
    assert.deepEqual(await kept(a), { files: ['1.there'], handles: 1 });

    // Nobody else has it, and it is something else now.
    assert.equal(await remove(c, film.cid), true);
    const other = await write(a, NAME, size);
    assert.notEqual(other, sum);
    const gone = await failure(fetched(c, film.link));
    assert.equal(gone.code, 'NOT_FOUND', gone.message);
    const changed = [{ name: NAME, cid: film.cid, complete: false, inPlace: 'changed' }];
    assert.deepEqual(await list(a), changed);
    await write(a, NAME, size + 1);
    await reloaded(a);
    await a.reserved();
    assert.deepEqual(await list(a), changed);
    const refused = await failure(fetched(a, film.cid));
    assert.ok(refused.code === 'NOT_FOUND' && /changed/.test(refused.message), `${refused.code}: ${refused.message}`);
    const denied = await failure(a.peer((peer, cid) => peer.files.allow(cid), film.cid));
    assert.ok(denied.code === 'NOT_FOUND' && /changed/.test(denied.message), `${denied.code}: ${denied.message}`);

    // It is shared again as what it is now.
    const now = await write(a, NAME, size);
    const again = await share(a, NAME);
    assert.notEqual(again.cid, film.cid);
    assert.equal(await fetched(c, again.link), now);
    assert.equal((await kept(a)).handles, 2);

    assert.deepEqual([await remove(a, film.cid), await remove(a, again.cid)], [true, true]);
    assert.deepEqual([await list(a), await kept(a)], [[], { files: [], handles: 0 }]);
    const left = await a.peer(async (_, name) => (await (await (await navigator.storage.getDirectory()).getFileHandle(name)).getFile()).size, NAME);
    assert.equal(left, size, 'the file itself stays');
  },
  PATIENCE,
);

scenario(
  'a large file that a visitor picks is not copied; the list of the page says when it has changed',
  async (scene) => {
    const relay = await scene.relay();
    const tab = await scene.joinedTab(relay);
    await tab.reserved();
    const size = 64 * MIB + 1;
    const resize = (size) =>
      tab.page.evaluate(async (size) => {
        const handle = await (await navigator.storage.getDirectory()).getFileHandle('plan.bin', { create: true });
        const writable = await handle.createWritable();
        await writable.truncate(size);
        await writable.close();
        // The picker of the browser is not part of the page: nobody can press its buttons here.
        window.showOpenFilePicker = async () => [handle];
      }, size);
    await resize(size);
    await tab.page.locator('#share-choose').click();
    await tab.page.locator('#share-go').click();
    const row = (state) => tab.page.locator(`#files > li[data-state=${state}]`, { hasText: 'plan.bin' });
    await row('complete').waitFor();
    const [{ inPlace }] = await list(tab);
    const { used } = await storage(tab);
    assert.ok(inPlace === 'readable' && used < MIB, `${inPlace}, ${used}`);

    await resize(size + 1);
    await reloaded(tab);
    await row('changed').waitFor();
    assert.match(await row('changed').innerText(), /has changed since it was shared/);
    const buttons = await row('changed').locator('.acts button:not([hidden])').allInnerTexts();
    assert.deepEqual(buttons, ['Copy link', 'Remove']);
    await row('changed').getByRole('button', { name: 'Remove plan.bin' }).click();
    await row('changed').waitFor({ state: 'detached' });
    assert.deepEqual(tab.complaints.all, []);
  },
  PATIENCE,
);
