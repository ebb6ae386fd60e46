// Chat rooms from browser JavaScript: tabs at several relays, peers on the command line, and history for who comes late.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { failure, scenario, temporaryFolder } from './harness.mjs';
import { Terminal, enter, has, heard, say, text, texts } from './room.mjs';

const PATIENCE = { timeout: 120_000 };

scenario(
  'tabs at two relays see each other, and all that is said, answered, marked, changed and taken back',
  async (scene) => {
    const first = await scene.relay();
    const second = await scene.relay({ args: ['--join', first.url] });
    const [a, b] = await Promise.all([scene.joinedTab(first), scene.joinedTab(second)]);
    const [room] = await Promise.all([enter(a, 'lobby', { nick: 'Ada' }), enter(b, 'lobby', { nick: 'Ben' })]);
    assert.deepEqual([room.link, room.private], ['#room=lobby', false]);
    const member = (event, nick) => event.kind === 'joined' && event.member.nick === nick;
    await Promise.all([heard(a, 'lobby', member, 'Ben'), heard(b, 'lobby', member, 'Ada')]);

    const id = await say(a, 'lobby', 'send', 'hello');
    const { message } = await text(b, 'lobby', 'hello');
    assert.deepEqual([message.id, message.nick, message.mine, message.edited], [id, 'Ada', false, false]);
    assert.equal(message.author, await a.peer((peer) => peer.author));
    await say(b, 'lobby', 'reply', id, 'hello Ada');
    assert.equal((await text(a, 'lobby', 'hello Ada')).message.replyTo, id);
    await say(b, 'lobby', 'react', id, '👋');
    const marked = (event) => event.kind === 'changed' && event.message.reactions[0]?.mark === '👋';
    await heard(a, 'lobby', marked);
    await say(a, 'lobby', 'edit', id, 'hello all');
    await heard(b, 'lobby', (event) => event.kind === 'changed' && event.message.text === 'hello all');
    await say(b, 'lobby', 'typing');
    await heard(a, 'lobby', (event) => event.kind === 'typing' && event.on && event.member.nick === 'Ben');
    const card = { cid: 'bafkr4ihello', name: 'plan.pdf', size: 7, media: 'application/pdf' };
    const file = await say(a, 'lobby', 'file', { ...card, text: 'the plan' });
    assert.deepEqual((await text(b, 'lobby', 'the plan')).message.file, card);
    assert.equal((await failure(say(b, 'lobby', 'delete', file))).code, 'REFUSED');
    await say(a, 'lobby', 'delete', file);
    await heard(b, 'lobby', (event, id) => event.kind === 'deleted' && event.id === id, file);
    await Promise.all([a, b].map((tab) => has(tab, 'lobby', ['hello all', 'hello Ada'])));

    const unread = (tab) => tab.page.evaluate(() => window.rooms.lobby.room.unread);
    assert.equal(await unread(b), 1);
    await say(b, 'lobby', 'markRead');
    await b.page.waitForFunction(() => window.rooms.lobby.room.unread === 0);
    const long = 'x'.repeat(16 * 1024);
    await say(a, 'lobby', 'send', long);
    await text(b, 'lobby', long);
    assert.equal((await failure(say(a, 'lobby', 'send', `${long}x`))).code, 'TOO_LARGE');
    await say(a, 'lobby', 'leave');
    await heard(b, 'lobby', (event) => event.kind === 'left' && !event.lost);
    assert.equal((await failure(say(a, 'lobby', 'send', 'gone'))).code, 'CLOSED');
  },
  PATIENCE,
);

