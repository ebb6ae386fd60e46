// A js-libp2p peer for interop tests, in a page or in Node: stock settings, an echo protocol, and what a
// test wants to know. Knows nothing of Warren.

import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { webRTC, webRTCDirect } from '@libp2p/webrtc';
import { webSockets } from '@libp2p/websockets';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';

export const ECHO = '/warren-test/echo/1.0.0';
/** A client says how many bytes it wants, sends as many as it likes, and then gets them. */
const PERF = '/perf/1.0.0';
const PATIENCE = 30_000;

export class JsPeer {
  #node;

  constructor(node) {
    this.#node = node;
  }

  static async start({ listen = [] } = {}) {
    const node = await createLibp2p({
      addresses: { listen },
      transports: [webRTC(), webRTCDirect(), webSockets(), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      // Local addresses are refused by default in browsers.
      connectionGater: { denyDialMultiaddr: () => false },
      services: { identify: identify({ runOnLimitedConnection: true }), ping: ping() },
    });
    await node.handle(ECHO, echo, { runOnLimitedConnection: true });
    await node.handle(PERF, answerMeasurement);
    return new JsPeer(node);
  }

  get id() {
    return this.#node.peerId.toString();
  }

  /** Connects, and tells what the other end said about itself. */
  async dial(address) {
    const signal = AbortSignal.timeout(PATIENCE);
    const told = new Map();
    const hear = ({ detail }) => told.set(detail.peerId.toString(), detail);
    this.#node.addEventListener('peer:identify', hear);
    const connection = await this.#node.dial(multiaddr(address), { signal });
    // A relay on the way introduces itself, too.
    while (!told.has(connection.remotePeer.toString())) {
      if (signal.aborted) throw new Error('the other end was not identified');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#node.removeEventListener('peer:identify', hear);
    const { agentVersion, protocols } = told.get(connection.remotePeer.toString());
    return { agent: agentVersion, protocols, address: connection.remoteAddr.toString(), limited: Boolean(connection.limits) };
  }

  /** Waits until a peer has told that it speaks all of these protocols. */
  async speaks(id, wanted) {
    let missing = wanted;
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      const peers = await this.#node.peerStore.all();
      const spoken = peers.find((peer) => peer.id.toString() === id)?.protocols ?? [];
      missing = wanted.filter((protocol) => !spoken.includes(protocol));
      if (missing.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${id} did not tell of ${missing.join(', ')}`);
  }

  /** Sends bytes and checks that they come back; returns how many did. */
  async echo(address, size) {
    const signal = AbortSignal.timeout(PATIENCE);
    const stream = await this.#node.dialProtocol(multiaddr(address), ECHO, { signal, runOnLimitedConnection: true });
    const sent = Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251);
    const received = collect(stream, size);
    await send(stream, sent, signal);
    await stream.close({ signal });
    const bytes = await received;
    if (bytes.length !== size || bytes.some((byte, at) => byte !== sent[at])) {
      throw new Error(`${bytes.length} of ${size} bytes came back, not all of them right`);
    }
    return bytes.length;
  }

  /** Sends and receives so many bytes by `/perf/1.0.0`; returns how many came. */
  async measure(address, size) {
    const signal = AbortSignal.timeout(PATIENCE);
    const stream = await this.#node.dialProtocol(multiaddr(address), PERF, { signal });
    const received = drain(stream);
    await send(stream, wanted(size), signal);
    await send(stream, new Uint8Array(size), signal);
    await stream.close({ signal });
    return (await received).length;
  }

  /** Milliseconds of a ping. */
  ping(address) {
    return this.#node.services.ping.ping(multiaddr(address), { signal: AbortSignal.timeout(PATIENCE) });
  }

  /** The addresses under which others reach this peer that contain `part`, once there are any. */
  async reachable(part) {
    const found = () => this.#node.getMultiaddrs().map(String).filter((address) => address.split('/').includes(part));
    for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
      if (found().length > 0) return found();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`no address with ${part}; there is ${this.#node.getMultiaddrs().join(', ') || 'none'}`);
  }

  stop() {
    return this.#node.stop();
  }
}

async function echo(stream) {
  try {
    for await (const chunk of stream) {
      if (!stream.send(chunk)) await stream.onDrain();
    }
    await stream.close();
  } catch (error) {
    stream.abort(error);
  }
}

function wanted(size) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(size));
  return bytes;
}

/** All that comes, and its first eight bytes. */
async function drain(stream) {
  const first = [];
  let length = 0;
  for await (const chunk of stream) {
    const part = chunk.subarray();
    if (first.length < 8) first.push(...part.subarray(0, 8 - first.length));
    length += part.length;
  }
  return { length, first: Uint8Array.from(first) };
}

async function answerMeasurement(stream) {
  try {
    const { first } = await drain(stream);
    const size = Number(new DataView(first.buffer).getBigUint64(0));
    await send(stream, new Uint8Array(size), AbortSignal.timeout(PATIENCE));
    await stream.close();
  } catch (error) {
    stream.abort(error);
  }
}

async function send(stream, bytes, signal) {
  const piece = 16 * 1024 - 64;
  for (let at = 0; at < bytes.length; at += piece) {
    if (!stream.send(bytes.subarray(at, at + piece))) await stream.onDrain({ signal });
  }
}

async function collect(stream, size) {
  const bytes = new Uint8Array(size);
  let length = 0;
  for await (const chunk of stream) {
    const part = chunk.subarray();
    if (length + part.length > size) throw new Error('more came back than was sent');
    bytes.set(part, length);
    length += part.length;
  }
  return bytes.subarray(0, length);
}
