// Pictures and sound that are shown and heard while they come, and some bytes of a file alone.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scenario, temporaryFolder } from './harness.mjs';
import { sharing } from './sharing.mjs';

const MIB = 1024 * 1024;
const PIECE = 256 * 1024;
const PATIENCE = { timeout: 180_000 };
/** No answer to a player is larger. */
const MOST = 4 * MIB;
const [WIDTH, HEIGHT] = [640, 512];
/** Of sound, which has one byte for each sample. */
const SAMPLES_PER_SECOND = 8_000;

/** A picture without compression: its size is that of its points. */
function picture() {
  const head = Buffer.alloc(54);
  const points = randomBytes(WIDTH * HEIGHT * 3);
  head.write('BM');
  head.writeUInt32LE(head.length + points.length, 2);
  head.writeUInt32LE(head.length, 10);
  head.writeUInt32LE(40, 14);
  head.writeInt32LE(WIDTH, 18);
  head.writeInt32LE(HEIGHT, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(24, 28);
  head.writeUInt32LE(points.length, 34);
  return Buffer.concat([head, points]);
}

/** Sound without compression, so long that a player cannot have all of it at once. */
function sound(bytes) {
  const head = Buffer.alloc(44);
  head.write('RIFF');
  head.writeUInt32LE(36 + bytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(SAMPLES_PER_SECOND, 24);
  head.writeUInt32LE(SAMPLES_PER_SECOND, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write('data', 36);
  head.writeUInt32LE(bytes, 40);
  return Buffer.concat([head, randomBytes(bytes)]);
}

const isComplete = (tab, cid) => tab.peer(async (peer, cid) => (await peer.files.list()).find((file) => file.cid === cid)?.complete, cid);

/** Fetches by what a visitor types, and shows it under its row: while it comes, or it is shown already because it has come. */
async function shown(tab, link, name) {
  await tab.page.locator('#fetch-what').fill(link);
  await tab.page.locator('#fetch-what').press('Enter');
  const row = tab.page.locator('#files > li', { hasText: name });
  const look = (name) => {
    const row = [...document.querySelectorAll('#files > li')].find(({ textContent }) => textContent.includes(name));
    const button = row?.querySelector('button[aria-expanded]:not([hidden])');
    if (button?.getAttribute('aria-expanded') === 'false') button.click();
    return button !== undefined && button !== null;
  };
  await tab.page.waitForFunction(look, name);
  return row;
}

/** Moves the sound of the page, and waits until it could be heard there. */
async function heardAt(tab, second) {
  await tab.page.evaluate((second) => (document.querySelector('#files audio').currentTime = second), second);
  const there = (second) => {
    const audio = document.querySelector('#files audio');
    return audio && !audio.seeking && audio.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && Math.abs(audio.currentTime - second) < 1;
  };
  await tab.page.waitForFunction(there, second, { timeout: 60_000 });
}

/** What the page gets when it asks itself, with these headers. */
const asked = (tab, url, options) =>
  tab.page.evaluate(
    async ([url, options]) => {
      const response = await fetch(url, options);
      const bytes = [...new Uint8Array(await response.arrayBuffer())];
      return { status: response.status, headers: Object.fromEntries(response.headers), bytes };
    },
    [url, options],
  );

scenario(
  'a picture is shown and sound is heard at its end while most of it is still on its way, also when the service worker is stopped meanwhile',
  async (scene) => {
    const folder = temporaryFolder();
    const programs = [];
    try {
      const relay = await scene.relay();
      const tab = await scene.joinedTab(relay);
      const answers = [];
      tab.page.on('response', (response) => {
        if (response.request().method() === 'GET' && new URL(response.url()).pathname.startsWith('/warren/f/')) answers.push(response.headers());
      });
      const begun = async (name, bytes) => {
        const path = join(folder.path, name);
        writeFileSync(path, bytes);
        const program = await sharing(relay, path, ['--limit-rate', '128']);
        programs.push(program);
        return program;
      };

      const { link: seen } = await begun('points.bmp', picture());
      const row = await shown(tab, seen, 'points.bmp');
      const image = row.locator('img');
      await image.waitFor({ state: 'attached' });
      const source = new URL(await image.getAttribute('src'));
      assert.match(source.pathname, /^\/warren\/f\/bafkr4i[a-z2-7]{52}$/);
      assert.equal(await image.evaluate(async (image) => (await image.decode(), image.naturalWidth)), WIDTH);

      const bytes = sound(6 * MIB);
      const { link, cid } = await begun('long.wav', bytes);
      const audio = (await shown(tab, link, 'long.wav')).locator('audio');
      await audio.waitFor({ state: 'attached' });
      const length = (bytes.length - 44) / SAMPLES_PER_SECOND;
      await tab.page.waitForFunction((length) => Math.abs(document.querySelector('#files audio').duration - length) < 1, length, { timeout: 60_000 });
      await heardAt(tab, length - 3);
      assert.equal(await isComplete(tab, cid), false, 'it is heard before all of it is there');

      // The worker keeps nothing that it would miss.
      const devtools = await tab.page.context().newCDPSession(tab.page);
      await devtools.send('ServiceWorker.enable');
      const before = answers.length;
      assert.ok(before > 0, 'answers to the player are seen');
      await devtools.send('ServiceWorker.stopAllWorkers');
      await heardAt(tab, length / 2);
      // What the browser tells of it may come a moment later.
      for (const late = performance.now() + 30_000; answers.length === before && performance.now() < late; ) await new Promise((again) => setTimeout(again, 50));
      assert.ok(answers.length > before, 'the player got an answer after the worker was stopped');
      const url = await audio.getAttribute('src');
      const from = bytes.length - 16;
      const end = await asked(tab, url, { headers: { range: `bytes=${from}-` } });
      assert.deepEqual([end.status, end.headers['content-range']], [206, `bytes ${from}-${bytes.length - 1}/${bytes.length}`]);
      assert.deepEqual(end.bytes, [...bytes.subarray(from)]);

      const all = await asked(tab, url, { method: 'HEAD', headers: { range: 'bytes=0-' } });
      assert.deepEqual([all.status, all.headers['content-range'], all.headers['content-length']], [200, undefined, String(bytes.length)]);
      const beyond = await asked(tab, url, { headers: { range: `bytes=${bytes.length}-` } });
      assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, `bytes */${bytes.length}`]);
      for (const headers of answers) {
        assert.ok(Number(headers['content-length']) <= MOST, JSON.stringify(headers));
        assert.equal(headers['content-security-policy'], "default-src 'none'; sandbox");
      }
    } finally {
      for (const program of programs) program.stop();
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'what a stranger made is no page under its address, and without a service worker there is none',
  async (scene) => {
    const relay = await scene.relay();
    const tab = await scene.joinedTab(relay);
    await tab.reserved();
    const url = await tab.peer(async (peer) => {
      const { cid } = await peer.files.share(new Blob(['<script>parent.broken = 1</script>'], { type: 'text/html' }), { name: 'page.html' });
      return (await peer.files.fetch(cid)).url({ worker: '/warren-media.js', type: 'text/html' });
    });
    const { status, headers } = await asked(tab, url, {});
    assert.deepEqual([status, headers['content-type'], headers['x-content-type-options']], [200, 'application/octet-stream', 'nosniff']);
    assert.equal(headers['content-disposition'], "attachment; filename*=UTF-8''page.html");
    const download = tab.page.waitForEvent('download');
    await tab.page.evaluate((url) => void (location.href = url), url);
    assert.equal((await download).suggestedFilename(), 'page.html');

    // As in a private window of some browsers.
    const refused = await tab.peer(async (peer) => {
      Object.defineProperty(navigator, 'serviceWorker', { value: undefined });
      const [{ cid }] = await peer.files.list();
      const file = await peer.files.fetch(cid);
      return file.url({ worker: '/warren-media.js' }).catch(({ code, remedy }) => ({ code, remedy }));
    });
    assert.equal(refused.code, 'UNSUPPORTED');
    assert.match(refused.remedy, /blob/);
  },
  PATIENCE,
);

scenario(
  'of a range no more comes than its pieces, and the rest goes on from there',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      const tab = await scene.joinedTab(relay);
      const bytes = randomBytes(3 * MIB + 77);
      const path = join(folder.path, 'plan.bin');
      writeFileSync(path, bytes);
      program = await sharing(relay, path);
      const range = { start: bytes.length - 100, end: bytes.length };
      const some = await tab.peer(
        async (peer, [link, range]) => {
          const steps = [];
          const file = await peer.files.fetch(link, { range, onProgress: ({ bytes, size }) => steps.push({ bytes, size }) });
          const read = [...new Uint8Array(await (await file.blob()).arrayBuffer())];
          await file.complete();
          const refused = await file.text({ start: 0, end: 5 }).catch(({ code }) => code);
          const [{ bytes, complete }] = await peer.files.list();
          return { read, size: file.size, range: file.range, sizes: [...new Set(steps.map(({ size }) => size))], refused, bytes, complete };
        },
        [program.link, range],
      );
      assert.deepEqual(some.read, [...bytes.subarray(range.start)]);
      assert.deepEqual([some.size, some.range, some.sizes, some.refused], [bytes.length, range, [100], 'INVALID_ARGUMENT']);
      // The last piece, and the one before it.
      assert.deepEqual([some.bytes, some.complete], [PIECE + (bytes.length % PIECE), false]);

      const whole = await tab.peer(async (peer, link) => {
        let first;
        const file = await peer.files.fetch(link, { onProgress: (step) => (first ??= step.bytes) });
        const sum = await crypto.subtle.digest('SHA-256', await (await file.blob()).arrayBuffer());
        return { first, sum: [...new Uint8Array(sum)] };
      }, program.link);
      assert.ok(whole.first >= some.bytes, `${whole.first} of ${some.bytes}`);
      assert.deepEqual(whole.sum, [...createHash('sha256').update(bytes).digest()]);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);
