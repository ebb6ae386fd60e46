// How many round trips it takes until a search has its first result, in a network of many relays in which some peers list
// files. All nodes are in `bench-native search`, over links that delay by half of RTT each way, as `cargo xtask bench names`
// does it: the time divided by RTT is what somebody waits for, connections and handshakes included. Whoever searches, a peer
// that has joined and come to rest or a relay, does so for the first time.

import { program, within } from '../../e2e/relay.mjs';
import { Asked } from '../asked.mjs';
import { row, summary } from '../figures.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const RTT = 200;
/** Searches of each kind in a round. */
const TURN = 5;
const SHARERS = 10;
/** Each of them searches once. */
const relaysFor = (rounds) => Math.max(30, rounds * TURN);
const GROWN = 600_000;
const PATIENCE = 900_000;

export async function search({ say, rounds }) {
  const relays = relaysFor(rounds);
  say(`a network of ${relays} relays, ${SHARERS} peers with files`);
  const network = new Asked(NATIVE, ['search', String(relays), String(SHARERS)]);
  try {
    await within(GROWN, 'the network was not ready', network.line());
    await network.ask(`delay ${RTT}`);
    const took = { peer: [], relay: [] };
    for (let round = 1; round <= rounds; round += 1) {
      for (const kind of Object.keys(took)) {
        const asked = network.ask(`${kind} ${TURN}`);
        const { roundTrips } = JSON.parse(await within(PATIENCE, 'the searches did not end', asked));
        took[kind].push(...roundTrips);
        say(`round ${round} of ${rounds}: ${kind} ${roundTrips.map((number) => number.toFixed(2)).join(', ')} round trips`);
      }
    }
    return Object.entries(took).map(([kind, samples]) => firstResult(kind, samples));
  } finally {
    await network.end();
  }
}

/** The 95th percentile; the spread says how the single ones lie. */
function firstResult(kind, samples) {
  const spread = summary(samples);
  const more = { oursSpread: spread, samples: samples.length };
  return row(`files-search first result, by a ${kind}`, spread.most, null, 'round trips at p95', { ours: 5 }, more);
}
