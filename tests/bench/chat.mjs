// node tests/bench/chat.mjs [--json] [--peers N] [--relays N] [--messages N] [--pace MS] [--rounds N]
// How long a message takes to everybody in one room, beside js-libp2p's gossipsub in a network of the same shape:
// relays that know each other, and peers that have one relay each. Both take turns, all on this machine, each in a
// process of its own. And how long it takes while others flood the room, lie in it and keep silent: they are in one more
// process, with the lowest priority, each at an address of its own in a network namespace, another one in each round, and
// come back whenever they are cut off, as long as they are let in. Needs root and `ip`.
//
// Ours is `bench-native chat` and `attack`, js-libp2p's is gossip-nodes.mjs with its default settings. In both every
// message is signed by whoever says it, has the same text, and the next one is said so long after the last one, and not
// before everybody has that. What does not arrive counts as the time that is waited for it.

import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Namespace, namespacesMissing } from '../e2e/namespace.mjs';
import { program } from '../e2e/relay.mjs';
import { Asked } from './asked.mjs';
import { print, row, summary } from './figures.mjs';
import { readOptions } from './options.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const RIVAL = fileURLToPath(new URL('gossip-nodes.mjs', import.meta.url));
/** As long as both programs wait. */
const PATIENCE = 10_000;
const RIVAL_MESSAGES = 5;
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
  /** The 99th percentile of each round. */
  late = [];
  lost = 0;
  memory = [];

  add(answer) {
    const { took, lost, memory } = JSON.parse(answer);
    const round = [...took, ...Array(lost).fill(PATIENCE)];
    this.took.push(...round);
    this.late.push(quantile(round, 0.99));
    this.lost += lost;
    this.memory.push(memory);
  }

  at(share) {
    return quantile(this.took, share);
  }

  /** Of the round in which the machine was disturbed least by others. */
  get calmest() {
    return Math.min(...this.late);
  }
}

function quantile(took, share) {
  const sorted = took.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)];
}

const defaults = { peers: 50, relays: 3, messages: 200, pace: 100, rounds: 3 };
const { json, say, peers, relays, messages, pace, rounds } = readOptions(defaults);

const missing = namespacesMissing();
if (missing) {
  console.error(`cause: ${missing}\nremedy: run this benchmark as root on Linux, with iproute2`);
  process.exit(2);
}
say(`two rooms of ${peers} peers at ${relays} relays`);
const shape = [String(relays), String(peers)];
const space = new Namespace();
const ours = new Asked(NATIVE, ['chat', ...shape], space.prefix);
const { network, address } = JSON.parse(await ours.line());
const rival = new Asked(process.execPath, [RIVAL, ...shape]);
await rival.line();
const attack = new Asked(NATIVE, ['attack', network], space.prefix);
setPriority(attack.pid, constants.priority.PRIORITY_LOW);
try {
  const quiet = new Deliveries();
  const theirs = new Deliveries();
  const disturbed = new Deliveries();
  const cutOff = { flooder: 0, liar: 0, refused: 0 };
  const talk = `talk ${messages} ${pace}`;
  // Where its relays have more peers than their meshes take, some get nothing, and each message is waited for.
  const theirTalk = `talk ${Math.min(messages, RIVAL_MESSAGES)} ${pace}`;
  for (let round = 1; round <= rounds; round += 1) {
    quiet.add(await ours.ask(talk));
    theirs.add(await rival.ask(theirTalk));
    await attack.ask(['begin', ...attackers(round)].join(' '));
    disturbed.add(await ours.ask(talk));
    const { flooderCutOff, liarCutOff, refused } = JSON.parse(await attack.ask('end'));
    cutOff.flooder += flooderCutOff;
    cutOff.liar += liarCutOff;
    cutOff.refused += refused;
    say(`round ${round} of ${rounds}: p99 so far ${[quiet, theirs, disturbed].map((one) => one.at(0.99).toFixed(1)).join(', ')} ms`);
  }
  print(
    [
      compared('chat-p50', 0.5, quiet, theirs, NO_GOAL),
      compared('chat-p99', 0.99, quiet, theirs, NO_GOAL),
      compared('chat-p99-attacked ÷ quiet', 0.99, disturbed, quiet, UNDISTURBED),
      row('chat-p99-attacked ÷ quiet, calmest rounds', disturbed.calmest, quiet.calmest, 'ms', UNDISTURBED),
      row('chat-flooder-cut-off', cutOff.flooder, null, 'times', CUT_OFF),
      row('chat-liar-cut-off', cutOff.liar, null, 'times', CUT_OFF, { refused: cutOff.refused }),
      row('chat-memory-attacked', Math.max(...disturbed.memory) / MIB, quiet.memory[0] / MIB, 'MiB', NO_GOAL),
    ],
    json,
  );
} finally {
  await Promise.all([ours.end(), rival.end(), attack.end()]);
  space.remove();
}

/** Ways to the first relay, by addresses that nobody has used before: who calls one of its own is seen as coming from it. */
function attackers(round) {
  return [1, 2, 3].map((number) => {
    const own = `198.51.100.${round * 3 + number}`;
    space.own(own);
    return address.replace('127.0.0.1', own);
  });
}

function compared(name, share, one, other, goal) {
  const more = { oursSpread: summary(one.took), rivalSpread: summary(other.took) };
  return row(name, one.at(share), other.at(share), 'ms', goal, { ...more, oursLost: one.lost, rivalLost: other.lost });
}
