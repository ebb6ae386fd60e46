// Large files: from tab to tab, from there to the command line, and from the command line to a tab, read while they come;
// and two tabs that complete each other when nobody else has the file any more.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LONG, scenario, temporaryFolder } from './harness.mjs';
import { BINARY } from './relay.mjs';
import { sharing } from './sharing.mjs';

const MIB = 1024 * 1024;
const PATIENCE = { timeout: LONG ? 1_800_000 : 150_000 };
const run = promisify(execFile);

/** The bytes of one mebibyte of a file: everybody can make them, and no two mebibytes are equal. Runs in pages, too. */
function contents(kind, number) {
  const words = new Uint32Array(262_144);
  for (let at = 0; at < words.length; at += 1) words[at] = Math.imul(at + 1, 0x85ebca6b) ^ Math.imul(number + 1, 0x9e3779b1) ^ kind;
  return new Uint8Array(words.buffer);
}

/** In a page: shares so many mebibytes without ever having more than one of them. */
async function shareLarge(peer, [contents, kind, count]) {
  const make = new Function(`return (${contents})`)();
  let number = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (number === count) controller.close();
      else controller.enqueue(make(kind, number++));
    },
  });
  return peer.files.share(source, { name: 'Large.bin' });
}

/** In a page: fetches a file and compares it with what it should be, as it comes; how many of its bytes are right, and how many circuits there are near its end. */
async function fetchLarge(peer, [what, contents, kind]) {
  const make = new Function(`return (${contents})`)();
  const file = await peer.files.fetch(what);
  const [reader, of] = [file.stream().getReader(), 1024 * 1024];
  let [right, number, expected, circuits] = [0, -1];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    if (Math.floor(right / of) !== number) expected = make(kind, (number = Math.floor(right / of)));
    if (right + of >= file.size) circuits ??= (await peer.snapshot()).connections.filter(({ relayed }) => relayed).length;
    const from = right % of;
    if (!value.every((byte, at) => byte === expected[from + at])) throw new Error(`a wrong byte behind ${right}`);
    right += value.length;
  }
  await file.complete();
  return { right, size: file.size, circuits };
}

/** Writes such a file; its checksum. */
function written(path, kind, count) {
  const [file, hash] = [openSync(path, 'w'), createHash('sha256')];
  try {
    for (let number = 0; number < count; number += 1) {
      const bytes = contents(kind, number);
      hash.update(bytes);
      writeSync(file, bytes);
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

const source = contents.toString();

scenario(
  `${LONG ? '1 GiB goes' : '24 MiB go'} from tab to tab, from there to the command line, and from the command line to a tab`,
  async (scene) => {
    const folder = temporaryFolder();
    const count = LONG ? 1_024 : 24;
    let program;
    try {
      const relay = await scene.relay();
      const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
      await Promise.all([a.reserved(), b.reserved()]);
      const large = await a.peer(shareLarge, [source, 1, count]);
      assert.equal(large.size, count * MIB);
      // What began on a circuit has gone on directly.
      assert.deepEqual(await b.peer(fetchLarge, [large.link, source, 1]), { right: count * MIB, size: count * MIB, circuits: 0 });

      const path = join(folder.path, 'copy');
      const { stdout } = await run(BINARY, ['get', large.link, '-o', path, '--listen', '127.0.0.1:0', '--join', relay.url, '--sha256', '--json']);
      const original = join(folder.path, 'original');
      assert.equal(JSON.parse(stdout.trim().split('\n').at(-1)).sha256, written(original, 1, count));
      for (const tab of [a, b]) assert.equal(await tab.peer((peer, cid) => peer.files.remove(cid), large.cid), true);

      written(original, 2, count);
      program = await sharing(relay, original);
      const { right } = await b.peer(fetchLarge, [program.link, source, 2]);
      assert.equal(right, count * MIB);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);

scenario(
  'the publisher leaves half-way, and two tabs that have a half each complete each other',
  async (scene) => {
    const folder = temporaryFolder();
    let program;
    try {
      const relay = await scene.relay();
      const tabs = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
      await Promise.all(tabs.map((tab) => tab.reserved()));
      const [path, count] = [join(folder.path, 'halves'), 8];
      written(path, 3, count);
      program = await sharing(relay, path);
      const half = (tab, start, end) =>
        tab.peer(
          async (peer, [what, range]) => {
            const file = await peer.files.fetch(what, { range });
            await file.complete();
            return (await peer.files.list()).map(({ bytes, complete }) => ({ bytes, complete }));
          },
          [program.link, { start, end }],
        );
      const there = [{ bytes: (count / 2) * MIB, complete: false }];
      assert.deepEqual(await half(tabs[0], 0, (count / 2) * MIB), there);
      assert.deepEqual(await half(tabs[1], (count / 2) * MIB, count * MIB), there);
      program.stop();
      const copies = await Promise.all(tabs.map((tab) => tab.peer(fetchLarge, [program.link, source, 3])));
      for (const { right } of copies) assert.equal(right, count * MIB);
    } finally {
      program?.stop();
      folder.remove();
    }
  },
  PATIENCE,
);