scenario(
  'who comes late sees everything, although no relay keeps anything; a reload and a dead relay lose nothing',
  async (scene) => {
    const first = await scene.relay();
    const second = await scene.relay({ args: ['--join', first.url] });
    const [a, b] = await Promise.all([scene.joinedTab(first), scene.joinedTab(second)]);
    await Promise.all([enter(a, 'lobby', { nick: 'Ada' }), enter(b, 'lobby', { nick: 'Ben' })]);
    const said = [];
    for (let number = 0; number < 6; number += 1) {
      const [from, to] = number % 2 ? [a, b] : [b, a];
      await say(from, 'lobby', 'send', `text ${number}`);
      await text(to, 'lobby', `text ${number}`);
      said.push(`text ${number}`);
    }
    const c = await scene.joinedTab(second);
    await enter(c, 'lobby', { nick: 'Cyd' });
    await has(c, 'lobby', said);
    await heard(c, 'lobby', (event) => event.kind === 'synced');

    // What a member says itself is kept before it is sent, and with it everything that came before.
    await say(c, 'lobby', 'send', 'text 6');
    said.push('text 6');
    await c.page.reload();
    await c.started();
    await enter(c, 'lobby', { nick: 'Cyd' });
    assert.deepEqual(await texts(c, 'lobby'), said, 'what was kept is there at once');

    for (const tab of [a, b, c]) await tab.until((snapshot) => snapshot.relays.filter((relay) => relay.state === 'connected').length === 2);
    await first.kill();
    await say(a, 'lobby', 'send', 'still here');
    said.push('still here');
    await Promise.all([a, b, c].map((tab) => has(tab, 'lobby', said)));
  },
  PATIENCE,
);

scenario(
  'a private room is entered by its link, from the command line too, and by nobody else',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    const { link } = await enter(a, 'club', { nick: 'Ada', private: true });
    assert.match(link, /^#room=club&secret=[a-z2-7]{26}$/);
    await enter(b, 'club', { nick: 'Eve' });
    const terminal = new Terminal(relay, `https://example.org/${link}`, ['--nick', 'Tom']);
    await heard(a, 'club', (event) => event.kind === 'joined' && event.member.nick === 'Tom');
    await say(a, 'club', 'send', 'only for us');
    await terminal.heard(({ event, message }) => event === 'message' && message.text === 'only for us');
    terminal.say('from a terminal');
    assert.equal((await text(a, 'club', 'from a terminal')).message.nick, 'Tom');
    assert.deepEqual([await texts(b, 'club'), await say(b, 'club', 'members')], [[], []]);
    assert.equal(await terminal.end(), 0);
    await heard(a, 'club', (event) => event.kind === 'left' && event.member.nick === 'Tom' && !event.lost);
  },
  PATIENCE,
);

scenario(
  'who knows the passphrase of a room meets there, in tabs and on the command line; other words meet nobody',
  async (scene) => {
    const relay = await scene.relay();
    const [a, b, c] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay), scene.joinedTab(relay)]);
    const words = 'seven slow rabbits dig at night';
    const folder = temporaryFolder();
    const file = join(folder.path, 'words');
    writeFileSync(file, `${words}\n`);
    const terminal = new Terminal(relay, 'den', ['--nick', 'Tom', '--passphrase-file', file]);
    try {
      const [{ id, link }, other, wrong] = await Promise.all([
        enter(a, 'den', { nick: 'Ada', passphrase: words }),
        enter(b, 'den', { nick: 'Ben', passphrase: words }),
        enter(c, 'den', { nick: 'Eve', passphrase: `${words}s` }),
      ]);
      assert.match(link, /^#room=den&secret=[a-z2-7]{26}$/);
      assert.deepEqual([other.id, other.link], [id, link]);
      assert.notEqual(wrong.id, id);
      const entered = await terminal.heard(({ event }) => event === 'entered');
      assert.equal(entered.room, id);
      for (const nick of ['Ben', 'Tom']) await heard(a, 'den', (event, nick) => event.kind === 'joined' && event.member.nick === nick, nick);
      await say(a, 'den', 'send', 'who are you?');
      await terminal.heard(({ event, message }) => event === 'message' && message.text === 'who are you?');
      terminal.say('Tom, as always');
      await text(b, 'den', 'Tom, as always');
      await has(b, 'den', ['who are you?', 'Tom, as always']);
      assert.deepEqual([await texts(c, 'den'), await say(c, 'den', 'members')], [[], []]);
      const refused = (room, options) => failure(a.peer((peer, [room, options]) => peer.chat.join(room, options), [room, options]));
      assert.equal((await refused(link, { passphrase: words })).code, 'INVALID_ARGUMENT');
    } finally {
      terminal.kill();
      folder.remove();
    }
  },
  PATIENCE,
);

