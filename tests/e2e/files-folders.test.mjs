// Directories in tabs: shared from a folder, fetched by tabs and by the command line, kept over a reload, written to a folder, shown on
// the page; and many small files from the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { LONG, Tab, failure, scenario, temporaryFolder } from './harness.mjs';
import { BINARY } from './relay.mjs';
import { sharing } from './sharing.mjs';

const PATIENCE = { timeout: LONG ? 900_000 : 150_000 };
const ANY_PORT = '127.0.0.1:0';
const run = promisify(execFile);

/** A folder by its paths: small files in several folders, one in two places, an empty one, and some that are larger than a piece. */
function contents(small) {
  const files = {};
  for (let number = 0; number < small; number += 1) files[`photos/${number % 9}/${number}.txt`] = `photo ${number} `.repeat(1 + (number % 90));
  files['again.txt'] = files['photos/0/0.txt'];
  files['empty'] = '';
  files['film'] = 'a film '.repeat(100_000);
  files['notes.txt'] = 'what was seen at the sea';
  return files;
}

/** One checksum for all: paths and contents, in the order of the paths. */
function checksum(files) {
  const hash = createHash('sha256');
  for (const path of Object.keys(files).sort()) hash.update(`${path}\n${files[path]}\n`);
  return hash.digest('hex');
}

/** Puts files into a folder of the browser's private file system, and shares that. */
const shareFolder = (tab, files, name) =>
  tab.peer(
    async (peer, [files, name]) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
      for (const [path, text] of Object.entries(files)) {
        const names = path.split('/');
        let folder = root;
        for (const above of names.slice(0, -1)) folder = await folder.getDirectoryHandle(above, { create: true });
        const writable = await (await folder.getFileHandle(names.at(-1), { create: true })).createWritable();
        await writable.write(text);
        await writable.close();
      }
      let last;
      const shared = await peer.files.share(root, { tags: ['trip'], onProgress: (step) => (last = step) });
      return { ...shared, last };
    },
    [files, name],
  );

/** Fetches a directory in a tab: all its files under one checksum, as `checksum` makes it. */
const fetched = (tab, what) =>
  tab.peer(async (peer, what) => {
    let last;
    const directory = await peer.files.fetchDirectory(what, { onProgress: (step) => (last = step) });
    await directory.complete();
    const parts = [];
    for (const { path } of directory.entries) parts.push(`${path}\n`, await (await directory.file(path)).blob(), '\n');
    const all = await new Blob(parts).arrayBuffer();
    const sum = [...new Uint8Array(await crypto.subtle.digest('SHA-256', all))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return { kind: directory.kind, cid: directory.cid, name: directory.name, size: directory.size, files: directory.entries.length, last, sum };
  }, what);

const list = async (tab) => (await tab.peer((peer) => peer.files.list())).map(({ kind, cid, name, complete, files }) => ({ kind, cid, name, complete, files }));

async function reloaded(tab) {
  await tab.page.reload();
  await tab.started();
  await tab.joined();
}

function written(folder, files) {
  for (const [path, text] of Object.entries(files)) {
    const place = join(folder, path);
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
  }
}

const sizeOf = (files) => Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);

