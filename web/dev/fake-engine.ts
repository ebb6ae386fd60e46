// Design aid, never shipped: stands in for the WebAssembly engine, and for the module of apps as far as files go, so that every state of the page can be looked
// at without a relay. `?scene=joining|joined|lost|offline|error|crowd` chooses what it reports.
// Tests never use it: they run against the real engine.

import { onFiles } from './fake-files.ts';
import type { Attempt, Bucket, Connection, Relay, Snapshot } from 'warren-p2p';

const SCENE = new URLSearchParams(location.search).get('scene') ?? 'joined';
const ME = '12D3KooWQ9tXk3vVn1fMGj8cyhYzD5k2hTtLw6sRrUe7BpQmZaNd';
const AUTHOR = 'k51qzi5uqu5dj2v4m8z0n3gk6c1s9wq7x5t2ry4p8hjb3f6d9alv0e1uoe';
const KEY = 'bafyr4ih2o6m3v4k5jz7q2xw8n3c4t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9';

export default async function init(): Promise<void> {}

export function serve(port: MessagePort): void {
  port.onmessage = ({ data }) => void answer(port, data);
}

interface Call {
  id: number;
  method: string;
  params: Record<string, unknown>;
}

async function answer(port: MessagePort, { id, method, params }: Call): Promise<void> {
  if (method === undefined) return;
  const ok = (result: unknown) => port.postMessage({ id, ok: result });
  const fail = (code: string, message: string, remedy: string) =>
    port.postMessage({ id, error: { code, message, remedy, retryable: true } });
  if (method === 'start' && SCENE === 'error') return fail('JOIN_FAILED', 'The scene "error".', 'Choose another scene.');
  if (method === 'start') return start(port, ok);
  if (method === 'snapshot') return ok(scene());
  if (method === 'dhtPut') return ok({ key: KEY, stored: 2 });
  if (method === 'dhtSet') return ok({ key: KEY.replace('yr4', 'zq2'), seq: 3, stored: 2 });
  if (method === 'provide') return ok({ expires: Date.now() + 1_800_000 });
  if (method === 'findPeer') return ok({ ...peerInfo(), id: params['id'] });
  if (method === 'ping') return ok({ ms: 4.25 });
  if (method === 'find') {
    for (const peer of ['a', 'b', 'c']) port.postMessage({ id, item: { id: fakeId(peer), addresses: [address(4001)] } });
    return ok(null);
  }
  if (method === 'dhtGet' && params['key'] !== KEY) {
    return fail('NOT_FOUND', 'No peer that could be asked has this value.', 'Check the key; values are forgotten 48 h after they were last stored.');
  }
  if (method === 'dhtGet') return ok(entry());
  if (method === 'name') return onNames(port, id, params, ok, fail);
  if (method === 'files') return onFiles(port, id, params, ok, fail);
  ok(null);
}

/** Names: `alice` is there, `lapsed` has expired, `bob` is taken, whatever else is free. Claims never end with `slow` in them. */
function onNames(
  port: MessagePort,
  id: number,
  params: Record<string, unknown>,
  ok: (result: unknown) => void,
  fail: (code: string, message: string, remedy: string) => void,
): void {
  const name = String(params['name']).replace(/(\.p2p)?$/, '.p2p');
  switch (params['action']) {
    case 'owner':
      return ok(AUTHOR);
    case 'mine':
      return ok(SCENE === 'crowd' ? ['alice', 'a-rather-long-name-that-somebody-wanted-to-have-all-the-same', 'empty'].map(held) : []);
    case 'resolve':
      if (name === 'alice.p2p') return ok(resolution(name));
      if (name === 'lapsed.p2p') return fail('NAME_EXPIRED', "the witnesses' signatures ended on 2026-10-02", 'Its owner must renew it; if it is yours, renew it now.');
      return fail('NAME_NOT_FOUND', 'nobody holds this name', 'Check the spelling; the name may be free to claim.');
    case 'claim':
      port.postMessage({ id, item: { stage: 'working', puzzle: '00', bits: 20 } });
      if (name.includes('slow')) return;
      if (name === 'bob.p2p') return fail('NAME_TAKEN', `the name is held by ${AUTHOR} until 2027-05-01`, 'Choose another name, or ask its owner for a transfer.');
      return ok(held(name.replace(/\.p2p$/, '')));
    case 'transfer':
      return ok('aHVtYW4gcmVhZGVycyB3aWxsIG5vdCBmaW5kIGFueXRoaW5nIGluIGhlcmUsIGJ1dCB0aGV5IGFyZSB3ZWxjb21lIHRvIGxvb2s');
    default:
      return ok(held('alice'));
  }
}

function held(label: string) {
  const zone = label === 'empty' ? null : { generation: 1, ttl: 300, entries: [{ sub: '', resources: resources() }, { sub: 'blog', resources: [{ type: 'text', text: 'hello' }] }] };
  return { name: `${label}.p2p`, owner: 'ab', generation: 1, expires: Date.now() + 300 * 86_400_000, liveUntil: Date.now() + 6 * 86_400_000, zone, seq: 4 };
}

function resources() {
  return [{ type: 'url', url: 'https://example.org/a/place/in/the/grass' }, { type: 'peer', peer: ME }, { type: 'address', ip: '192.0.2.7', port: 443 }];
}