/** js-libp2p with gossipsub of its own at a relay, in a process of its own; `lines` is what it says. */
async function withJsNode(relay, topic, packet, use) {
  const script = fileURLToPath(new URL('../interop/gossip-node.mjs', import.meta.url));
  const address = relay.addresses('tcp').find((one) => !one.includes('/ws'));
  const args = [script, address, topic, ...(packet === undefined ? [] : [packet])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const until = async (fits) => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error('js-libp2p has ended');
      if (fits(value)) return value;
    }
  };
  try {
    await until((line) => line === 'connected');
    return await use(until);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

scenario(
  'gossipsub of js-libp2p hears what a tab says in a room, and tabs hear what it passes on',
  async (scene) => {
    const relay = await scene.relay();
    const a = await scene.joinedTab(relay);
    const { id } = await enter(a, 'lobby', { nick: 'Ada' });
    const topic = `/warren/${relay.ready.network}/room/1/o${id}`;
    const said = Buffer.from('through js').toString('hex');
    const packet = await withJsNode(relay, topic, undefined, async (until) => {
      // Its subscription has arrived when it hears that somebody is there.
      await until((line) => line !== '');
      const heard = until((line) => line.includes(said));
      await say(a, 'lobby', 'send', 'through js');
      return heard;
    });
    // Nobody has it any more but the other implementation: the author is gone, and the relay starts anew.
    await a.page.close();
    await relay.kill();
    await relay.restart();
    const b = await scene.joinedTab(relay);
    await enter(b, 'lobby', { nick: 'Ben' });
    await withJsNode(relay, topic, packet, (until) => until((line) => line === 'published'));
    assert.equal((await text(b, 'lobby', 'through js')).message.nick, 'Ada');
  },
  PATIENCE,
);

scenario(
  'members are known within two seconds, and missed within fifteen when they vanish',
  async (scene, t) => {
    const relay = await scene.relay();
    const [a, b] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay)]);
    await enter(a, 'lobby', { nick: 'Ada' });
    const came = await b.page.evaluate(() => Date.now());
    await enter(b, 'lobby', { nick: 'Ben' });
    const seen = [await heard(a, 'lobby', (event) => event.kind === 'joined'), await heard(b, 'lobby', (event) => event.kind === 'joined')];
    t.diagnostic(`seen after ${seen.map(({ at }) => at - came).join(' and ')} ms`);
    const left = await b.page.evaluate(() => Date.now());
    await b.page.close({ runBeforeUnload: false });
    const lost = await heard(a, 'lobby', (event) => event.kind === 'left');
    t.diagnostic(`missed after ${lost.at - left} ms, lost: ${lost.lost}`);
    assert.equal(lost.member.nick, 'Ben');
  },
  PATIENCE,
);

scenario(
  'a relay with --history has what was said when everybody has left, also after it was killed',
  async (scene) => {
    const relay = await scene.relay({ args: ['--history'] });
    const a = await scene.joinedTab(relay);
    const { link } = await enter(a, 'club', { nick: 'Ada', private: true });
    await say(a, 'club', 'send', 'for later');
    await heard(a, 'club', (event) => event.kind === 'message');
    // Somebody else has it from the relay alone.
    const read = async () => {
      const b = await scene.joinedTab(relay);
      await enter(b, link, { nick: 'Ben' });
      await has(b, link, ['for later']);
      await b.page.close();
    };
    await read();
    await a.page.close();
    await read();
    await relay.kill();
    await relay.restart();
    await read();
  },
  PATIENCE,
);