scenario(
  'a folder goes from a tab to another one and to the command line, and is there again after a reload',
  async (scene) => {
    const folder = temporaryFolder();
    try {
      const relay = await scene.relay();
      const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
      await Promise.all([a.reserved(), b.reserved()]);
      const files = contents(60);
      const [size, count] = [sizeOf(files), Object.keys(files).length];
      const shared = await shareFolder(a, files, 'Sea');
      assert.deepEqual([shared.size, shared.last], [size, { bytes: size, size }]);
      assert.match(shared.link, /^warren:bafyr4i[a-z2-7]{52}\?name=Sea$/);
      const one = { kind: 'directory', cid: shared.cid, name: 'Sea', complete: true, files: count };
      assert.deepEqual(await list(a), [one], 'its files are not listed one by one');

      const copy = await fetched(b, shared.link);
      assert.equal(copy.sum, checksum(files));
      assert.deepEqual([copy.kind, copy.cid, copy.name, copy.size, copy.files], ['directory', shared.cid, 'Sea', size, count]);
      assert.deepEqual([copy.last.bytes, copy.last.size], [size, size]);
      const place = join(folder.path, 'copy');
      await run(BINARY, ['get', shared.link, '-o', place, '--listen', ANY_PORT, '--join', relay.url]);
      for (const [path, text] of Object.entries(files)) assert.equal(readFileSync(join(place, path), 'utf8'), text, path);

      // Whoever has shared it is gone; who has fetched it was reloaded, and gives it.
      await a.page.close();
      await reloaded(b);
      const c = await scene.joinedTab(relay);
      assert.equal((await fetched(c, shared.cid)).sum, checksum(files));
      assert.deepEqual(await list(b), [one]);
      assert.equal((await fetched(b, shared.cid)).sum, checksum(files), 'it is read from the disk');

      // A directory is no file, and a file no directory.
      const wrong = await failure(c.peer((peer, cid) => peer.files.fetch(cid), shared.cid));
      assert.deepEqual([wrong.code, /fetchDirectory/.test(wrong.remedy)], ['UNSUPPORTED', true]);
      const member = await c.peer(async (peer, cid) => (await peer.files.fetchDirectory(cid)).entries[0].cid, shared.cid);
      assert.equal((await failure(c.peer((peer, cid) => peer.files.fetchDirectory(cid), member))).code, 'UNSUPPORTED');

      assert.equal(await b.peer((peer, cid) => peer.files.remove(cid), shared.cid), true);
      await reloaded(b);
      assert.deepEqual(await list(b), []);
      assert.equal((await b.peer((peer) => peer.files.storage())).used, 0, 'nothing of it is left');
    } finally {
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'many small files of the command line come over one connection, are kept, and are written to a folder where nothing is replaced',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      const tab = await scene.joinedTab(relay);
      const files = contents(LONG ? 5_000 : 300);
      const source = join(folder.path, 'Sea');
      written(source, files);
      program = await sharing(relay, source);
      const copy = await fetched(tab, program.link);
      assert.deepEqual([copy.sum, copy.cid, copy.files], [checksum(files), program.cid, Object.keys(files).length]);
      program.stop();
      await reloaded(tab);
      assert.equal((await list(tab))[0].complete, true);

      const saved = () =>
        tab.peer(async (peer, cid) => {
          const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('saved', { create: true });
          const directory = await peer.files.fetchDirectory(cid);
          await directory.saveTo(root);
          const texts = {};
          for (const { path } of directory.entries) {
            const names = path.split('/');
            let folder = root;
            for (const above of names.slice(0, -1)) folder = await folder.getDirectoryHandle(above);
            texts[path] = await (await (await folder.getFileHandle(names.at(-1))).getFile()).text();
          }
          return texts;
        }, program.cid);
      assert.equal(checksum(await saved()), checksum(files));
      assert.equal(checksum(await saved()), checksum(files), 'what is there and the same stays');
      await tab.peer(async () => {
        const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('saved');
        const writable = await (await root.getFileHandle('notes.txt')).createWritable();
        await writable.write('something else');
        await writable.close();
      });
      const error = await failure(saved());
      assert.deepEqual([error.code, /notes\.txt/.test(error.message)], ['INVALID_ARGUMENT', true]);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'a folder with paths that cannot be everywhere is refused with the path, and leaves nothing',
  async (scene) => {
    const relay = await scene.relay();
    const tab = await scene.joinedTab(relay);
    const share = (paths) =>
      failure(
        tab.peer((peer, paths) => peer.files.share(paths.map((path) => ({ path, file: new Blob([path]) })), { name: 'bad' }), paths),
      );
    for (const [paths, told] of [
      [['fine', '../out'], '../out'],
      [['/etc/passwd'], '/etc/passwd'],
      [['aux.c'], 'aux.c'],
      [['README', 'a', 'readme'], 'readme'],
      [['a', 'a/b'], 'a'],
    ]) {
      const error = await share(paths);
      assert.deepEqual([error.code, error.message.includes(`"${told}"`), error.remedy !== ''], ['INVALID_ARGUMENT', true, true], error.message);
    }
    assert.deepEqual(await list(tab), []);
    assert.equal((await tab.peer((peer) => peer.files.storage())).used, 0);
  },
  PATIENCE,
);

scenario(
  'a visitor picks a folder; another one opens its link, looks at a file, and saves it',
  async (scene) => {
    const folder = temporaryFolder();
    try {
      const relay = await scene.relay();
      const a = await scene.joinedTab(relay);
      await a.reserved();
      const files = { 'notes.txt': 'what was seen', 'deep/er/list.txt': 'sand, water' };
      written(join(folder.path, 'Sea'), files);
      await a.page.locator('#share-folder').setInputFiles(join(folder.path, 'Sea'));
      await a.page.locator('#share-chosen li', { hasText: '2 files' }).waitFor();
      await a.page.locator('#share-go').click();
      const card = a.page.locator('#share-result .good');
      await card.waitFor();
      const link = await card.locator('code').innerText();
      assert.match(link, /\/#\/f\/bafyr4i[a-z2-7]{52}\?name=Sea$/);

      const b = new Tab(await (await scene.visitor()).newPage());
      await b.page.goto(link);
      const rows = b.page.locator('#files .listing > li');
      await rows.nth(1).waitFor();
      assert.deepEqual(await rows.locator('span').allInnerTexts(), ['deep/er/list.txt', 'notes.txt']);
      await b.page.getByRole('button', { name: 'Show notes.txt', exact: true }).click();
      await rows.locator('pre').waitFor();
      assert.equal(await rows.locator('pre').innerText(), files['notes.txt']);
      const download = b.page.waitForEvent('download');
      await b.page.getByRole('button', { name: 'Save deep/er/list.txt', exact: true }).click();
      const saved = await download;
      assert.deepEqual([saved.suggestedFilename(), readFileSync(await saved.path(), 'utf8')], ['list.txt', files['deep/er/list.txt']]);
      await b.page.locator('#files > li[data-state=complete]', { hasText: 'Sea' }).waitFor();
      assert.deepEqual(b.complaints.all, []);
    } finally {
      folder.remove();
    }
  },
  PATIENCE,
);
