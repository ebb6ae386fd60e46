// node tests/bench/b2b.mjs [--json] [--rounds N] [--mib N] [--dials N]
// Page to page over `/webrtc`, and page to relay by WebSocket, ours against others: the same Chromium, the same relay,
// interleaved. js-libp2p runs in two pages, too, and speaks the same protocols. A bare data channel between two pages
// is what the browser gives. All of that once more with pages that are far apart.

import { fileURLToPath } from 'node:url';
import { launch } from '../e2e/browser.mjs';
import { serveBundled } from '../e2e/bundled.mjs';
import { Relay, within } from '../e2e/relay.mjs';
import { MESSAGES, bareTransfer, connectBare } from './bare-pair.mjs';
import { FarApart } from './far.mjs';
import { print, rounded, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';
import { descendantsTime, processorTime } from './processor.mjs';

const MIB = 1024 * 1024;
const PATIENCE = 180_000;
/** How far apart: each way takes so long. */
const DELAY = 20;
const ROUND_TRIPS = 10;
/** Two js-libp2p pages sometimes miss each other, and wait; that does not count. */
const RIVAL_DIALS = 5;
const RIVAL_PATIENCE = 5_000;
const BY_WEBSOCKET = { transports: ['websocket'] };

/** The rival did not manage it. */
class Missed extends Error {}

const { json, say, rounds, mib, dials } = readOptions({ rounds: 4, mib: 64, dials: 3 });
/** Pages that are far apart send a fourth: a browser that loses a packet early may take minutes for more. */
const near = amount(mib);
const distant = amount(mib / 4);
const relay = await Relay.start({ args: ['--perf'] });
const webSocket = webSocketOf(relay);
const own = await serveBundled(
  new URL('own-page.mjs', import.meta.url),
  { home: relay.url },
  {
    alias: { 'warren-p2p': inPackage('src/index.ts') },
    files: { '/warren.wasm': inPackage('wasm/warren_wasm_bg.wasm'), '/apps.wasm': inPackage('wasm/warren_apps_bg.wasm') },
  },
);
const js = await serveBundled(new URL('perf-page.mjs', import.meta.url));
const bare = await serveBundled(new URL('bare-page.mjs', import.meta.url));
const far = new FarApart(DELAY);
const browser = await launch();
try {
  const measured = await measureAll();
  print([...pairRows(measured), ...dialRows(measured), ...webSocketRows(measured), farRow(measured)], json);
  if (!json) tellMore(measured);
} finally {
  await browser.close();
  await far.end();
  for (const site of [own, js, bare]) site.close();
  await relay.remove();
}

function inPackage(path) {
  return fileURLToPath(new URL(`../../wasm-peer/js/${path}`, import.meta.url));
}

function webSocketOf(relay) {
  const [address] = relay.addresses('ws');
  if (!address) throw new Error('the relay tells no WebSocket address');
  return address.includes('/p2p/') ? address : `${address}/p2p/${relay.id}`;
}

/** So many bytes, and those that are sent before anybody is measured: compilers and congestion windows begin small. */
function amount(mib) {
  return { mib, size: mib * MIB, warming: (mib * MIB) / 8 };
}

// --- rounds

/** By name, what each round has found. The first round warms up and does not count. */
async function measureAll() {
  const kinds = {
    ours: () => ourPair(),
    js: () => rivalPair(),
    bare: () => barePair(),
    oursFar: () => ourPair(far),
    jsFar: () => rivalPair(far),
    bareFar: () => barePair(far),
    oursWebSocket: () => ourWebSocket(),
    jsWebSocket: () => rivalWebSocket(),
  };
  const found = Object.fromEntries(Object.keys(kinds).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, measure] of turned(Object.entries(kinds), round)) {
      const measured = await measure().catch(missed);
      say(`round ${round} of ${rounds}: ${name} ${JSON.stringify(measured)}`);
      if (round > 0 && measured) found[name].push(measured);
    }
  }
  return found;
}

/** A round goes without what the rival did not manage. */
function missed(error) {
  if (!(error instanceof Missed)) throw error;
  say(error.message);
}

