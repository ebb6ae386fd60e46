import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load, snapshot } from './support.mjs';

const { Peer } = await load('peer.ts');
const { startPeer } = await load('create.ts');

async function start(t, methods, identity = { ephemeral: false }) {
  const engine = new FakeEngine(methods);
  let cleaned = 0;
  const peer = new Peer(engine.port, identity, () => cleaned++);
  t.after(() => engine.shut());
  await startPeer(peer, { join: [] }, undefined);
  return { engine, peer, cleaned: () => cleaned };
}

/** The detail of the next event. (`once` of node:events mistakes a target with `on` for an emitter.) */
const next = (peer, name) =>
  new Promise((resolve) => peer.addEventListener(name, ({ detail }) => resolve(detail), { once: true }));

/** Resolves after everything the engine sent so far was delivered. */
async function settled(engine, peer) {
  const marker = next(peer, 'marker');
  engine.emit('marker');
  await marker;
}

test('properties come from the start, then from the last snapshot', async (t) => {
  const { engine, peer } = await start(t);
  assert.deepEqual([peer.id, peer.author, peer.network, peer.state], ['peer-1', 'author-1', null, 'joining']);
  const relays = [{ id: 'r', state: 'connected', reserved: true, attempts: [] }];
  const change = next(peer, 'snapshot');
  engine.emit('snapshot', snapshot('joined', { relays, addresses: ['/a'] }));
  await change;
  assert.deepEqual([peer.network, peer.state, peer.addresses], ['testnet', 'joined', ['/a']]);
  assert.deepEqual(peer.relays, relays);
});

test('events of the start are delivered after the application could listen', async (t) => {
  const { peer } = await start(t, {
    start: (_, { engine }) => {
      engine.emit('relay', { id: 'r', state: 'dialing', transport: null });
      return { id: 'peer-1', author: 'author-1', network: null };
    },
  });
  assert.deepEqual(await next(peer, 'relay'), { id: 'r', state: 'dialing' });
});

test('what the engine does not know is absent, not null', async (t) => {
  const { engine, peer } = await start(t, { snapshot: () => snapshot('joining', { network: '', reason: null }) });
  const relays = [{ id: 'r', url: null, state: 'waiting', transport: null, reserved: false, rttMs: null, attempts: [] }];
  const change = next(peer, 'snapshot');
  engine.emit('snapshot', snapshot('joining', { network: '', relays }));
  await change;
  assert.equal(peer.network, null);
  assert.deepEqual(peer.relays, [{ id: 'r', state: 'waiting', reserved: false, attempts: [] }]);
  assert.deepEqual(await peer.snapshot(), snapshot('joining', { network: null }));
});

test('tries are told when they begin and when they end, once', async (t) => {
  const { engine, peer } = await start(t);
  const seen = [];
  peer.on('attempt', ({ relay, state, reason }) => seen.push([relay, state, reason]));
  const show = (state, reason = null) => {
    const attempts = [{ transport: 'websocket', address: '/x', state, reason, ms: null }];
    engine.emit('snapshot', snapshot('joining', { relays: [{ id: 'r', state: 'dialing', reserved: false, attempts }] }));
  };
  show('dialing');
  show('dialing');
  show('failed', 'refused');
  await settled(engine, peer);
  assert.deepEqual(seen, [['r', 'dialing', undefined], ['r', 'failed', 'refused']]);
});

test('a place at a relay has an address for others, and is given up', async (t) => {
  const released = [];
  const at = (where, relay) => `/ip4/${where}/tcp/1/ws/p2p/${relay}/p2p-circuit/p2p/peer-1`;
  const addresses = [at('192.0.2.9', 'home'), at('10.0.0.1', 'r'), at('192.0.2.1', 'r')];
  const methods = {
    reserve: () => ({ id: 'r' }),
    release: ({ id }) => void released.push(id),
    snapshot: () => snapshot('joined', { addresses }),
  };
  const { engine, peer } = await start(t, methods);
  engine.emit('snapshot', snapshot('joined', { addresses }));
  for (const asked of ['/ip4/192.0.2.1/tcp/1/ws/p2p/r', '/ip4/192.0.2.1/tcp/1/ws']) {
    const { address, relay } = await peer.reserve(asked);
    assert.deepEqual([relay, address], ['r', '/ip4/192.0.2.1/tcp/1/ws/p2p/r/p2p-circuit/p2p/peer-1']);
  }
  const place = await peer.reserve('r');
  assert.equal(place.address, '/ip4/10.0.0.1/tcp/1/ws/p2p/r/p2p-circuit/p2p/peer-1', 'what the relay tells, not what was asked');
  const { params } = await engine.saw(({ method }) => method === 'reserve');
  assert.deepEqual(params, { target: '/ip4/192.0.2.1/tcp/1/ws/p2p/r' });
  await place.release();
  await place.release();
  assert.deepEqual(released, ['r']);
});

