// How much of what its sources can send a download gets: eight of them, each in a network namespace behind a cable of 1 MB/s.
// And how much it is held up by bad ones: six good sources, alone and with one that stalls after a MiB and one that lies in
// every fourth piece. The three take turns. What came is compared with the original: one wrong byte ends the measurement.
//
// Sources are `warren share`, bad ones `bench-native source`; whoever fetches is `warren get` on the machine that has all
// the cables. The time is that between its events `found` and `done`: sources are found within it.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Namespace } from '../../e2e/namespace.mjs';
import { BINARY, Relay, program } from '../../e2e/relay.mjs';
import { row, summary } from '../figures.mjs';
import { Telling } from '../telling.mjs';
import { checkCopy, original } from './original.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const CAP = 1_000_000;
const GOOD = 8;
const FEWER = 6;
const READY_MS = 60_000;
const LISTEN = '0.0.0.0:0';
/** Who fetches gives up before that: nothing comes for a minute. */
const DONE_MS = 600_000;

/** Rows of rates with `mib` MiB each. */
export async function capped({ say, rounds, mib, folder }) {
  const scene = new Scene(folder);
  try {
    await scene.start(mib);
    say(`${GOOD} sources of ${CAP} bytes a second, files of ${mib} MiB`);
    return rows(await scene.measure(rounds, say));
  } finally {
    await scene.end();
  }
}

class Scene {
  #folder;
  #spaces = [];
  #running = [];
  #relay = new Relay({ http: LISTEN, tcp: LISTEN, udp: 'off', quic: 'off' });
  /** A file for each of the three, so that it is known who has it. */
  #files = {};

  constructor(folder) {
    this.#folder = folder;
  }

  async start(mib) {
    for (const name of ['all', 'fewer', 'mixed']) this.#files[name] = await original(this.#folder, name, mib);
    await this.#relay.start();
    const { all, fewer, mixed } = this.#files;
    for (let number = 0; number < GOOD; number += 1) await this.#share(number < FEWER ? [all, fewer, mixed] : [all]);
    await this.#bad('stalling', mixed);
    await this.#bad('lying', mixed);
  }

  async measure(rounds, say) {
    const rates = { all: [], fewer: [], mixed: [] };
    let liars = 0;
    for (let round = 1; round <= rounds; round += 1) {
      for (const name of Object.keys(rates)) {
        const fetched = await this.#fetched(this.#files[name]);
        rates[name].push(fetched.rate);
        if (name === 'mixed') liars += fetched.liars;
      }
      const last = Object.values(rates).map((list) => (list.at(-1) / 1e6).toFixed(2));
      say(`round ${round} of ${rounds}: ${last.join(', ')} MB/s`);
    }
    return { ...rates, liars };
  }

  async end() {
    for (const one of this.#running) await one.end();
    await this.#relay.remove();
    for (const space of this.#spaces) space.remove();
    for (const { path } of Object.values(this.#files)) rmSync(path);
  }

  /** Another machine at a slow cable, and the relay as it is seen from there. */
  #machine() {
    const space = new Namespace();
    this.#spaces.push(space);
    space.cap(CAP);
    return { space, url: `http://${space.here}:${new URL(this.#relay.url).port}` };
  }

  async #share(files) {
    const { space, url } = this.#machine();
    const words = ['share', ...files.map(({ path }) => path), '--listen', LISTEN, '--join', url, '--json'];
    const sharer = new Telling([...space.prefix, BINARY, ...words]);
    this.#running.push(sharer);
    for (const file of files) file.cid = (await sharer.event('sharing', READY_MS)).cid;
    await sharer.event('ready', READY_MS);
  }

  async #bad(vice, { path }) {
    const { space, url } = this.#machine();
    const source = new Telling([...space.prefix, NATIVE, 'source', vice, url, path]);
    this.#running.push(source);
    await source.line(({ ready }) => ready, READY_MS);
  }

  /** Fetches a file with an identity that has met nobody yet: its rate in bytes a second, and how many liars it left. */
  async #fetched(file) {
    const place = join(this.#folder.path, 'copy');
    const words = ['get', file.cid, '-o', place, '--listen', LISTEN, '--join', this.#relay.url, '--json'];
    const getter = new Telling([BINARY, ...words]);
    try {
      await getter.event('found', READY_MS);
      const began = performance.now();
      const { liars } = await getter.event('done', DONE_MS);
      const took = performance.now() - began;
      await checkCopy(place, file);
      return { rate: (file.size / took) * 1000, liars };
    } finally {
      await getter.end();
      rmSync(place, { force: true });
    }
  }
}

function rows({ all, fewer, mixed, liars }) {
  return [
    compared('files-8-capped ÷ their sum', all, [GOOD * CAP], { floor: 0.9 }),
    // Ten per cent longer is a rate of 1 ÷ 1.1.
    compared('files-6-capped with a liar and a staller ÷ without', mixed, fewer, { floor: 0.909 }),
    row('files-liar-left', liars, null, 'times', {}),
  ];
}

function compared(name, ours, rival, goal) {
  const [one, other] = [ours, rival].map((rates) => summary(rates.map((rate) => rate / 1e6)));
  return row(name, one.median, other.median, 'MB/s', goal, { oursSpread: one, rivalSpread: other });
}
