// Files that tabs keep: over a reload, over a crash in the middle of a download, beside a second tab, and within a quota.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LONG, failure, scenario, temporaryFolder } from './harness.mjs';
import { BINARY } from './relay.mjs';
import { sharing } from './sharing.mjs';

const MIB = 1024 * 1024;
const PATIENCE = { timeout: LONG ? 900_000 : 150_000 };
const ANY_PORT = '127.0.0.1:0';
const run = promisify(execFile);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Shares random bytes in a tab: what `share` resolves with, and their checksum. */
const share = (tab, size, name) =>
  tab.peer(
    async (peer, [size, name]) => {
      const bytes = new Uint8Array(size);
      // No more than 64 KiB at a time.
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
      const shared = await peer.files.share(new File([bytes], name));
      const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
      return { ...shared, sha256: [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
    },
    [size, name],
  );

/** Fetches in a tab: the checksum, and the first and last step of its progress. */
const fetched = (tab, what) =>
  tab.peer(async (peer, what) => {
    let first;
    let told;
    const whole = new Promise((resolve) => (told = resolve));
    const onProgress = (step) => {
      first ??= step.bytes;
      if (step.bytes === step.size) told();
    };
    const file = await peer.files.fetch(what, { onProgress });
    const bytes = await (await file.blob()).arrayBuffer();
    await whole;
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    return { first, size: file.size, sha256: [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('') };
  }, what);

/** Begins to fetch; resolves with how much is there as soon as that is enough. The page ends before all of it has come. */
const begun = (tab, what, enough) =>
  tab.peer(
    (peer, [what, enough]) =>
      new Promise((resolve, reject) => {
        let first;
        const onProgress = ({ bytes, size }) => {
          first ??= bytes;
          if (bytes === size) reject(new Error('all of it has come already'));
          if (bytes >= enough) resolve({ first, bytes });
        };
        peer.files.fetch(what, { onProgress }).catch(reject);
      }),
    [what, enough],
  );

const list = async (tab) => (await tab.peer((peer) => peer.files.list())).map(({ name, cid, bytes, size, complete }) => ({ name, cid, bytes, size, complete }));
const storage = (tab) => tab.peer((peer) => peer.files.storage());

async function reloaded(tab) {
  await tab.page.reload();
  await tab.started();
  await tab.joined();
}

scenario(
  'what a tab shares is shared again after a reload, without anybody asking it; a second tab has files of its own',
  async (scene) => {
    const folder = temporaryFolder();
    try {
      const relay = await scene.relay();
      const context = await scene.visitor();
      const [a, b] = await Promise.all([scene.joinedTab(relay, { context }), scene.joinedTab(relay)]);
      await Promise.all([a.reserved(), b.reserved()]);
      const size = 2 * MIB + 123;
      const film = await share(a, size, 'Red sea.film');
      const before = await storage(a);
      assert.deepEqual([before.kind, before.reason], ['disk', undefined]);
      assert.ok(before.used > size && before.quota > before.used, JSON.stringify(before));

      await reloaded(a);
      const copy = await fetched(b, film.link);
      assert.deepEqual([copy.sha256, copy.size], [film.sha256, size]);
      assert.deepEqual(await list(a), [{ name: 'Red sea.film', cid: film.cid, bytes: size, size, complete: true }]);
      assert.equal((await fetched(a, film.cid)).sha256, film.sha256, 'it is read from the disk');

      // What was fetched is kept as well, and given to others.
      await a.page.close();
      await reloaded(b);
      const place = join(folder.path, 'copy');
      const { stdout } = await run(BINARY, ['get', film.link, '-o', place, '--listen', ANY_PORT, '--join', relay.url, '--sha256', '--json']);
      assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).sha256, film.sha256);
      assert.equal(sha256(readFileSync(place)), film.sha256);

      const again = await scene.joinedTab(relay, { context });
      assert.equal((await storage(again)).kind, 'disk');
      const second = await scene.joinedTab(relay, { context });
      const other = await storage(second);
      assert.deepEqual([other.kind, other.used, await list(second)], ['memory', 0, []]);
      assert.ok(other.reason, 'it says why');
      assert.equal((await list(again)).length, 1, 'the first one still has its own');

      assert.equal(await again.peer((peer, cid) => peer.files.remove(cid), film.cid), true);
      await reloaded(again);
      assert.deepEqual(await list(again), []);
    } finally {
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'a download goes on after a reload and after a crash, and nothing that was verified is fetched again',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      const context = await scene.visitor();
      const tab = await scene.joinedTab(relay, { context });
      const size = (LONG ? 256 : 8) * MIB + 77;
      const original = randomBytes(size);
      const path = join(folder.path, 'plan.bin');
      writeFileSync(path, original);
      // As long as the pages need to be ended in the middle.
      program = await sharing(relay, path, ['--limit-rate', LONG ? '5120' : '512']);
      const first = await begun(tab, program.link, size / 8);
      assert.equal(first.first, 0);
      await reloaded(tab);
      const [kept] = await list(tab);
      assert.ok(kept.bytes >= first.bytes && !kept.complete, JSON.stringify([kept, first]));

      const second = await begun(tab, program.link, kept.bytes + size / 8);
      assert.ok(second.first >= kept.bytes, `${second.first} of ${kept.bytes}`);
      await tab.crash();
      const third = await scene.joinedTab(relay, { context });
      const whole = await fetched(third, program.link);
      assert.ok(whole.first >= second.bytes, `${whole.first} of ${second.bytes}`);
      assert.deepEqual([whole.sha256, whole.size], [sha256(original), size]);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'what is beyond the quota is refused with what to do, and goes on after space is made',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await Promise.all([a.reserved(), b.reserved()]);
    const film = await share(b, 10 * MIB, 'film');
    const devtools = await a.page.context().newCDPSession(a.page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(relay.url).origin, quotaSize: 16 * MIB });

    const refused = async (work) => {
      const error = await failure(work);
      assert.deepEqual([error.code, /Remove/.test(error.remedy)], ['STORAGE_FAILED', true], error.message);
    };
    await refused(share(a, 17 * MIB, 'large'));
    const plan = await share(a, 8 * MIB, 'plan');
    await refused(fetched(a, film.link));
    // Of a stream nobody knows in time how long it is.
    const stream = a.peer((peer) => {
      const pull = (controller) => controller.enqueue(crypto.getRandomValues(new Uint8Array(65_536)));
      return peer.files.share(new ReadableStream({ pull }), { name: 'endless' });
    });
    await refused(stream);
    // Of what was shared in vain nothing is left; what has come of a download is, if the browser let it begin.
    const left = (await list(a)).filter(({ cid }) => cid !== film.cid);
    assert.deepEqual(left.map(({ cid, complete }) => [cid, complete]), [[plan.cid, true]]);
    const [begun = { bytes: 0 }] = (await list(a)).filter(({ cid }) => cid === film.cid);

    await a.peer((peer, cid) => peer.files.remove(cid), plan.cid);
    const copy = await fetched(a, film.link);
    assert.deepEqual([copy.sha256, copy.size, copy.first >= begun.bytes], [film.sha256, 10 * MIB, true]);
  },
  PATIENCE,
);
