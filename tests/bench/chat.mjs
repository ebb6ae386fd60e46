// node tests/bench/chat.mjs [--json] [--peers N] [--relays N] [--messages N] [--rounds N]
// How long a message takes to everybody in one room, beside js-libp2p's gossipsub in a network of the same shape:
// relays that know each other, and peers that have one relay each. Both take turns, all on this machine, each in a
// process of its own. And how long it takes while somebody floods the room until its relay cuts it off.
//
// Ours is `bench-native chat`, js-libp2p's is gossip-nodes.mjs with its default settings. In both every message is
// signed by whoever says it, and the next one is said when everybody has the last one.

import { fileURLToPath } from 'node:url';
import { program } from '../e2e/relay.mjs';
import { Asked } from './asked.mjs';
import { print, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const RIVAL = fileURLToPath(new URL('gossip-nodes.mjs', import.meta.url));
const UNIT = 'ms at p99';
/** Reported only. */
const NO_GOAL = {};

/** All that was heard, and how long it took. */
class Deliveries {
  took = [];
  lost = 0;

  add(answer) {
    const { took, lost } = JSON.parse(answer);
    this.took.push(...took);
    this.lost += lost;
  }

  p99() {
    const sorted = this.took.toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * 0.99)];
  }
}

const { json, say, peers, relays, messages, rounds } = readOptions({ peers: 50, relays: 3, messages: 20, rounds: 10 });

say(`two rooms of ${peers} peers at ${relays} relays`);
const shape = [String(relays), String(peers)];
const ours = new Asked(NATIVE, ['chat', ...shape]);
await ours.line();
const rival = new Asked(process.execPath, [RIVAL, ...shape]);
await rival.line();
try {
  const quiet = new Deliveries();
  const theirs = new Deliveries();
  const flooded = new Deliveries();
  for (let round = 0; round < rounds; round += 1) {
    quiet.add(await ours.ask(`quiet ${messages}`));
    theirs.add(await rival.ask(`quiet ${messages}`));
    say(`round ${round + 1} of ${rounds}`);
  }
  for (let round = 0; round < rounds; round += 1) {
    flooded.add(await ours.ask(`flooded ${messages}`));
    say(`flooded round ${round + 1} of ${rounds}`);
  }
  print([compared('chat-p99', quiet, theirs), compared('chat-p99-flooded ÷ quiet', flooded, quiet)], json);
} finally {
  await Promise.all([ours.end(), rival.end()]);
}

function compared(name, one, other) {
  const more = { oursSpread: summary(one.took), rivalSpread: summary(other.took) };
  return row(name, one.p99(), other.p99(), UNIT, NO_GOAL, { ...more, oursLost: one.lost, rivalLost: other.lost });
}
