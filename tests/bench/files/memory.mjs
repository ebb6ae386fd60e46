// By how much the process of a tab grows while it fetches a large file from `warren share` and keeps it on disk: memory that
// it shares with nobody, as Linux counts it, from before it asks until all of it is there.

import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BINARY, Relay } from '../../e2e/relay.mjs';
import { row, summary } from '../figures.mjs';
import { descendants } from '../processor.mjs';
import { Telling } from '../telling.mjs';
import { original } from './original.mjs';
import { inBrowser, opened, serveOwn, taken } from './tabs.mjs';

const ANY_PORT = '127.0.0.1:0';
const READY_MS = 120_000;
const LOOK = 200;
/** What a page that has just started takes for a moment is given back. */
const REST = 3_000;
const MEGABYTE = 1e6;

/** The row of a file of `size` MiB. */
export async function memory({ say, rounds, size, folder }) {
  const file = await original(folder, 'memory', size);
  const relay = await Relay.start();
  const sharer = new Telling([BINARY, 'share', file.path, '--listen', ANY_PORT, '--join', relay.url, '--json']);
  const site = await serveOwn(relay);
  try {
    const { link } = await sharer.event('sharing', READY_MS);
    await sharer.event('ready', READY_MS);
    const growths = [];
    for (let round = 1; round <= rounds; round += 1) {
      const measured = await inBrowser((context) => growth(context, site.url, link, file));
      say(`round ${round} of ${rounds}: ${JSON.stringify(measured)}`);
      growths.push(measured.grown);
    }
    return rows(growths, size);
  } finally {
    site.close();
    await sharer.end();
    await relay.remove();
    rmSync(file.path);
  }
}

/** Megabytes: before, and at most beyond that; of the process that has worked most, which is the page's own. */
async function growth(context, url, link, file) {
  const page = await opened(context, url);
  await sleep(REST);
  const before = renderers();
  const most = new Map();
  let watching = true;
  const watch = (async () => {
    while (watching) {
      for (const [pid, { bytes, seconds }] of renderers()) {
        most.set(pid, { bytes: Math.max(bytes, most.get(pid)?.bytes ?? 0), seconds });
      }
      await sleep(LOOK);
    }
  })();
  // What it has is only looked at when all of it is there: that takes memory, too.
  const { rate } = await taken(page, link, file, async () => {
    watching = false;
    await watch;
  }).finally(() => (watching = false));
  const worked = ([pid, { seconds }]) => seconds - before.get(pid).seconds;
  const known = [...most].filter(([pid]) => before.has(pid)).sort((a, b) => worked(b) - worked(a));
  if (known.length === 0) throw new Error('no process of a page was seen');
  const [[pid, { bytes }]] = known;
  const start = before.get(pid).bytes;
  return { before: start / MEGABYTE, grown: (bytes - start) / MEGABYTE, rate };
}

/** By process id, what the processes of pages use. */
function renderers() {
  const all = descendants().filter(({ pid }) => isRenderer(pid));
  return new Map(all.flatMap(({ pid, seconds }) => privateBytes(pid).map((bytes) => [pid, { bytes, seconds }])));
}

function isRenderer(pid) {
  return readOf(pid, 'cmdline').includes('--type=renderer');
}

/** Nothing when it has ended in between. */
function privateBytes(pid) {
  const kib = [...readOf(pid, 'smaps_rollup').matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map(([, number]) => Number(number));
  return kib.length === 0 ? [] : [kib.reduce((sum, number) => sum + number, 0) * 1024];
}

function readOf(pid, what) {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8');
  } catch {
    return '';
  }
}

function rows(growths, size) {
  const spread = summary(growths);
  const goal = { ours: 100 };
  return [row(`files-tab-memory growth for ${size} MiB`, spread.median, null, 'MB', goal, { oursSpread: spread })];
}
