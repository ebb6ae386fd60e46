// node tests/bench/webrtc.mjs [--json] [--rounds N] [--mib N]
// WebRTC-direct between a page and a relay, ours against others: the same Chromium, alternating, one after the
// other. js-libp2p talks to the same relay with the same protocol (/perf/1.0.0). The stock Rust crates talk to
// each other, with their faults worked around. A bare data channel between two pages is what the browser gives.
// Native to native comes from `bench-native`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { launch } from '../e2e/browser.mjs';
import { serveBundled } from '../e2e/bundled.mjs';
import { Relay, program, within } from '../e2e/relay.mjs';
import { serveStock, startStock } from '../stock/stock.mjs';
import { bestBare, connectBare } from './bare-pair.mjs';
import { print, rounded, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';
import { processorTime } from './processor.mjs';

const MIB = 1024 * 1024;
const PATIENCE = 180_000;
const IDLE_PEERS = 50;
/** Dials of each page, and what lies between them: the end of one has to arrive. */
const DIALS = 5;
const PAUSE = 300;
const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');

const { json, say, rounds, mib } = readOptions({ rounds: 5, mib: 64 });
const size = mib * MIB;
const relay = await Relay.start({ args: ['--perf'] });
/** Our page is at home with another relay, so that its engine runs before it dials, as that of the others does. */
const home = await Relay.start({ udp: 'off', args: ['--network', relay.ready.network] });
const address = relay.addresses('webrtc-direct')[0];
const own = await serveBundled(
  new URL('own-page.mjs', import.meta.url),
  { home: home.url },
  { alias: { 'warren-p2p': inPackage('src/index.ts') }, files: { '/warren.wasm': inPackage('wasm/warren_wasm_bg.wasm') } },
);
const js = await serveBundled(new URL('perf-page.mjs', import.meta.url));
const bare = await serveBundled(new URL('bare-page.mjs', import.meta.url));
const stockNode = await startStock();
const stock = await serveStock();
const browser = await launch();
try {
  const native = await nativeRounds();
  const { rates, dials } = await pageRounds();
  print([...pageRows(rates), ...nativeRows(native), dialRow(dials), await idleRow()], json);
  if (!json) tellProcessorTime(rates, native);
} finally {
  await browser.close();
  own.close();
  js.close();
  stock.close();
  await stockNode.stop();
  bare.close();
  await relay.remove();
  await home.remove();
}

// --- pages

async function pageRounds() {
  const rates = { ours: [], stock: [], js: [], bare: [] };
  const dials = { ours: [], js: [] };
  // The first round warms up and does not count.
  for (let round = 0; round <= rounds; round += 1) {
    const measured = {
      ours: await withPage(own.url, transfers({ address, pid: relay.pid, dials: DIALS })),
      stock: await withPage(stock.url, transfers(stockNode)),
      js: await withPage(js.url, transfers({ address, pid: relay.pid, dials: DIALS })),
      bare: await bareRound(),
    };
    say(`round ${round} of ${rounds}: ${JSON.stringify(measured)}`);
    if (round === 0) continue;
    for (const [name, value] of Object.entries(measured)) rates[name].push(value);
    for (const name of ['ours', 'js']) dials[name].push(measured[name].dial);
  }
  return { rates, dials };
}

async function withPage(url, measure) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await within(PATIENCE, `${url} did not finish`, measure(page));
  } finally {
    await context.close();
  }
}

/** Processor seconds of the native end while `work` runs. */
async function withProcessorTime(pid, work) {
  const before = processorTime(pid);
  const measured = await work();
  return { ...measured, cpu: processorTime(pid) - before };
}

/** All implementations offer one set of functions in their pages. */
function transfers({ address, pid, dials = 1 }) {
  return async (page) => {
    await page.waitForFunction(() => window.ready);
    await page.evaluate(() => window.create());
    const dial = () => page.evaluate((address) => window.dial(address), address);
    const hangUp = () => page.evaluate((address) => window.hangUp(address), address);
    const measure = (sent, received) => () =>
      page.evaluate(({ address, upload, download }) => window.perf(address, upload, download), {
        address,
        upload: sent,
        download: received,
      });
    return { dial: await typicalDial(dial, hangUp, dials), ...(await bothWays(pid, measure)) };
  };
}