function resolution(name: string) {
  const times = { zoneIssued: Date.now() - 1e6, zoneExpires: Date.now() + 1e9, expires: Date.now() + 1e10, liveUntil: Date.now() + 5e8 };
  const witnesses = ['a', 'b'].map((key) => ({ key, until: Date.now() + 5e8 }));
  const proof = { name, owner: 'ab', ownerName: AUTHOR, generation: 1, seq: 4, ...times, epoch: 1, witnesses, of: 3, quorum: 2, cached: true, stale: false, age: 240_000 };
  return { name, via: [], resources: resources(), hidden: 1, ttl: 300_000, proofs: [proof] };
}

function start(port: MessagePort, ok: (result: unknown) => void): void {
  ok({ id: ME, author: AUTHOR, network: null });
  const snapshot = scene();
  port.postMessage({ event: 'state', detail: { state: snapshot.state, previous: 'joining' } });
  for (const { id, state, transport, reason } of snapshot.relays) {
    port.postMessage({ event: 'relay', detail: { id, state, transport, reason } });
  }
  port.postMessage({ event: 'snapshot', detail: snapshot });
}

function entry() {
  const value = { json: '{"greeting":"hello from the other tab","at":"12:04","tags":["first","light"]}' };
  const times = { issued: Date.now() - 95_000, expires: Date.now() + 30 * 86_400_000 };
  return { key: KEY, kind: 'record', value, author: AUTHOR, label: 'greeting', seq: 3, ...times };
}

function peerInfo() {
  const relay = fakeId('relay');
  const addresses = [`${address(4001)}/p2p/${relay}/p2p-circuit`];
  return { addresses, relays: [relay], capabilities: ['value', 'namespace'], author: AUTHOR, expires: Date.now() + 1_500_000 };
}

function scene(): Snapshot {
  const state = SCENE === 'crowd' ? 'joined' : (SCENE as Snapshot['state']);
  const up = state === 'joined';
  return {
    state,
    id: ME,
    author: AUTHOR,
    network: state === 'joining' ? null : 'k3v7q2m9x4tb8wz1',
    ephemeral: false,
    addresses: up ? [`${address(4002)}/p2p/${fakeId('relay')}/p2p-circuit/p2p/${ME}`] : [],
    clockOffsetMs: 12,
    relays: relays(state),
    connections: up ? connections(SCENE === 'crowd' ? 14 : 3) : [],
    routing: state === 'joining' ? { size: 0, buckets: [] } : routing(SCENE === 'crowd' ? 60 : 7),
    namespaces: [],
    refusals: {},
  };
}

function relays(state: Snapshot['state']): Relay[] {
  const first = { id: fakeId('relay'), url: 'http://127.0.0.1:8080' };
  const second = { id: fakeId('second'), url: 'https://relay.meadow.example' };
  const refused = 'No answer within 5 s: UDP may be blocked on the way';
  switch (state) {
    case 'joining':
      return [{ ...first, state: 'dialing', reserved: false, attempts: [way('webrtc-direct', 'dialing'), way('websocket', 'failed', 'Refused: nothing listens there')] }];
    case 'joined':
      return [
        { ...first, state: 'connected', transport: 'webrtc-direct', reserved: true, rttMs: 1.4, attempts: [way('webrtc-direct', 'connected', undefined, 84), way('websocket', 'fallback')] },
        { ...second, state: 'connected', transport: 'websocket', reserved: true, rttMs: 38, attempts: [way('webrtc-direct', 'failed', refused), way('websocket', 'connected', undefined, 142)] },
      ];
    default:
      return [{ ...first, state: 'failed', reserved: false, retryAt: Date.now() + 3000, reason: 'The relay closed the connection', attempts: [way('webrtc-direct', 'failed', refused), way('websocket', 'failed', 'Refused: nothing listens there')] }];
  }
}

function way(transport: Attempt['transport'], state: Attempt['state'], reason?: string, ms?: number): Attempt {
  return { transport, state, address: address(4002), ...(reason ? { reason } : {}), ...(ms ? { ms } : {}) };
}

function connections(amount: number): Connection[] {
  const transports = ['webrtc-direct', 'websocket', 'webrtc', 'circuit'] as const;
  return Array.from({ length: amount }, (_, index) => ({
    peer: index === 0 ? fakeId('relay') : fakeId(`c${index}`),
    address: address(4000 + index),
    transport: transports[index % 4] ?? 'webrtc',
    direction: index % 2 === 0 ? 'outbound' : 'inbound',
    relayed: index % 4 === 3,
    since: Date.now() - index * 47_000,
    ...(index % 2 === 0 ? { rttMs: 1.4 + index * 11 } : {}),
    agent: 'warren/0.1.0',
  }));
}

function routing(size: number): Snapshot['routing'] {
  const buckets: Bucket[] = [];
  for (let index = 255, left = size; left > 0; index--) {
    const here = Math.max(1, Math.min(20, Math.ceil(left / 2)));
    const peers = Array.from({ length: here }, (_, n) => ({ id: fakeId(`${index}-${n}`), addresses: [address(n)], connected: n % 3 === 0 }));
    buckets.push({ index, peers });
    left -= here;
  }
  return { size, buckets };
}

function address(port: number): string {
  return `/ip4/127.0.0.1/udp/${port}/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K`;
}

function fakeId(seed: string): string {
  let state = [...seed].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) >>> 0, 7);
  const next = () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'[state % 58];
  };
  return `12D3KooW${Array.from({ length: 44 }, next).join('')}`;
}
