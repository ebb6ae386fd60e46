// node tests/bench/chat.mjs [--json] [--peers N] [--relays N] [--messages N] [--pace MS] [--rounds N]
// How long a message takes to everybody in one room, beside js-libp2p's gossipsub in a network of the same shape:
// relays that know each other, and peers that have one relay each. Both take turns, all on this machine, each in a
// process of its own. And how long it takes while others flood the room, lie in it and keep silent: they are in one more
// process, with the lowest priority, and come back whenever they are cut off.
//
// Ours is `bench-native chat` and `attack`, js-libp2p's is gossip-nodes.mjs with its default settings. In both every
// message is signed by whoever says it, has the same text, and the next one is said so long after the last one, and not
// before everybody has that. What does not arrive counts as the time that is waited for it.

import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { program } from '../e2e/relay.mjs';
import { Asked } from './asked.mjs';
import { print, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const RIVAL = fileURLToPath(new URL('gossip-nodes.mjs', import.meta.url));
/** As long as both programs wait. */
const PATIENCE = 10_000;
const MIB = 1024 * 1024;
/** Reported only. */
const NO_GOAL = {};
/** Honest members hardly notice. */
const UNDISTURBED = { ratio: 2 };
/** The flooder and the liar, each at least once. */
const CUT_OFF = { least: 1 };

/** All that was heard, and how long it took. */
class Deliveries {
  took = [];
  lost = 0;
  memory = [];

  add(answer) {
    const { took, lost, memory } = JSON.parse(answer);
    this.took.push(...took, ...Array(lost).fill(PATIENCE));
    this.lost += lost;
    this.memory.push(memory);
  }

  at(share) {
    const sorted = this.took.toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * share)];
  }
}

const defaults = { peers: 50, relays: 3, messages: 100, pace: 50, rounds: 5 };
const { json, say, peers, relays, messages, pace, rounds } = readOptions(defaults);

say(`two rooms of ${peers} peers at ${relays} relays`);
const shape = [String(relays), String(peers)];
const ours = new Asked(NATIVE, ['chat', ...shape]);
const { network, address } = JSON.parse(await ours.line());
const rival = new Asked(process.execPath, [RIVAL, ...shape]);
await rival.line();
const attack = new Asked(NATIVE, ['attack', network, address]);
setPriority(attack.pid, constants.priority.PRIORITY_LOW);
try {
  const quiet = new Deliveries();
  const theirs = new Deliveries();
  const disturbed = new Deliveries();
  const cutOff = { flooder: 0, liar: 0, sent: 0 };
  const talk = `talk ${messages} ${pace}`;
  for (let round = 1; round <= rounds; round += 1) {
    quiet.add(await ours.ask(talk));
    theirs.add(await rival.ask(talk));
    await attack.ask('begin');
    disturbed.add(await ours.ask(talk));
    const { sent, flooderCutOff, liarCutOff } = JSON.parse(await attack.ask('end'));
    cutOff.flooder += flooderCutOff;
    cutOff.liar += liarCutOff;
    cutOff.sent += sent;
    say(`round ${round} of ${rounds}: p99 so far ${[quiet, theirs, disturbed].map((one) => one.at(0.99).toFixed(1)).join(', ')} ms`);
  }
  print(
    [
      compared('chat-p50', 0.5, quiet, theirs, NO_GOAL),
      compared('chat-p99', 0.99, quiet, theirs, NO_GOAL),
      compared('chat-p99-attacked ÷ quiet', 0.99, disturbed, quiet, UNDISTURBED),
      row('chat-flooder-cut-off', cutOff.flooder, null, 'times', CUT_OFF, { sent: cutOff.sent }),
      row('chat-liar-cut-off', cutOff.liar, null, 'times', CUT_OFF),
      row('chat-memory-attacked', Math.max(...disturbed.memory) / MIB, quiet.memory[0] / MIB, 'MiB', NO_GOAL),
    ],
    json,
  );
} finally {
  await Promise.all([ours.end(), rival.end(), attack.end()]);
}

function compared(name, share, one, other, goal) {
  const more = { oursSpread: summary(one.took), rivalSpread: summary(other.took) };
  return row(name, one.at(share), other.at(share), 'ms', goal, { ...more, oursLost: one.lost, rivalLost: other.lost });
}
