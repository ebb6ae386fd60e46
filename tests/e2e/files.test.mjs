// Files in tabs: from tab to tab, from the command line to a tab, and back.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { failure, scenario, temporaryFolder } from './harness.mjs';
import { BINARY } from './relay.mjs';
import { sharing } from './sharing.mjs';

const MIB = 1024 * 1024;
const PATIENCE = { timeout: 150_000 };
const ANY_PORT = '127.0.0.1:0';
const run = promisify(execFile);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Shares random bytes in a tab: what `share` resolves with, their checksum, and the last step of its progress. */
const share = (tab, size, name, tags) =>
  tab.peer(
    async (peer, [size, name, tags]) => {
      const bytes = new Uint8Array(size);
      // No more than 64 KiB at a time.
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      let last;
      const shared = await peer.files.share(new File([bytes], name), { tags, onProgress: (step) => (last = step) });
      const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return { ...shared, last, sha256: [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
    },
    [size, name, tags],
  );

/** Fetches in a tab, reads the stream to its end, and waits until it is told that all of it is there. */
const fetched = (tab, what) =>
  tab.peer(async (peer, what) => {
    let told;
    const whole = new Promise((resolve) => (told = resolve));
    const onProgress = (step) => step.bytes === step.size && told(step);
    const file = await peer.files.fetch(what, { onProgress });
    const parts = [];
    for await (const part of file.stream()) parts.push(part);
    const bytes = await new Blob(parts).arrayBuffer();
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const { bytes: last } = await whole;
    return { size: file.size, name: file.name, last, sha256: [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
  }, what);

/** Searches in a tab until something is found: words are announced a moment after the file. */
const found = async (tab, query) => {
  const search = async (_, query) => {
    const hits = [];
    for await (const hit of window.warren.peer.files.search(query)) hits.push(hit);
    window.hits = hits;
    return hits.length > 0;
  };
  await tab.until(search, query);
  return tab.page.evaluate(() => window.hits);
};

scenario(
  'files go from tab to tab, from the command line to a tab and back, byte for byte',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      // One has its files in memory, the other one on disk.
      const [a, b] = await Promise.all([scene.joinedTab(relay, { query: { identity: 'memory' } }), scene.joinedTab(relay)]);
      await Promise.all([a.reserved(), b.reserved()]);
      const kinds = [a, b].map((tab) => tab.peer((peer) => peer.files.storage()));
      assert.deepEqual((await Promise.all(kinds)).map(({ kind }) => kind), ['memory', 'disk']);
      const size = 3 * MIB + 123;
      const film = await share(a, size, 'Red sea.film', ['holiday 2024']);
      assert.deepEqual([film.size, film.last], [size, { bytes: size, size }]);
      assert.match(film.link, /^warren:bafkr4i[a-z2-7]{52}\?name=Red%20sea\.film$/);

      const copy = await fetched(b, film.link);
      assert.deepEqual([copy.sha256, copy.size, copy.name], [film.sha256, size, 'Red sea.film']);
      assert.equal(copy.last, size);
      const [hit, ...others] = await found(b, 'HOLIDAY red');
      assert.deepEqual([hit.cid, hit.words, hit.holders, others], [film.cid, 2, [await a.id()], []]);
      const [listed] = await b.peer((peer) => peer.files.list());
      assert.deepEqual([listed.cid, listed.complete, listed.bytes], [film.cid, true, size]);

      // Tabs give it to the command line.
      const place = join(folder.path, 'copy');
      const { stdout } = await run(BINARY, ['get', film.link, '-o', place, '--listen', ANY_PORT, '--join', relay.url, '--sha256', '--json']);
      assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).sha256, film.sha256);
      assert.equal(sha256(readFileSync(place)), film.sha256);

      const original = randomBytes(2 * MIB + 1);
      const path = join(folder.path, 'plan.bin');
      writeFileSync(path, original);
      program = await sharing(relay, path);
      const plan = await fetched(a, program.link);
      assert.deepEqual([plan.sha256, plan.name, plan.size], [sha256(original), 'plan.bin', original.length]);

      // What was removed is not there any more, and what cannot be fetched says why.
      assert.equal(await a.peer((peer, cid) => peer.files.remove(cid), program.cid), true);
      assert.deepEqual((await a.peer((peer) => peer.files.list())).map(({ cid }) => cid), [film.cid]);
      const fetching = (tab, what) => failure(tab.peer((peer, what) => peer.files.fetch(what), what));
      assert.equal((await fetching(a, 'nonsense')).code, 'INVALID_ARGUMENT');
      const large = a.peer((peer) => peer.files.share(new Blob(Array(257).fill(new Blob([new Uint8Array(1024 * 1024)])))));
      const error = await failure(large);
      assert.deepEqual([error.code, /warren share/.test(error.remedy)], ['TOO_LARGE', true]);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);
