import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeEngine, load } from './support.mjs';

const { Peer } = await load('peer.ts');

const ENTERED = { kind: 'entered', id: 'r1', name: 'lobby', link: '#room=lobby', private: false, missing: 1, unread: 2 };
const MESSAGE = { id: 'm1', author: 'aa', nick: 'Ada', time: 1000, count: 0, text: 'hello', edited: false, reactions: [], mine: false };

/** An engine with one room; `answers` are given to calls in it. */
async function enter(t, answers = {}, options = {}) {
  const engine = new FakeEngine();
  t.after(() => engine.shut());
  const peer = new Peer(engine.port, { ephemeral: false }, () => {});
  const joining = peer.chat.join('lobby', options);
  const { id, params } = await engine.saw(({ method }) => method === 'chat');
  engine.send({ id, item: ENTERED });
  const room = await joining;
  const calls = [];
  engine.methods.chat = (params) => (calls.push(params), answers[params.chat] ?? {});
  return { engine, peer, room, params, calls, item: (item) => engine.send({ id, item }), id };
}

test('a room is what the engine says, and keeps its counts', async (t) => {
  const { room, params, item } = await enter(t, {}, { nick: 'Ben', private: true });
  assert.deepEqual(params, { chat: 'join', room: 'lobby', nick: 'Ben', on: true });
  assert.deepEqual([room.id, room.link, room.missing, room.unread], ['r1', '#room=lobby', 1, 2]);
  const seen = room.events('event');
  item({ kind: 'missing', count: 0 });
  item({ kind: 'unread', count: 5 });
  item({ kind: 'message', message: MESSAGE });
  item({ kind: 'left', member: { author: 'aa', session: '1', nick: 'Ada', since: 7 }, lost: true });
  const kinds = [];
  for (let count = 0; count < 4; count += 1) {
    const { value } = await seen.next();
    kinds.push(value.kind);
    if (value.message) assert.deepEqual(value.message.time, new Date(1000));
    if (value.member) assert.deepEqual(value.member.since, new Date(7));
  }
  assert.deepEqual(kinds, ['missing', 'unread', 'message', 'left']);
  assert.deepEqual([room.missing, room.unread], [0, 5]);
});

test('what is said crosses as it is meant', async (t) => {
  const { room, calls } = await enter(t, { send: 'm2', history: [MESSAGE] });
  assert.equal(await room.send('a'), 'm2');
  await room.reply('m1', 'b');
  await room.react('m1', '👍', { on: false });
  await room.file({ cid: 'c', name: 'n', size: 3 });
  await room.typing();
  const [message] = await room.history({ before: 'm9', limit: 5 });
  assert.deepEqual(message.time, new Date(1000));
  assert.deepEqual(calls, [
    { chat: 'send', room: 'r1', text: 'a', id: '' },
    { chat: 'send', room: 'r1', text: 'b', id: 'm1' },
    { chat: 'react', room: 'r1', id: 'm1', text: '👍', on: false },
    { chat: 'file', room: 'r1', text: '{"cid":"c","name":"n","size":3}' },
    { chat: 'typing', room: 'r1', on: true },
    { chat: 'history', room: 'r1', id: 'm9', limit: 5 },
  ]);
});

test('leaving ends the stream in the engine, the events, and every later call', async (t) => {
  const { room, engine, id } = await enter(t);
  const seen = [];
  const reading = (async () => {
    for await (const event of room) seen.push(event);
  })();
  room.leave();
  room.leave();
  await reading;
  await engine.saw(({ cancel }) => cancel === id);
  await assert.rejects(room.send('late'), { code: 'CLOSED' });
});

test('a signal leaves, and a room that cannot be entered says why', async (t) => {
  const leaving = new AbortController();
  const { engine, id } = await enter(t, {}, { signal: leaving.signal });
  leaving.abort();
  await engine.saw(({ cancel }) => cancel === id);

  const refusing = new FakeEngine({
    chat: () => {
      throw { code: 'INVALID_ARGUMENT', message: 'invalid name of a room' };
    },
  });
  t.after(() => refusing.shut());
  const peer = new Peer(refusing.port, { ephemeral: false }, () => {});
  await assert.rejects(peer.chat.join(''), { code: 'INVALID_ARGUMENT' });
});
