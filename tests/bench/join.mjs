// node tests/bench/join.mjs [--json] [--rounds N]
// From the start of the page load to the first DHT answer, ours against js-libp2p: the same Chromium, the same
// relay, alternating, a fresh visitor each time. And how many bytes each has to transfer for that.
//
// Ours has answered when a stored value was read and its proof checked, after asking the relay for its addresses.
// js-libp2p is given the relay's address and has answered when the first reply to a Kademlia query is in.

import { get as httpGet } from 'node:http';
import { launch } from '../e2e/browser.mjs';
import { serveBundled } from '../e2e/bundled.mjs';
import { Relay, within } from '../e2e/relay.mjs';
import { print, row, rounded, summary } from './figures.mjs';
import { readOptions } from './options.mjs';

const KIB = 1024;
const PAGE_MS = 30_000;
const GOALS = { time: { ratio: 0.7 }, bytes: { ours: 600 } };

const { json, say, rounds } = readOptions({ rounds: 11 });

const relay = await Relay.start();
const rival = await serveBundled(new URL('rival-page.mjs', import.meta.url), {
  relay: webSocketOf(relay),
  protocol: `/warren/${relay.ready.network}/kad/1`,
});
const browser = await launch();
try {
  const key = await storeValue();
  const measured = await measure(key);
  print([timeRow(measured), bytesRow(await transferredBytes(relay.url), rival.bytes)], json);
  if (!json) tellSteps(measured);
} finally {
  await browser.close();
  rival.close();
  await relay.remove();
}

/** The first round warms the disk and the browser up and does not count. */
async function measure(key) {
  const ours = [];
  const theirs = [];
  for (let round = 0; round <= rounds; round += 1) {
    const pair = [
      async () => ours.push(await visit(relay.url, ourAnswer, key)),
      async () => theirs.push(await visit(rival.url, rivalAnswer)),
    ];
    for (const one of round % 2 ? pair : pair.reverse()) await one();
    say(`round ${round} of ${rounds}`);
  }
  return { ours: ours.slice(1), theirs: theirs.slice(1) };
}

async function visit(url, answer, argument) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await within(PAGE_MS, `${url} had no answer`, page.evaluate(answer, argument));
  } finally {
    await context.close();
  }
}

/** Runs in our page. It asks before the peer has joined, as an application would. */
async function ourAnswer(key) {
  const peer = await window.warren.ready;
  const started = performance.now();
  await peer.joined();
  const connected = performance.now();
  await peer.dht.get(key);
  return { started, connected, answered: performance.now(), transport: peer.connections[0]?.transport };
}

function rivalAnswer() {
  return window.answered;
}

async function storeValue() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(relay.url);
  const key = await page.evaluate(async () => {
    const peer = await window.warren.ready;
    await peer.joined();
    return (await peer.dht.put({ bench: 'join' })).key;
  });
  await context.close();
  return key;
}

function webSocketOf(relay) {
  const [address] = relay.addresses('ws');
  if (!address) throw new Error('the relay tells no WebSocket address');
  return address.includes('/p2p/') ? address : `${address}/p2p/${relay.id}`;
}

/** Script and engine as the relay serves them to a browser that takes brotli. */
async function transferredBytes(url) {
  const page = await served(`${url}/`);
  const assets = [...page.body.toString('latin1').matchAll(/\/assets\/[\w.]+\.(?:js|wasm)/g)].map(([path]) => path);
  const sizes = await Promise.all([...new Set(assets)].map((path) => served(`${url}${path}`, 'br')));
  if (sizes.length < 2) throw new Error('the page names no script or no engine');
  return sizes.reduce((sum, { body }) => sum + body.length, 0);
}

function served(url, encoding = 'identity') {
  return new Promise((resolve, reject) => {
    httpGet(url, { headers: { 'accept-encoding': encoding } }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      if (response.statusCode === 200) resolve({ body: Buffer.concat(chunks), headers: response.headers });
      else reject(new Error(`${url} answered ${response.statusCode}`));
    }).on('error', reject);
  });
}

function timeRow({ ours, theirs }) {
  const oursSpread = summary(ours.map(({ answered }) => answered));
  const rivalSpread = summary(theirs.map(({ answered }) => answered));
  const more = { oursSpread, rivalSpread, rounds };
  return row('join-time', oursSpread.median, rivalSpread.median, 'ms', GOALS.time, more);
}

function bytesRow(ours, theirs) {
  return row('join-bytes', ours / KIB, theirs / KIB, 'KiB', GOALS.bytes);
}

/** Where the time goes. */
function tellSteps({ ours, theirs }) {
  const steps = (visits) =>
    ['started', 'connected', 'answered'].map((name) => `${name} ${rounded(summary(visits.map((visit) => visit[name])).median, 0)} ms`).join(', ');
  console.log(`\nours       ${steps(ours)}; connected by ${[...new Set(ours.map(({ transport }) => transport))].join(', ')}`);
  console.log(`js-libp2p  ${steps(theirs)}`);
}