test('a circuit says why it is kept, as long as it is', async (t) => {
  const circuit = { peer: 'far', address: '/r/p2p-circuit', transport: 'circuit', direction: 'outbound', relayed: true, since: 1 };
  const relay = { ...circuit, peer: 'r', transport: 'websocket', relayed: false };
  const now = snapshot('joined', { connections: [relay, circuit] });
  const { engine, peer } = await start(t, { snapshot: () => now });
  const show = async (connections) => {
    engine.emit('snapshot', snapshot('joined', { connections }));
    await settled(engine, peer);
    return peer.connections.map(({ kept }) => kept);
  };
  await show([relay, circuit]);
  let heard;
  peer.on('upgrade', () => (heard = peer.connections[1].kept));
  engine.emit('upgrade', { peer: 'far', state: 'kept', reason: 'no way was found', retryAt: 5 });
  await settled(engine, peer);
  const kept = { reason: 'no way was found', retryAt: 5 };
  assert.deepEqual(heard, kept);
  assert.deepEqual((await peer.snapshot()).connections[1].kept, kept);
  // One that was on its way already, from before the circuit.
  assert.deepEqual(await show([relay]), [undefined]);
  assert.deepEqual(await show([relay, circuit]), [undefined, kept]);
  engine.emit('upgrade', { peer: 'far', state: 'kept', reason: 'it does not speak it', retryAt: null });
  assert.deepEqual(await show([relay, circuit]), [undefined, { reason: 'it does not speak it' }]);
  engine.emit('upgrade', { peer: 'far', state: 'direct', reason: null, retryAt: null });
  assert.deepEqual(await show([relay, circuit]), [undefined, undefined]);

  engine.emit('upgrade', { peer: 'far', state: 'kept', reason: 'of an earlier circuit', retryAt: null });
  await show([relay]);
  await show([relay]);
  assert.deepEqual(await show([relay, circuit]), [undefined, undefined]);
});

test('an identity in memory is said once, with the reason', async (t) => {
  const { peer } = await start(t, {}, { ephemeral: true, reason: 'another-tab' });
  assert.deepEqual(await next(peer, 'identity'), { ephemeral: true, reason: 'another-tab' });
  assert.deepEqual(peer.identity, { ephemeral: true, reason: 'another-tab' });
});

test('on() delivers details until it is undone or aborted', async (t) => {
  const { engine, peer } = await start(t);
  const seen = [];
  const abort = new AbortController();
  const undo = peer.on('warning', ({ code }) => seen.push(`undo ${code}`));
  peer.on('warning', ({ code }) => seen.push(`abort ${code}`), { signal: abort.signal });
  engine.emit('warning', { code: '1' });
  await settled(engine, peer);
  undo();
  engine.emit('warning', { code: '2' });
  await settled(engine, peer);
  abort.abort();
  engine.emit('warning', { code: '3' });
  await settled(engine, peer);
  assert.deepEqual(seen, ['undo 1', 'abort 1', 'abort 2']);
});

test('events() iterates in order and ends when the peer closes', async (t) => {
  const { engine, peer } = await start(t);
  const warnings = peer.events('warning');
  engine.emit('warning', { code: '1' });
  engine.emit('warning', { code: '2' });
  await settled(engine, peer);
  await peer.close();
  const codes = [];
  for await (const { code } of warnings) codes.push(code);
  assert.deepEqual(codes, ['1', '2']);
});

test('a peer that closes leaves no listener on the signals of its readers', async (t) => {
  const { peer } = await start(t);
  const { signal } = new AbortController();
  const listeners = new Set();
  t.mock.method(signal, 'addEventListener', (_, listener) => listeners.add(listener));
  t.mock.method(signal, 'removeEventListener', (_, listener) => listeners.delete(listener));
  const warnings = peer.events('warning', { signal });
  assert.equal(listeners.size, 1);
  await peer.close();
  assert.equal(listeners.size, 0);
  assert.deepEqual(await warnings.next(), { value: undefined, done: true });
});