/** The median of a few dials; the last connection stays. */
async function typicalDial(dial, hangUp, dials) {
  const times = [];
  for (let left = dials; left > 0; left -= 1) {
    times.push(await dial());
    if (left === 1) break;
    await hangUp();
    await sleep(PAUSE);
  }
  return summary(times).median;
}

async function bothWays(pid, measure) {
  const up = await withProcessorTime(pid, measure(size, 1));
  const down = await withProcessorTime(pid, measure(0, size));
  return { up: rate(up.sendingMs), down: rate(down.receivingMs), upCpu: up.cpu, downCpu: down.cpu };
}

/** The better of two message sizes, between two pages. */
async function bareRound() {
  const context = await browser.newContext();
  try {
    const [one, other] = [await context.newPage(), await context.newPage()];
    for (const page of [one, other]) await page.goto(bare.url);
    await connectBare(one, other);
    return { best: rate(await bestBare(one, other, size)) };
  } finally {
    await context.close();
  }
}

function inPackage(path) {
  return fileURLToPath(new URL(`../../wasm-peer/js/${path}`, import.meta.url));
}

function rate(ms) {
  return size / MIB / (ms / 1000);
}

// --- native

async function nativeRounds() {
  say('native to native');
  const lines = await run([String(rounds + 1), String(size / MIB)]);
  return lines.filter(({ round }) => round > 0);
}

async function idleRow() {
  const [{ bytesPerConnection }] = await run(['idle', String(IDLE_PEERS)]);
  return { name: 'webrtc-idle', ours: rounded(bytesPerConnection / 1024), rival: null, unit: 'KiB a connection', ratio: null, goal: 'shown', met: null };
}

async function run(args) {
  const child = spawn(NATIVE, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  createInterface(child.stdout).on('line', (line) => lines.push(JSON.parse(line)));
  const [status] = await once(child, 'close');
  if (status !== 0) throw new Error(`${NATIVE} ended with ${status}`);
  return lines;
}

// --- rows

function compared(name, mine, theirs, unit, goal) {
  const [ours, rival] = [summary(mine), summary(theirs)];
  return row(name, ours.median, rival.median, unit, goal, { oursSpread: ours, rivalSpread: rival, rounds });
}

function pageRows(rates) {
  const pick = (who, what) => rates[who].map((measured) => measured[what]);
  const atLeast = (floor) => ({ floor });
  return ['up', 'down'].flatMap((way) => [
    compared(`webrtc-${way} ÷ stock`, pick('ours', way), pick('stock', way), 'MiB/s', atLeast(2)),
    compared(`webrtc-${way} ÷ js-libp2p`, pick('ours', way), pick('js', way), 'MiB/s', atLeast(1)),
    compared(`webrtc-${way} ÷ bare`, pick('ours', way), pick('bare', 'best'), 'MiB/s', atLeast(1)),
  ]);
}

function nativeRows(native) {
  const of = (path) => native.filter((line) => line.path === path).map(({ mibPerSecond }) => mibPerSecond);
  return [
    compared('webrtc-native ÷ bare', of('webrtc'), of('bare'), 'MiB/s', { floor: 0.9 }),
    compared('webrtc-native ÷ tcp', of('webrtc'), of('tcp'), 'MiB/s', {}),
    compared('webrtc-native ÷ quic', of('webrtc'), of('quic'), 'MiB/s', {}),
  ];
}

function dialRow(dials) {
  return compared('webrtc-dial ÷ js-libp2p', dials.ours, dials.js, 'ms', { ratio: 0.8 });
}

function tellProcessorTime(rates, native) {
  const median = (numbers) => rounded(summary(numbers).median, 2);
  console.log(`\nprocessor seconds of the native end for ${size / MIB} MiB`);
  for (const who of ['ours', 'stock', 'js']) {
    const of = (what) => median(rates[who].map((measured) => measured[what]));
    console.log(`  ${who.padEnd(7)} up ${of('upCpu')}, down ${of('downCpu')}`);
  }
  console.log(`processor seconds of both native ends for ${size / MIB} MiB`);
  for (const path of ['webrtc', 'bare', 'tcp', 'quic']) {
    console.log(`  ${path.padEnd(7)} ${median(native.filter((line) => line.path === path).map(({ cpuSeconds }) => cpuSeconds))}`);
  }
}
