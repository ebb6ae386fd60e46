// Commands: what a handler's answer becomes on the port, and how calls end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load } from './support.mjs';

const { Rpc, RpcError } = await load('rpc.ts');
const { RpcPort } = await load('rpc-port.ts');

/** An engine, and the commands that speak to it; `served` is the id of the service. */
async function serving(handler, methods = {}) {
  let served;
  const engine = new FakeEngine({
    rpcResult: () => ({}),
    rpcItem: () => ({}),
    rpcEnd: () => ({}),
    rpcFault: () => ({}),
    ...methods,
  });
  const rpc = new Rpc(new RpcPort(engine.port, () => {}));
  // A service does not end by itself: the engine says nothing but items.
  const offered = engine.saw((message) => message.method === 'rpcServe').then(({ id }) => {
    served = id;
    engine.send({ id, item: {} });
  });
  const service = await rpc.serve('sum', { allow: 'anyone' }, handler);
  await offered;
  const ask = (call, params = null) =>
    engine.send({ id: served, item: { call, peer: 'peer-2', notification: false, params } });
  const told = (kind, call) => engine.saw((message) => message.method === kind && message.params.call === call);
  return { engine, service, ask, told, gone: (call) => engine.send({ id: served, item: { gone: call } }) };
}

test('a handler is told who calls, and its result is the answer', async () => {
  const { engine, ask, told } = await serving((params, { peer, notification }) => ({ sum: params[0] + params[1], peer, notification }));
  const offered = engine.received.find(({ method }) => method === 'rpcServe');
  assert.deepEqual(JSON.parse(offered.params.text), { anyone: true });
  ask(1, [2, 3]);
  const { params } = await told('rpcResult', 1);
  assert.deepEqual(JSON.parse(params.text), { sum: 5, peer: 'peer-2', notification: false });
  engine.shut();
});

test('nothing is null, and several calls are worked on at once', async () => {
  const gates = new Map();
  const { engine, ask, told } = await serving(([name]) => new Promise((resolve) => gates.set(name, resolve)));
  ask(1, ['one']);
  ask(2, ['two']);
  while (gates.size < 2) await new Promise((again) => setImmediate(again));
  gates.get('two')();
  assert.equal((await told('rpcResult', 2)).params.text, 'null');
  gates.get('one')(1);
  assert.equal((await told('rpcResult', 1)).params.text, '1');
  engine.shut();
});

test('what is thrown on purpose is told, what is not is kept', async () => {
  const complained = [];
  const complain = console.error;
  console.error = (...what) => complained.push(what);
  const { engine, ask, told } = await serving(([how]) => {
    if (how === 'typed') throw new RpcError(42, 'full moon', { tonight: true });
    throw new Error('secret');
  });
  ask(1, ['typed']);
  const typed = JSON.parse((await told('rpcFault', 1)).params.text);
  assert.deepEqual(typed, { code: 42, message: 'full moon', data: { tonight: true } });
  ask(2, ['other']);
  const other = JSON.parse((await told('rpcFault', 2)).params.text);
  assert.deepEqual(other, { code: -32603, message: 'Internal error' });
  console.error = complain;
  assert.equal(complained.length, 1);
  assert.equal(complained[0][1].message, 'secret');
  engine.shut();
});

test('a generator is read as fast as its results are taken, and ends with the caller', async () => {
  let made = 0;
  let returned = false;
  async function* numbers() {
    try {
      for (;;) yield made++;
    } finally {
      returned = true;
    }
  }
  const { engine, ask, gone } = await serving(() => numbers(), { rpcItem: undefined });
  const untilTaken = (count) => engine.saw(() => engine.received.filter(({ method }) => method === 'rpcItem').length >= count);
  ask(1);
  for (let count = 1; count <= 3; count++) {
    await untilTaken(count);
    const items = engine.received.filter(({ method }) => method === 'rpcItem');
    assert.equal(items.length, count, 'none before the last one was taken');
    assert.equal(items[count - 1].params.text, String(count - 1));
    if (count < 3) engine.send({ id: items[count - 1].id, ok: {} });
  }
  gone(1);
  while (!returned) await new Promise((again) => setImmediate(again));
  assert.equal(made, 3);
  assert.ok(!engine.received.some(({ method }) => method === 'rpcFault' || method === 'rpcEnd'));
  engine.shut();
});

