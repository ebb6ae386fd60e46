// A network of js-libp2p nodes with kad-dht over delayed links, as `bench-native names` is one of ours: the same
// number of nodes, each introduced to one or two earlier ones, three of ten in a process that will be killed.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Asked } from './asked.mjs';

const NODES = new URL('kad-nodes.mjs', import.meta.url);
const DOOMED_SHARE = 0.3;
const REPLICATION = 20;
const READERS = 8;

export class KadNetwork {
  #members = [];
  #values = [];
  #links;
  #roundTrip;
  #processes;
  #turn = 0;

  /** `native` is the program that delays; it does so when the network has been grown. */
  static async grow({ native, nodes, values, roundTrip }) {
    const network = new KadNetwork();
    network.#links = new Asked(native, ['links']);
    network.#roundTrip = roundTrip;
    network.#processes = { staying: await Nodes.start(), doomed: await Nodes.start() };
    await network.#add(nodes);
    await network.#publish(values);
    await network.#links.ask(`delay ${roundTrip}`);
    return network;
  }

  async #add(count) {
    const doomed = new Set(shuffled([...Array(count).keys()]).slice(0, Math.floor(count * DOOMED_SHARE)));
    for (let name = 0; name < count; name += 1) {
      const port = await freePort();
      const announce = `/ip4/127.0.0.1/tcp/${await this.#links.ask(port)}`;
      const home = this.#processes[doomed.has(name) ? 'doomed' : 'staying'];
      const introductions = this.#members.length ? 1 + below(2) : 0;
      const known = Array.from({ length: introductions }, () => pick(this.#members).address);
      const peer = await home.ask('start', { name, listen: `/ip4/127.0.0.1/tcp/${port}`, announce, known });
      this.#members.push({ name, home, address: `${announce}/p2p/${peer}`, doomed: doomed.has(name) });
    }
    const enough = Math.min(REPLICATION, Math.floor(count / 2));
    await Promise.all(this.#members.map(({ name, home }) => home.ask('settled', { name, enough })));
  }

  async #publish(count) {
    const owners = shuffled([...this.#members]);
    for (let number = 0; number < count; number += 1) {
      const owner = owners[number % owners.length];
      const entry = { key: `/bench/resident-${number}`, value: `resident-${number} of ${owner.name}`, owner };
      await owner.home.ask('put', { name: owner.name, key: entry.key, value: entry.value });
      this.#values.push(entry);
    }
  }

  /** The round trips of so many gets, each by another node, of the value of yet another. */
  async get(count) {
    const took = [];
    while (took.length < count) {
      const [at, round] = [this.#turn % this.#members.length, Math.floor(this.#turn / this.#members.length)];
      this.#turn += 1;
      const { name, home } = this.#members[at];
      const { key, value, owner } = this.#values[(at + round) % this.#values.length];
      if (owner.name === name) continue;
      const ms = await home.ask('get', { name, key, value });
      if (ms === null) throw new Error(`${key} was not found before anything had changed`);
      took.push(ms / this.#roundTrip);
    }
    return took;
  }

  /** Three of ten stop without a word. */
  async churn() {
    await this.#processes.doomed.kill();
  }

  /** How many of the values are found, each looked for by so many of the nodes that are left. */
  async read(count) {
    const living = this.#members.filter(({ doomed }) => !doomed);
    const reads = this.#values.flatMap((entry) => Array.from({ length: count }, () => ({ ...entry, ...pick(living) })));
    const of = reads.length;
    let found = 0;
    const reader = async () => {
      for (let read = reads.pop(); read; read = reads.pop()) {
        const { home, name, key, value } = read;
        if ((await home.ask('get', { name, key, value })) !== null) found += 1;
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return { found, of };
  }

  async end() {
    await Promise.all(Object.values(this.#processes).map((process) => process.kill()));
    await this.#links.end();
  }
}

/** One process with nodes in it. */
class Nodes {
  #child = fork(NODES, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  #waiting = new Map();
  #last = 0;
  #exited = once(this.#child, 'exit');

  static async start() {
    const nodes = new Nodes();
    await Promise.race([once(nodes.#child, 'message'), nodes.#died()]);
    nodes.#child.on('message', ({ id, answer, error }) => {
      const { resolve, reject } = nodes.#waiting.get(id);
      nodes.#waiting.delete(id);
      error ? reject(new Error(error)) : resolve(answer);
    });
    nodes.#died().catch((error) => {
      for (const { reject } of nodes.#waiting.values()) reject(error);
    });
    return nodes;
  }

  async #died() {
    const [status, signal] = await this.#exited;
    throw new Error(`the nodes of js-libp2p ended with ${signal ?? status}`);
  }

  ask(does, more) {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, does, ...more });
    });
  }

  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** A node has to announce its address before it listens. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function below(bound) {
  return Math.floor(Math.random() * bound);
}

function pick(list) {
  return list[below(list.length)];
}

function shuffled(list) {
  for (let last = list.length - 1; last > 0; last -= 1) {
    const other = below(last + 1);
    [list[last], list[other]] = [list[other], list[last]];
  }
  return list;
}