test('events() throws the reason of its signal', async (t) => {
  const { peer } = await start(t);
  const abort = new AbortController();
  const reading = peer.events('state', { signal: abort.signal }).next();
  abort.abort(new Error('enough'));
  await assert.rejects(reading, /enough/);
});

test('joined() waits for the state', async (t) => {
  const { engine, peer } = await start(t);
  const joined = peer.joined();
  engine.emit('state', { state: 'joined', previous: 'joining' });
  await joined;
  assert.equal(peer.state, 'joined');
  await peer.joined();
});

test('joined() rejects with CLOSED, with the signal\'s reason, or with what was tried', async (t) => {
  const { engine, peer } = await start(t);
  engine.emit('warning', { code: 'JOIN_FAILED', message: 'nobody answered', remedy: '' });
  await settled(engine, peer);
  await assert.rejects(peer.joined({ timeoutMs: 1 }), { code: 'TIMED_OUT', message: /nobody answered/ });
  const attempts = [{ transport: 'websocket', address: '/x', state: 'failed', reason: 'refused' }];
  const change = next(peer, 'snapshot');
  engine.emit('snapshot', snapshot('joining', { relays: [{ id: 'r', state: 'waiting', reserved: false, attempts }] }));
  await change;
  await assert.rejects(peer.joined({ signal: AbortSignal.abort(new Error('no')) }), /no/);
  await assert.rejects(peer.joined({ timeoutMs: 1 }), { code: 'TIMED_OUT', message: /websocket refused/ });
  const waiting = peer.joined();
  await peer.close();
  await assert.rejects(waiting, { code: 'CLOSED' });
});

test('bytes travel as bytes, everything else as JSON', async (t) => {
  const { engine, peer } = await start(t, { dhtPut: () => ({ key: 'k', stored: 2 }) });
  const view = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
  assert.deepEqual(await peer.dht.put(view), { key: 'k', stored: 2 });
  await peer.dht.put(new Uint16Array([1]).buffer);
  await peer.dht.put({ a: [1, null, 'ü'] });
  await peer.dht.put('text');
  const values = engine.received.filter(({ method }) => method === 'dhtPut').map(({ params }) => params.value);
  assert.deepEqual(values, [
    { bytes: new Uint8Array([1, 2]) },
    { bytes: new Uint8Array([1, 0]) },
    { json: '{"a":[1,null,"ü"]}' },
    { json: '"text"' },
  ]);
});

test('what is neither bytes nor JSON is refused before anything is sent', async (t) => {
  const { peer } = await start(t);
  const circle = {};
  circle.self = circle;
  for (const value of [undefined, () => {}, 1n, circle]) {
    await assert.rejects(peer.dht.put(value), { code: 'INVALID_ARGUMENT' });
  }
  await assert.rejects(peer.dht.get(7), { code: 'INVALID_ARGUMENT' });
});

test('entries are read with their proof', async (t) => {
  const record = {
    key: 'r', kind: 'record', value: { json: '{"a":1}' }, author: 'k51', label: 'profile', seq: 3, issued: 1000, expires: 2000,
  };
  const value = { key: 'v', kind: 'value', value: { bytes: new Uint8Array([1]) }, author: null, expires: 5 };
  const { peer } = await start(t, { dhtGet: ({ key }) => (key === 'r' ? record : value) });
  assert.deepEqual(await peer.dht.get('r'), {
    key: 'r', kind: 'record', value: { a: 1 }, json: '{"a":1}', author: 'k51', label: 'profile', seq: 3,
    issued: new Date(1000), expires: new Date(2000),
  });
  assert.deepEqual(await peer.dht.get('v'), {
    key: 'v', kind: 'value', value: new Uint8Array([1]), expires: new Date(5),
  });
});

test('set() passes label and time to live', async (t) => {
  const { engine, peer } = await start(t, { dhtSet: () => ({ key: 'k', seq: 1, stored: 1 }) });
  await peer.dht.set('profile', { a: 1 }, { ttl: 60_000 });
  const { params } = await engine.saw(({ method }) => method === 'dhtSet');
  assert.deepEqual(params, { label: 'profile', value: { json: '{"a":1}' }, ttlMs: 60_000 });
});