/** The same in another order: who comes first has the machine as the last one left it. */
function turned(list, by) {
  const at = by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/** Two pages of one visitor, far apart or not. */
async function withPair(url, apart, use) {
  const context = await browser.newContext();
  try {
    const pages = [await context.newPage(), await context.newPage()];
    await apart?.put(...pages);
    for (const page of pages) {
      await page.goto(url);
      await page.waitForFunction(() => window.ready);
    }
    const measured = await within(PATIENCE, `${url} did not finish`, use(...pages));
    return apart ? { ...measured, way: await crossed(apart) } : measured;
  } finally {
    await context.close();
  }
}

/** What went over the long way; fails when it was not everything. */
async function crossed(apart) {
  const way = await apart.told();
  if (way.bytes < distant.size) throw new Error(`only ${way.bytes} bytes took the long way`);
  return way;
}

/** The median of some dials, each between new pages, and transfers over the last connection. */
async function withDials(url, apart, { dial, perf }) {
  const times = [];
  for (let left = apart ? 1 : dials; left > 1; left -= 1) {
    await withPair(url, apart, async (one, other) => times.push((await dial(one, other)).times));
  }
  return withPair(url, apart, async (one, other) => {
    const { address, ...last } = await dial(one, other);
    times.push(last.times);
    const median = (what) => summary(times.map((time) => time[what])).median;
    return { usable: median('usable'), direct: median('direct'), ...(await bothWays(perf(one, address), apart ? distant : near)) };
  });
}

async function bothWays(perf, { mib, size, warming }) {
  await perf(warming, warming);
  const up = await withProcessorTime(() => perf(size, 1));
  const down = await withProcessorTime(() => perf(0, size));
  return { up: rate(mib, up.sendingMs), down: rate(mib, down.receivingMs), upCpu: up.cpu, downCpu: down.cpu };
}

/** Processor seconds of all of the browser while `work` runs. */
async function withProcessorTime(work) {
  const before = descendantsTime('chromium');
  const measured = await work();
  return { ...measured, cpu: descendantsTime('chromium') - before };
}

function perfIn(page, address) {
  return (upload, download) =>
    page.evaluate(({ address, upload, download }) => window.perf(address, upload, download), { address, upload, download });
}

/** Over a long way a stream of js-libp2p may end before everything was sent. */
function rivalPerfIn(page, address) {
  const perf = perfIn(page, address);
  return (upload, download) =>
    perf(upload, download).catch((error) => {
      if (!/stream was|reset|timed out|Abort/.test(error.message)) throw error;
      throw new Missed(`js-libp2p did not transfer: ${error.message.split('\n')[0]}`);
    });
}

function rate(mib, ms) {
  return mib / (ms / 1000);
}

// --- who is measured

function ourPair(apart) {
  // The way to the relay is not far, and must not be led anywhere.
  const options = apart ? BY_WEBSOCKET : {};
  const create = (page, more) => page.evaluate((options) => window.create(options), { ...options, ...more });
  return withDials(own.url, apart, {
    perf: perfIn,
    async dial(one, other) {
      const id = await create(other, { measurable: true });
      await create(one, {});
      await one.evaluate((id) => window.untilFound(id), id);
      return { address: id, times: await one.evaluate((id) => window.meet(id), id) };
    },
  });
}

function rivalPair(apart) {
  const listen = [`${webSocket}/p2p-circuit`, '/webrtc'];
  const create = (page) => page.evaluate((listen) => window.create(listen), listen);
  return withDials(js.url, apart, {
    perf: rivalPerfIn,
    async dial(one, other) {
      const address = await create(other);
      await create(one);
      const usable = await dialPatiently(one, address);
      return { address, times: { usable, direct: usable } };
    },
  });
}

/** The time of the dial that succeeded. */
async function dialPatiently(page, address) {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await page.evaluate(
      ([address, patience]) => window.dial(address, patience).then((took) => ({ took }), (error) => ({ error: `${error.name}: ${error.message}` })),
      [address, RIVAL_PATIENCE],
    );
    if (outcome.took) return outcome.took;
    if (attempt === RIVAL_DIALS) throw new Missed(`js-libp2p did not dial: ${outcome.error}`);
    say(`js-libp2p dials again: ${outcome.error}`);
  }
}

/** The better of two message sizes, each on a connection of its own: over a long way the first bytes make it quicker. */
async function barePair(apart) {
  const pairs = [];
  for (const message of MESSAGES) {
    pairs.push(await withPair(bare.url, apart, (one, other) => bareMessages([one, other], message, apart ? distant : near)));
  }
  return pairs.reduce((best, pair) => (pair.best > best.best ? pair : best));
}

async function bareMessages([one, other], message, { mib, size, warming }) {
  await connectBare(one, other);
  const trips = [];
  while (trips.length < ROUND_TRIPS) trips.push(await one.evaluate(() => window.roundTrip()));
  await bareTransfer(one, other, warming, message);
  const { ms, cpu } = await withProcessorTime(async () => ({ ms: await bareTransfer(one, other, size, message) }));
  return { roundTrip: summary(trips).median, best: rate(mib, ms), bestCpu: cpu };
}

