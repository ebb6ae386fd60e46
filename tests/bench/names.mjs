// node tests/bench/names.mjs [--json] [--nodes N] [--names N] [--rounds N]
// Resolving names in a network of many nodes, beside values of js-libp2p's kad-dht in a network of the same size and
// shape: before and after three of ten nodes have vanished. And resolving a name again, in a tab.
//
// All nodes are on this machine. Every connection goes through a forwarder that delays it by half of RTT each way
// (tests/src/links.rs, the same for both), so that the time of an answer divided by RTT is the number of round trips
// on its critical path: whatever goes out together counts once, and connections and handshakes count, too. What the
// processor takes counts as well, so the true number is a little smaller. Both networks take turns. Ours is
// `bench-native names`, js-libp2p's is kad-network.mjs. js-libp2p keeps no answers: every get walks again, so that
// nothing compares with a resolution from the cache.

import { program } from '../e2e/relay.mjs';
import { Asked } from './asked.mjs';
import { cachedResolutions } from './cached-names.mjs';
import { print, row, rounded, summary } from './figures.mjs';
import { KadNetwork } from './kad-network.mjs';
import { readOptions } from './options.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const RTT = 200;
/** Resolutions of each kind in one round. */
const TURN = 10;
/** Peers that join in each round and resolve at once. */
const NEWCOMERS = 2;
/** Reads of each name after the churn. */
const READS = 2;
const CACHED = 1_000;
const GOALS = { roundTrips: { ours: 5 }, readable: { least: 0.99 }, cached: { ours: 1 } };

const { json, say, nodes, names, rounds } = readOptions({ nodes: 100, names: 50, rounds: 10 });

say(`two networks of ${nodes} nodes`);
const ours = new Asked(NATIVE, ['names', String(nodes), String(names)]);
await ours.line();
await ours.ask(`delay ${RTT}`);
const rival = await KadNetwork.grow({ native: NATIVE, nodes, values: names, roundTrip: RTT });
try {
  const took = await resolveInTurns();
  const readable = await readAfterChurn();
  print([...roundTripRows(took), ...readableRows(readable), await cachedRow()], json);
} finally {
  await Promise.all([ours.end(), rival.end()]);
}

async function resolveInTurns() {
  const took = { human: [], key: [], newcomer: [], rival: [], failed: 0 };
  const ask = async (kind, count) => {
    const { roundTrips, failed = 0 } = await answered(`${kind} ${count}`);
    took[kind].push(...roundTrips);
    took.failed += failed;
  };
  for (let round = 0; round < rounds; round += 1) {
    await ask('human', TURN);
    took.rival.push(...(await rival.get(TURN)));
    await ask('key', TURN);
    await ask('newcomer', NEWCOMERS);
    say(`round ${round + 1} of ${rounds}`);
  }
  return took;
}

async function readAfterChurn() {
  say('three of ten vanish');
  await Promise.all([answered('churn'), rival.churn()]);
  return { ...(await answered(`read ${READS}`)), rival: await rival.read(READS) };
}

async function answered(question) {
  return JSON.parse(await ours.ask(question));
}

// --- rows

/** The 95th percentile of each; the spread says how the single ones lie. A newcomer may fail to resolve at all. */
function roundTripRows(took) {
  const against = summary(took.rival);
  return ['human', 'key', 'newcomer'].map((kind) => {
    const failed = kind === 'newcomer' ? took.failed : 0;
    const samples = took[kind].length;
    const name = `names-${kind} ÷ kad-get`;
    const unit = 'round trips at p95';
    if (samples === 0) {
      const nothing = row(name, 0, against.most, unit, GOALS.roundTrips, { rivalSpread: against, samples, failed });
      return { ...nothing, ours: null, ratio: null, met: false };
    }
    const spread = summary(took[kind]);
    const more = { oursSpread: spread, rivalSpread: against, samples, failed };
    const line = row(name, spread.most, against.most, unit, GOALS.roundTrips, more);
    return { ...line, met: line.met && failed === 0 };
  });
}

function readableRows(readable) {
  const share = ({ found, of }) => found / of;
  return ['human', 'key'].map((kind) => {
    const line = row(`names-readable-${kind}`, share(readable[kind]), share(readable.rival), 'of reads', GOALS.readable);
    return { ...line, ours: rounded(share(readable[kind]), 4), rival: rounded(share(readable.rival), 4) };
  });
}

async function cachedRow() {
  say('a tab resolves a name again and again');
  const spread = summary(await cachedResolutions(CACHED));
  const line = row('names-cached', spread.median, null, 'ms', GOALS.cached, { oursSpread: spread });
  return { ...line, ours: rounded(spread.median, 3) };
}
