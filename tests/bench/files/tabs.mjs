// Pages that fetch files, ours and those of others: served, shown in a browser whose profile is on disk, and measured. Each
// measurement has a browser of its own, so that nobody finds what another one has left.

import { fileURLToPath } from 'node:url';
import { serveBundled } from '../../e2e/bundled.mjs';
import { temporaryFolder, within } from '../../e2e/relay.mjs';
import { rounded, row, summary } from '../figures.mjs';
import { launchUnwatched } from '../unwatched.mjs';
import { MIB } from './original.mjs';

const START_MS = 60_000;
const PATIENCE = 300_000;

/** The rival did not manage it. */
export class Missed extends Error {}

/** The site of our package, at home with this relay. */
/** `peer` has options of ours beside the stock settings. */
export function serveOwn(relay, peer = {}) {
  const options = {
    alias: { 'warren-p2p': inPackage('src/index.ts') },
    files: {
      '/warren.wasm': inPackage('wasm/warren_wasm_bg.wasm'),
      '/apps.wasm': inPackage('wasm/warren_apps_bg.wasm'),
      '/store.wasm': inPackage('wasm/warren_store_bg.wasm'),
    },
    scripts: { '/files-worker.js': inPackage('src/files-worker.ts') },
  };
  return serveBundled(new URL('tab-own.mjs', import.meta.url), { home: relay.url, peer }, options);
}

export function serveTorrent() {
  return serveBundled(new URL('tab-torrent.mjs', import.meta.url));
}

export function serveHelia() {
  return serveBundled(new URL('tab-helia.mjs', import.meta.url));
}

export function inPackage(path) {
  return fileURLToPath(new URL(`../../../wasm-peer/js/${path}`, import.meta.url));
}

/** The same site as another one, whose pages keep nothing together with those of the first. */
export function elsewhere(url) {
  return url.replace('127.0.0.1', 'localhost');
}

/** A new browser; what it keeps is deleted afterwards. */
export async function inBrowser(use) {
  const folder = temporaryFolder();
  let context;
  try {
    context = await launchUnwatched(folder.path);
    return await use(context);
  } finally {
    await context?.close();
    folder.remove();
  }
}

/** A page with a peer in it, or what others call that. */
export async function opened(context, url, options) {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.ready, undefined, { timeout: START_MS });
  const created = page.evaluate((options) => window.create(options), options);
  await within(START_MS, `${url} did not start`, created);
  return page;
}

/** Makes so many bytes and has them for others. */
export function given(page, what) {
  return within(PATIENCE, 'a page did not share', page.evaluate((what) => window.give(what), what));
}

/**
 * Fetches in a page: how many milliseconds it took until the other end was found, and how many MiB a second came from then
 * on. Who finds it sooner gets nothing for that: some of the others wait for seconds, and are quick thereafter. Does something
 * `before` the bytes are looked at.
 */
export async function taken(page, what, { size, sum }, before = () => {}) {
  const taking = page.evaluate((what) => window.take(what), what);
  const { first, ms } = await within(PATIENCE, 'a page did not fetch all', taking);
  await before();
  const got = await within(PATIENCE, 'a page did not say what it has', page.evaluate(() => window.sum()));
  if (got !== sum) throw new WrongBytes(`${page.url()} has other bytes than the original`);
  return { rate: size / MIB / ((ms - first) / 1000), first };
}

/** That is no rival that did not manage it, but a measurement of nothing. */
class WrongBytes extends Error {}

/** Measures a rival; what goes wrong there costs a round. */
export async function rival(name, measure) {
  try {
    return await measure();
  } catch (error) {
    if (error instanceof WrongBytes) throw error;
    throw new Missed(`${name}: ${error.message.split('\n')[0]}`);
  }
}

/** By name, what each round has found; the kinds take turns, and who comes first changes. */
export async function inTurns(kinds, rounds, say) {
  const found = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    const list = Object.entries(kinds);
    const at = round % list.length;
    for (const [name, measure] of [...list.slice(at), ...list.slice(0, at)]) {
      try {
        const measured = await measure();
        found[name].push(measured);
        say(`round ${round} of ${rounds}: ${name} ${JSON.stringify(measured)}`);
      } catch (error) {
        if (!(error instanceof Missed)) throw error;
        // A row without a rival has to be explained to a machine's reader as well.
        console.error(`round ${round} of ${rounds}: ${error.message}`);
      }
    }
  }
  return found;
}

/** Beside the best of several ways of a rival, by name; one that never managed any is none. */
export function compared(name, ours, ways, goal) {
  const mine = summed(ours);
  const oursSpread = mine.rate;
  const managed = Object.entries(ways)
    .filter(([, measured]) => measured.length > 0)
    .map(([way, measured]) => ({ way, ...summed(measured) }))
    .sort((a, b) => b.rate.median - a.rate.median);
  if (managed.length === 0) return row(name, oursSpread.median, null, 'MiB/s', {}, { oursSpread });
  const [best] = managed;
  const title = Object.keys(ways).length === 1 ? name : `${name} (${best.way})`;
  const more = {
    oursSpread,
    rivalSpread: best.rate,
    rounds: ours.length,
    firstMs: { ours: mine.first, rival: best.first },
    rivals: Object.fromEntries(managed.map(({ way, rate }) => [way, rounded(rate.median)])),
  };
  return row(title, oursSpread.median, best.rate.median, 'MiB/s', goal, more);
}

/** The spread of rates, and how long it typically took until the other end was found, of those who say that. */
function summed(measured) {
  const firsts = measured.map(({ first }) => first).filter((first) => first !== undefined);
  return { rate: summary(measured.map(({ rate }) => rate)), first: firsts.length > 0 ? rounded(summary(firsts).median) : null };
}
