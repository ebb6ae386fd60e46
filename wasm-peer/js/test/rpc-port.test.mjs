import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load } from './support.mjs';

const { RpcPort } = await load('rpc-port.ts');

function connect(t, methods) {
  const engine = new FakeEngine(methods);
  const events = [];
  const rpc = new RpcPort(engine.port, (name, detail) => events.push([name, detail]));
  t.after(() => engine.shut());
  return { engine, rpc, events };
}

test('answers reach the request with their id, in any order', async (t) => {
  const { engine, rpc } = connect(t);
  const first = rpc.request('slow');
  const second = rpc.request('quick');
  const slow = await engine.saw((message) => message.method === 'slow');
  const quick = await engine.saw((message) => message.method === 'quick');
  engine.send({ id: quick.id, ok: 'second' });
  engine.send({ id: slow.id, ok: 'first' });
  assert.equal(await second, 'second');
  assert.equal(await first, 'first');
});

test('an error arrives with code, remedy, retryable and cause', async (t) => {
  const wire = { code: 'NO_RELAY', message: 'm', remedy: 'r', retryable: true, cause: 'c' };
  const { rpc } = connect(t, {
    fail: () => {
      throw wire;
    },
  });
  const error = await rpc.request('fail').catch((caught) => caught);
  assert.equal(error.name, 'WarrenError');
  assert.deepEqual(error.toJSON(), wire);
});

test('abort rejects with the reason of the signal and tells the engine', async (t) => {
  const { engine, rpc } = connect(t);
  const abort = new AbortController();
  const reason = new Error('changed my mind');
  const call = rpc.request('slow', {}, abort.signal);
  const { id } = await engine.saw((message) => message.method === 'slow');
  abort.abort(reason);
  assert.equal(await call.catch((caught) => caught), reason);
  assert.ok(await engine.saw((message) => message.cancel === id));
});

test('an aborted signal sends nothing at all', async (t) => {
  const { engine, rpc } = connect(t, { echo: (params) => params });
  await assert.rejects(rpc.request('never', {}, AbortSignal.abort(new Error('too late'))), /too late/);
  await rpc.request('echo');
  assert.deepEqual(engine.received.map((message) => message.method), ['echo']);
});

test('an answer that comes after the abort is ignored', async (t) => {
  const { engine, rpc } = connect(t, { echo: () => 'still here' });
  const abort = new AbortController();
  const call = rpc.request('slow', {}, abort.signal);
  const { id } = await engine.saw((message) => message.method === 'slow');
  abort.abort();
  await assert.rejects(call);
  engine.send({ id, ok: 'late' });
  assert.equal(await rpc.request('echo'), 'still here');
});

test('a stream yields its items in order and ends', async (t) => {
  const { rpc } = connect(t, {
    count: (params, { id, engine }) => {
      for (let item = 1; item <= params.to; item++) engine.send({ id, item });
      return null;
    },
  });
  const items = [];
  for await (const item of rpc.stream('count', { to: 3 })) items.push(item);
  assert.deepEqual(items, [1, 2, 3]);
});

test('a stream that fails yields what it had before it throws', async (t) => {
  const { rpc } = connect(t, {
    count: (_, { id, engine }) => {
      engine.send({ id, item: 1 });
      throw { code: 'TIMED_OUT', message: 'm' };
    },
  });
  const items = [];
  const reading = (async () => {
    for await (const item of rpc.stream('count', {})) items.push(item);
  })();
  await assert.rejects(reading, { code: 'TIMED_OUT' });
  assert.deepEqual(items, [1]);
});

test('leaving a stream early cancels it once', async (t) => {
  const { engine, rpc } = connect(t);
  const stream = rpc.stream('endless', {});
  const first = stream.next();
  const { id } = await engine.saw((message) => message.method === 'endless');
  engine.send({ id, item: 'a' });
  assert.equal((await first).value, 'a');
  await stream.return();
  assert.ok(await engine.saw((message) => message.cancel === id));
});

test('aborting a stream throws the reason inside the loop', async (t) => {
  const { engine, rpc } = connect(t);
  const abort = new AbortController();
  const next = rpc.stream('endless', {}, abort.signal).next();
  const { id } = await engine.saw((message) => message.method === 'endless');
  abort.abort(new Error('enough'));
  await assert.rejects(next, /enough/);
  assert.ok(await engine.saw((message) => message.cancel === id));
});

test('a reader that never reads is cut off instead of filling the memory', async (t) => {
  const { engine, rpc } = connect(t);
  const stream = rpc.stream('flood', {});
  const first = stream.next();
  const { id } = await engine.saw((message) => message.method === 'flood');
  for (let item = 0; item < 5000; item++) engine.send({ id, item });
  await first;
  assert.ok(await engine.saw((message) => message.cancel === id));
  const reading = (async () => {
    for await (const _ of stream);
  })();
  await assert.rejects(reading, { code: 'OVERLOADED' });
});

test('closing rejects what is under way and what comes later, and twice is once', async (t) => {
  const { rpc } = connect(t);
  const call = rpc.request('slow');
  rpc.close();
  rpc.close();
  await assert.rejects(call, { code: 'CLOSED' });
  await assert.rejects(rpc.request('late'), { code: 'CLOSED' });
  await assert.rejects(rpc.stream('late', {}).next(), { code: 'CLOSED' });
});

test('what cannot be cloned is the caller\'s mistake', async (t) => {
  const { rpc } = connect(t);
  await assert.rejects(rpc.request('echo', { f: () => {} }), { code: 'INVALID_ARGUMENT' });
});

test('events go to the sink in order', async (t) => {
  const { engine, rpc, events } = connect(t, { echo: () => null });
  engine.emit('a', 1);
  engine.emit('b', 2);
  await rpc.request('echo');
  assert.deepEqual(events, [['a', 1], ['b', 2]]);
});