test('a handler hears that the caller has gone, and stopping ends the service', async () => {
  let signal;
  const { engine, service, ask, gone } = await serving((_, context) => {
    signal = context.signal;
    return new Promise(() => {});
  });
  ask(1);
  while (!signal) await new Promise((again) => setImmediate(again));
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve));
  gone(1);
  await aborted;
  assert.equal(signal.reason.code, 'CANCELLED');
  signal = undefined;
  ask(2);
  while (!signal) await new Promise((again) => setImmediate(again));
  await service.stop();
  assert.ok(signal.aborted);
  await engine.saw((message) => message.cancel !== undefined);
  engine.shut();
});

test('nobody is let in by accident', async () => {
  const engine = new FakeEngine();
  const rpc = new Rpc(new RpcPort(engine.port, () => {}));
  for (const allow of [undefined, null, 'everyone']) {
    await assert.rejects(rpc.serve('x', { allow }, () => 1), { code: 'INVALID_ARGUMENT' });
  }
  assert.ok(!engine.received.some(({ method }) => method === 'rpcServe'));
  engine.shut();
});

test('a method that cannot be served says why', async () => {
  const engine = new FakeEngine({
    rpcServe: () => {
      throw { code: 'INVALID_ARGUMENT', message: 'it is served already' };
    },
  });
  const rpc = new Rpc(new RpcPort(engine.port, () => {}));
  await assert.rejects(rpc.serve('x', { allow: {} }, () => 1), { code: 'INVALID_ARGUMENT' });
  engine.shut();
});

test('calls say what is called, and errors keep what the other side said', async () => {
  const engine = new FakeEngine({
    rpcCall: ({ method }) => {
      if (method === 'ok') return [7];
      throw { code: 'REFUSED', message: 'no', details: { rpcCode: '42', data: '{"tonight":true}' } };
    },
    rpcNotify: () => ({}),
    rpcBatch: () => [{ ok: null }, { error: { code: 'UNSUPPORTED', message: 'no' } }],
  });
  const rpc = new Rpc(new RpcPort(engine.port, () => {}));
  assert.deepEqual(await rpc.call('peer-2', 'ok', [1], { timeout: 500 }), [7]);
  const call = engine.received.find(({ method }) => method === 'rpcCall');
  assert.deepEqual(call.params, { id: 'peer-2', method: 'ok', text: '[1]', ttlMs: 500 });
  const refused = await rpc.call({ namespace: 'room' }, 'no').catch((error) => error);
  assert.deepEqual(refused.details, { rpcCode: 42, data: { tonight: true } });
  assert.deepEqual(refused.toJSON().details, { rpcCode: '42', data: '{"tonight":true}' });
  await rpc.notify('peer-2', 'note');
  const [good, bad] = await rpc.batch('peer-2', [{ method: 'a' }, { method: 'b', params: [1] }]);
  assert.deepEqual(good, { ok: true, value: null });
  assert.deepEqual([bad.ok, bad.error.code], [false, 'UNSUPPORTED']);
  const circle = [];
  circle.push(circle);
  for (const params of [circle, () => 1, 1n]) {
    await assert.rejects(rpc.call('peer-2', 'ok', params), { code: 'INVALID_ARGUMENT' });
  }
  engine.shut();
});

test('results are read one by one, and leaving the loop withdraws the call', async () => {
  const engine = new FakeEngine();
  const rpc = new Rpc(new RpcPort(engine.port, () => {}));
  const read = (async () => {
    const found = [];
    for await (const item of rpc.stream('peer-2', 'count')) {
      found.push(item);
      if (found.length === 2) break;
    }
    return found;
  })();
  const { id } = await engine.saw((message) => message.method === 'rpcStream');
  for (const item of [1, 2, 3]) engine.send({ id, item });
  assert.deepEqual(await read, [1, 2]);
  await engine.saw((message) => message.cancel === id);
  engine.shut();
});
