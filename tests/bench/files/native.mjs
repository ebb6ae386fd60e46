// From program to program on one machine: `warren share` to `warren get`, which writes to the disk and verifies, beside a
// raw stream of libp2p from a relay (/perf/1.0.0, `bench-native stream`) over the transport that `warren get` was seen to
// use, and beside plain TCP. They take turns. The time of `warren get` is that between its events `found` and `done`.

import { closeSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY, Relay, program } from '../../e2e/relay.mjs';
import { row, summary } from '../figures.mjs';
import { Telling } from '../telling.mjs';
import { MIB, checkCopy, original } from './original.mjs';

const NATIVE = process.env.WARREN_BENCH_NATIVE ?? program('bench-native');
const ANY_PORT = '127.0.0.1:0';
const READY_MS = 60_000;
const DONE_MS = 300_000;
const ESTABLISHED = '01';

/** Rows of transfers of `size` MiB, at most 1024: measurements of libp2p streams end there. */
export async function native({ say, rounds, size, folder }) {
  const file = await original(folder, 'native', size);
  const relay = await Relay.start({ args: ['--perf'] });
  const sharer = new Telling([BINARY, 'share', file.path, '--listen', ANY_PORT, '--join', relay.url, '--json']);
  try {
    const { cid } = await sharer.event('sharing', READY_MS);
    const { addresses } = await sharer.event('ready', READY_MS);
    const from = { cid, port: tcpPort(addresses) };
    const found = { ours: [], stream: [], plain: [], ways: [] };
    // The first round warms up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      touched(join(folder.path, 'touched'), size);
      const ours = await got(relay, from, file, join(folder.path, 'copy'));
      const stream = await measured(['stream', ...streamFrom(relay, ours.way), String(size)]);
      const plain = await measured(['plain', String(size)]);
      say(`round ${round} of ${rounds}: ${JSON.stringify({ ours, stream, plain })}`);
      if (round === 0) continue;
      found.ours.push(ours.rate);
      found.ways.push(ours.way);
      found.stream.push(stream);
      found.plain.push(plain);
    }
    return rows(found);
  } finally {
    await sharer.end();
    await relay.remove();
    rmSync(file.path);
  }
}

function tcpPort(addresses) {
  const ports = addresses.map((address) => /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)(?:\/p2p\/[^/]+)?$/.exec(address)?.[1]);
  const port = ports.find(Boolean);
  if (!port) throw new Error(`\`warren share\` listens nowhere over TCP: ${addresses.join(' ')}`);
  return Number(port);
}

/**
 * A virtual machine gives memory that is free for some seconds back to its host, and gets it again page by page when it is
 * touched. Only who writes a file pays for that, and it is not what is measured: so much was touched just now.
 */
function touched(path, size) {
  const file = openSync(path, 'w');
  try {
    const portion = Buffer.alloc(MIB);
    for (let written = 0; written < size; written += 1) writeSync(file, portion);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

/** Fetches with an identity that has met nobody yet: MiB a second, and over which transport. */
async function got(relay, { cid, port }, file, place) {
  const getter = new Telling([BINARY, 'get', cid, '-o', place, '--listen', ANY_PORT, '--join', relay.url, '--json']);
  try {
    await getter.event('found', READY_MS);
    const began = performance.now();
    const way = hasTcp(getter.pid, port) ? 'tcp' : 'quic';
    await getter.event('done', DONE_MS);
    const took = performance.now() - began;
    await checkCopy(place, file);
    return { rate: file.size / MIB / (took / 1000), way };
  } finally {
    await getter.end();
    rmSync(place, { force: true });
  }
}

/** Whether a process has a TCP connection to this port; to a peer that listens there it uses QUIC otherwise. */
function hasTcp(pid, port) {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => opened(pid, fd)));
  const sockets = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  return sockets.some((line) => {
    const [, , remote, state, , , , , , inode] = line.trim().split(/\s+/);
    return state === ESTABLISHED && parseInt(remote.split(':')[1], 16) === port && own.has(`socket:[${inode}]`);
  });
}

function opened(pid, fd) {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // It was closed in between.
    return undefined;
  }
}

/** What `bench-native stream` has to know. */
function streamFrom(relay, way) {
  const parts = { tcp: /^\/ip4\/[^/]+\/tcp\/\d+(\/p2p\/[^/]+)?$/, quic: /^\/ip4\/[^/]+\/udp\/\d+\/quic-v1(\/p2p\/[^/]+)?$/ };
  const address = relay.ready.addresses.find((address) => parts[way].test(address));
  if (!address) throw new Error(`the relay has no address for ${way}: ${relay.ready.addresses.join(' ')}`);
  return [relay.ready.network, relay.id, address.split('/p2p/')[0]];
}

/** MiB a second. */
async function measured(words) {
  const helper = new Telling([NATIVE, ...words]);
  try {
    return (await helper.line(({ mibPerSecond }) => mibPerSecond, DONE_MS)).mibPerSecond;
  } finally {
    await helper.end();
  }
}

function rows({ ours, stream, plain, ways }) {
  const mine = summary(ours);
  const compared = (name, theirs, goal, more) => {
    const rival = summary(theirs);
    return row(name, mine.median, rival.median, 'MiB/s', goal, { oursSpread: mine, rivalSpread: rival, rounds: ours.length, ...more });
  };
  const transports = [...new Set(ways)].sort();
  return [
    compared(`files-native ÷ raw libp2p stream (${transports.join(', ')})`, stream, { floor: 0.7 }, { transports }),
    compared('files-native ÷ plain TCP', plain, {}, {}),
  ];
}