async function withPage(url, use) {
  return withPair(url, undefined, (one) => use(one));
}

/** Between a page and the relay. */
function ourWebSocket() {
  return withPage(own.url, async (page) => {
    await page.evaluate((options) => window.create(options), BY_WEBSOCKET);
    return withRelayTime(perfIn(page, relay.id));
  });
}

function rivalWebSocket() {
  return withPage(js.url, async (page) => {
    await page.evaluate(() => window.create());
    await page.evaluate((address) => window.dial(address), webSocket);
    return withRelayTime(perfIn(page, webSocket));
  });
}

async function withRelayTime(perf) {
  const before = processorTime(relay.pid);
  const measured = await bothWays(perf, near);
  return { ...measured, relayCpu: processorTime(relay.pid) - before };
}

// --- rows

function compared(name, mine, theirs, unit, goal) {
  const ours = summary(mine);
  // A rival that never managed it is none.
  if (theirs.length === 0) return row(name, ours.median, null, unit, {}, { oursSpread: ours, rounds });
  const rival = summary(theirs);
  return row(name, ours.median, rival.median, unit, goal, { oursSpread: ours, rivalSpread: rival, rounds });
}

function pick(measured, who, what) {
  return measured[who].map((one) => one[what]);
}

function pairRows(measured) {
  const rows = (name, end, goals) =>
    ['up', 'down'].flatMap((way) => [
      compared(`${name}-${way} ÷ bare`, pick(measured, `ours${end}`, way), pick(measured, `bare${end}`, 'best'), 'MiB/s', goals.bare),
      compared(`${name}-${way} ÷ js-libp2p`, pick(measured, `ours${end}`, way), pick(measured, `js${end}`, way), 'MiB/s', goals.js),
    ]);
  return [...rows('b2b', '', { bare: { floor: 0.9 }, js: { floor: 1 } }), ...rows('b2b-far', 'Far', { bare: { floor: 0.9 }, js: {} })];
}

/** Usable: a ping is answered, for ours over the circuit at first; js-libp2p gives a connection when it is direct. */
function dialRows(measured) {
  const dialRow = (name, what, goal) => compared(name, pick(measured, 'ours', what), pick(measured, 'js', what), 'ms', goal);
  return [dialRow('b2b-dial ÷ js-libp2p', 'usable', { ratio: 0.5 }), dialRow('b2b-dial-direct ÷ js-libp2p', 'direct', {})];
}

function webSocketRows(measured) {
  const of = (who, way) => pick(measured, `${who}WebSocket`, way);
  return [
    compared('ws-down ÷ js-libp2p', of('ours', 'down'), of('js', 'down'), 'MiB/s', { floor: 1.3 }),
    compared('ws-up ÷ js-libp2p', of('ours', 'up'), of('js', 'up'), 'MiB/s', {}),
    compared('ws-up ÷ ws-down', of('ours', 'up'), of('ours', 'down'), 'MiB/s', { floor: 0.8 }),
  ];
}

/** That the long way is as long as it should be, and nobody waits in it for the machine. */
function farRow(measured) {
  const trips = pick(measured, 'bareFar', 'roundTrip');
  const wanted = trips.map(() => 2 * DELAY);
  return compared('b2b-far round trip ÷ wanted', trips, wanted, 'ms', { ratio: 1.1 });
}

function tellMore(measured) {
  const median = (who, what) => {
    const found = pick(measured, who, what);
    return found.length === 0 ? 'nothing' : rounded(summary(found).median, 2);
  };
  console.log(`\nprocessor seconds of the browser for ${mib} MiB, far apart for ${distant.mib} MiB`);
  for (const who of ['ours', 'js', 'oursFar', 'jsFar', 'oursWebSocket', 'jsWebSocket']) {
    console.log(`  ${who.padEnd(14)} up ${median(who, 'upCpu')}, down ${median(who, 'downCpu')}`);
  }
  for (const who of ['bare', 'bareFar']) console.log(`  ${who.padEnd(14)} ${median(who, 'bestCpu')}`);
  console.log('the long way, packets beside their time');
  for (const who of ['oursFar', 'jsFar', 'bareFar']) {
    const ways = pick(measured, who, 'way');
    if (ways.length === 0) continue;
    const late = (share) => rounded(Math.max(...ways.map(({ lateMicros }) => lateMicros[share])) / 1000, 2);
    const lost = ways.reduce((sum, way) => sum + way.lost, 0);
    console.log(`  ${who.padEnd(14)} half ${late('half')} ms late, 99 of 100 ${late('most')} ms, all ${late('all')} ms; ${lost} lost`);
  }
}
