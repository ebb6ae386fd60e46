// Direct messages as an application sees them, with a scripted engine behind the port.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load } from './support.mjs';

const { Messages } = await load('messages.ts');
const { RpcPort } = await load('rpc-port.ts');

function scripted(direct) {
  const engine = new FakeEngine({ direct: (params) => direct(params) });
  return { engine, messages: new Messages(new RpcPort(engine.port, () => {})) };
}

const wire = (place, body) => ({ id: `id-${place}`, place, sent: false, state: 'delivered', from: 'a', to: 'b', time: 1_000, body });

test('a message goes through its states to the end', async (t) => {
  const states = ['sending', 'waiting', 'delivered'];
  const asked = [];
  const { engine, messages } = scripted((params) => {
    asked.push(params);
    return params.direct === 'send' ? { id: '00ff' } : states.shift();
  });
  t.after(() => engine.shut());
  const sent = await messages.send('12D3', { hello: 1 });
  assert.equal(sent.id, '00ff');
  const seen = [];
  for await (const state of sent.states()) seen.push(state);
  assert.deepEqual(seen, ['sending', 'waiting', 'delivered']);
  assert.deepEqual(asked[0], { direct: 'send', target: '12D3', value: { json: '{"hello":1}' } });
  assert.deepEqual(
    asked.slice(1).map(({ id, text }) => [id, text]),
    [
      ['00ff', ''],
      ['00ff', 'sending'],
      ['00ff', 'waiting'],
    ],
  );
});

test('a message that was sent before is followed by its id', async (t) => {
  const states = ['waiting', 'refused'];
  const { engine, messages } = scripted(({ direct, id }) => (direct === 'state' && id === 'beef' ? states.shift() : 'expired'));
  t.after(() => engine.shut());
  const seen = [];
  for await (const state of messages.states('beef')) seen.push(state);
  assert.deepEqual(seen, ['waiting', 'refused']);
});

test('what is not delivered in the end rejects with a code', async (t) => {
  const ends = ['refused', 'expired', 'delivered'];
  const { engine, messages } = scripted(({ direct }) => (direct === 'send' ? { id: '1' } : ends.shift()));
  t.after(() => engine.shut());
  const sent = await messages.send('k51', new Uint8Array([1]));
  await assert.rejects(sent.delivered(), { code: 'REFUSED' });
  await assert.rejects(sent.delivered(), { code: 'EXPIRED' });
  await sent.delivered();
});

test('the next message is asked for when the one before was taken', async (t) => {
  const waiting = [wire(4, { json: '"x"' }), wire(9, { bytes: new Uint8Array([7]) })];
  const places = [];
  const { engine, messages } = scripted(({ place }) => {
    places.push(place);
    return waiting.length > 0 ? [waiting.shift()] : [];
  });
  t.after(() => engine.shut());
  const seen = [];
  for await (const { id, body, time } of messages) seen.push([id, body, time.getTime(), places.length]);
  assert.deepEqual(seen, [
    ['id-4', 'x', 1_000, 1],
    ['id-9', new Uint8Array([7]), 1_000, 2],
  ]);
  assert.deepEqual(places, [undefined, 4, 9]);
});

test('a recipient that is no text is refused here', async (t) => {
  const { engine, messages } = scripted(() => ({}));
  t.after(() => engine.shut());
  await assert.rejects(messages.send(7, 'x'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(messages.history(undefined), { code: 'INVALID_ARGUMENT' });
  assert.equal(engine.received.length, 0);
});
