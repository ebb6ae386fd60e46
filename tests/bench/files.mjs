// node tests/bench/files.mjs [--json] [--mib N] [--rounds N]
// How much of what its sources can send a download gets: eight of them, each in a network namespace behind a cable of 1 MB/s.
// And how much it is held up by bad ones: six good sources, alone and with one that stalls after a MiB and one that lies in
// every fourth piece. The three take turns. What came is compared with the original: one wrong byte ends the measurement.
// Needs root, `ip` and `tc`.
//
// Sources are `warren share`, bad ones `bench-native source`; whoever fetches is `warren get` on the machine that has all
// the cables. The time is that between its events `found` and `done`: sources are found within it.

import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Namespace, namespacesMissing } from '../e2e/namespace.mjs';
import { BINARY, Relay, program, temporaryFolder } from '../e2e/relay.mjs';
import { print, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';
import { Telling } from './telling.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const MIB = 1024 * 1024;
const CAP = 1_000_000;
const GOOD = 8;
const FEWER = 6;
const READY_MS = 60_000;
const LISTEN = '0.0.0.0:0';
/** Who fetches gives up before that: nothing comes for a minute. */
const DONE_MS = 600_000;

const { json, say, mib, rounds } = readOptions({ mib: 48, rounds: 3 });
const missing = namespacesMissing();
if (missing) {
  console.error(`cause: ${missing}\nremedy: run this benchmark as root on Linux, with iproute2`);
  process.exit(2);
}

const folder = temporaryFolder();
// A file for each of the three, so that it is known who has it.
const [all, fewer, mixed] = ['all', 'fewer', 'mixed'].map(original);
const spaces = [];
const running = [];
const relay = new Relay({ http: LISTEN, tcp: LISTEN, udp: 'off', quic: 'off' });
try {
  await relay.start();
  for (let number = 0; number < GOOD; number += 1) {
    const paths = number < FEWER ? [all.path, fewer.path, mixed.path] : [all.path];
    await share(paths);
  }
  await bad('stalling', mixed.path);
  await bad('lying', mixed.path);
  say(`${GOOD} sources of ${CAP} bytes a second, files of ${mib} MiB`);
  const rates = { all: [], fewer: [], mixed: [] };
  let liars = 0;
  for (let round = 1; round <= rounds; round += 1) {
    rates.all.push((await fetched(all)).rate);
    rates.fewer.push((await fetched(fewer)).rate);
    const disturbed = await fetched(mixed);
    rates.mixed.push(disturbed.rate);
    liars += disturbed.liars;
    const last = Object.values(rates).map((list) => (list.at(-1) / 1e6).toFixed(2));
    say(`round ${round} of ${rounds}: ${last.join(', ')} MB/s`);
  }
  print(
    [
      compared('files-8-capped ÷ their sum', rates.all, [GOOD * CAP], { floor: 0.9 }),
      // Ten per cent longer is a rate of 1 ÷ 1.1.
      compared('files-6-capped with a liar and a staller ÷ without', rates.mixed, rates.fewer, { floor: 0.909 }),
      row('files-liar-left', liars, null, 'times', {}),
    ],
    json,
  );
} finally {
  for (const one of running) await one.end();
  await relay.remove();
  for (const space of spaces) space.remove();
  folder.remove();
}

function original(name) {
  const path = join(folder.path, name);
  const bytes = randomBytes(mib * MIB);
  writeFileSync(path, bytes);
  return { path, bytes, cid: undefined };
}

/** Another machine at a slow cable, and the relay as it is seen from there. */
function machine() {
  const space = new Namespace();
  spaces.push(space);
  space.cap(CAP);
  return { space, url: `http://${space.here}:${new URL(relay.url).port}` };
}

async function share(paths) {
  const { space, url } = machine();
  const words = ['share', ...paths, '--listen', LISTEN, '--join', url, '--json'];
  const sharer = new Telling([...space.prefix, BINARY, ...words]);
  running.push(sharer);
  for (const path of paths) {
    const { cid } = await sharer.event('sharing', READY_MS);
    for (const file of [all, fewer, mixed]) if (file.path === path) file.cid = cid;
  }
  await sharer.event('ready', READY_MS);
}

async function bad(vice, path) {
  const { space, url } = machine();
  const source = new Telling([...space.prefix, NATIVE, 'source', vice, url, path]);
  running.push(source);
  await source.line(({ ready }) => ready, READY_MS);
}

/** Fetches a file with an identity that has met nobody yet: its rate in bytes a second, and how many liars it left. */
async function fetched({ cid, bytes }) {
  const place = join(folder.path, 'copy');
  const words = ['get', cid, '-o', place, '--listen', LISTEN, '--join', relay.url, '--json'];
  const getter = new Telling([BINARY, ...words]);
  await getter.event('found', READY_MS);
  const began = performance.now();
  const { liars } = await getter.event('done', DONE_MS);
  const took = performance.now() - began;
  await getter.end();
  if (!readFileSync(place).equals(bytes)) throw new Error(`a wrong byte was stored in ${place}`);
  rmSync(place);
  return { rate: (bytes.length / took) * 1000, liars };
}

function compared(name, ours, rival, goal) {
  const [one, other] = [ours, rival].map((rates) => summary(rates.map((rate) => rate / 1e6)));
  return row(name, one.median, other.median, 'MB/s', goal, { oursSpread: one, rivalSpread: other });
}
