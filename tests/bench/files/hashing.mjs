// BLAKE3 in WebAssembly beside the browser's own SHA-256, of the same bytes in the same page, in turns. What is hashed is
// copied into the module and its hash tree out of it, as for a file that is shared; the browser copies as well.

import { launch } from '../../e2e/browser.mjs';
import { serveBundled } from '../../e2e/bundled.mjs';
import { within } from '../../e2e/relay.mjs';
import { row, summary } from '../figures.mjs';
import { MIB } from './original.mjs';
import { inPackage } from './tabs.mjs';

const SIZE = 64;
/** Both are quick. */
const TURNS = 5;
const PATIENCE = 120_000;

export async function hashing({ say, rounds }) {
  const entry = new URL('hash-page.mjs', import.meta.url);
  const options = { alias: { 'warren-store': inPackage('wasm/warren_store.js') }, files: { '/store.wasm': inPackage('wasm/warren_store_bg.wasm') } };
  const site = await serveBundled(entry, {}, options);
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(site.url);
    await page.waitForFunction(() => window.ready);
    return rows(await within(PATIENCE, 'the page did not hash', measured(page, rounds * TURNS, say)));
  } finally {
    await browser.close();
    site.close();
  }
}

async function measured(page, turns, say) {
  await page.evaluate((size) => window.create(size), SIZE * MIB);
  const right = await page.evaluate(() => window.check());
  const rates = { own: [], browsers: [] };
  // The first turn warms up and does not count.
  for (let turn = 0; turn <= turns; turn += 1) {
    const { ms, sum } = await page.evaluate(() => window.own());
    if (sum !== right) throw new Error(`BLAKE3 is ${right}, and not ${sum}`);
    const other = await page.evaluate(() => window.browsers());
    if (turn === 0) continue;
    rates.own.push(SIZE / (ms / 1000));
    rates.browsers.push(SIZE / (other / 1000));
  }
  say(`${turns} turns of ${SIZE} MiB`);
  return rates;
}

function rows({ own, browsers }) {
  const [ours, rival] = [own, browsers].map(summary);
  const more = { oursSpread: ours, rivalSpread: rival };
  return [row('files-blake3-wasm ÷ WebCrypto SHA-256', ours.median, rival.median, 'MiB/s', { floor: 0.65 }, more)];
}