test('a namespace is withdrawn when its last holder stops, once', async (t) => {
  const { engine, peer } = await start(t, { provide: () => ({ expires: 1000 }), unprovide: () => null });
  const first = await peer.provide('room');
  const second = await peer.provide('room');
  assert.deepEqual(first.expires, new Date(1000));
  await first.stop();
  await first.stop();
  assert.equal(engine.received.filter(({ method }) => method === 'unprovide').length, 0);
  await second.stop();
  assert.equal(engine.received.filter(({ method }) => method === 'unprovide').length, 1);
});

test('an announcement that could not be stopped can be stopped again', async (t) => {
  let fail = true;
  const { engine, peer } = await start(t, {
    provide: () => ({ expires: 1 }),
    unprovide: () => {
      if (fail) throw { code: 'INTERNAL', message: 'm' };
      return null;
    },
  });
  const room = await peer.provide('room');
  await assert.rejects(room.stop(), { code: 'INTERNAL' });
  fail = false;
  await room.stop();
  await room.stop();
  assert.equal(engine.received.filter(({ method }) => method === 'unprovide').length, 2);
});

test('a failed announcement holds nothing', async (t) => {
  let fail = true;
  const { engine, peer } = await start(t, {
    provide: () => {
      if (fail) throw { code: 'NO_RELAY', message: 'm' };
      return { expires: 1 };
    },
    unprovide: () => null,
  });
  await assert.rejects(peer.provide('room'), { code: 'NO_RELAY' });
  fail = false;
  await (await peer.provide('room')).stop();
  assert.ok(engine.received.some(({ method }) => method === 'unprovide'));
});

test('every loop over find() is a search of its own', async (t) => {
  const { engine, peer } = await start(t, {
    find: (_, { id, engine: far }) => {
      far.send({ id, item: { id: 'a', addresses: [] } });
      return null;
    },
  });
  const found = peer.find('room', { limit: 5 });
  for (let round = 0; round < 2; round++) for await (const { id } of found) assert.equal(id, 'a');
  const searches = engine.received.filter(({ method }) => method === 'find');
  assert.deepEqual(searches.map(({ params }) => params), [{ namespace: 'room', limit: 5 }, { namespace: 'room', limit: 5 }]);
});

test('a measurement sends what it was given, and nothing by itself', async (t) => {
  const measured = { sent: 5, sendingMs: 1, received: 0, receivingMs: 0 };
  const { engine, peer } = await start(t, { measure: () => measured });
  assert.deepEqual(await peer.measure('a', { upload: 5 }), measured);
  const [{ params }] = engine.received.filter(({ method }) => method === 'measure');
  assert.deepEqual(params, { id: 'a', upload: 5, download: 0 });
});

test('close() is said to the engine once, cleans up once, and ends everything', async (t) => {
  const { engine, peer, cleaned } = await start(t);
  const states = [];
  peer.on('state', ({ state, previous }) => states.push([previous, state]));
  const call = peer.ping('x');
  await Promise.all([peer.close(), peer.close()]);
  await peer.close();
  await assert.rejects(call, { code: 'CLOSED' });
  await assert.rejects(peer.dht.get('k'), { code: 'CLOSED' });
  assert.equal(engine.received.filter(({ method }) => method === 'close').length, 1);
  assert.equal(cleaned(), 1);
  assert.equal(peer.state, 'closed');
  assert.deepEqual(states, [['joining', 'closed']]);
});

test('a crash of the engine rejects every call instead of leaving it waiting', async (t) => {
  const { engine, peer, cleaned } = await start(t);
  const call = peer.ping('x');
  engine.emit('crash', { code: 'INTERNAL', message: 'The engine stopped: unreachable' });
  await assert.rejects(call, { code: 'INTERNAL', message: /unreachable/ });
  await assert.rejects(peer.dht.get('k'), { code: 'INTERNAL' });
  assert.equal(peer.state, 'closed');
  await peer.close();
  assert.equal(cleaned(), 1);
});

test('a start that fails closes the port and rejects with the engine\'s error', async (t) => {
  const failing = start(t, {
    start: () => {
      throw { code: 'INVALID_ADDRESS', message: 'm' };
    },
  });
  await assert.rejects(failing, { code: 'INVALID_ADDRESS' });
});
