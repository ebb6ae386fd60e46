// What rooms and messages survive: a relay and a tab that are killed while people talk. Whoever was told that something
// is kept finds it again.

import assert from 'node:assert/strict';
import { scenario } from './harness.mjs';
import { Terminal, enter, heard, say } from './room.mjs';

const PATIENCE = { timeout: 240_000 };

/** All that is in a room of a tab, in the order that it shows; page by page. */
const everything = (tab, room) =>
  tab.page.evaluate(async (room) => {
    const found = [];
    for (let before; ; ) {
      const page = await window.rooms[room].room.history({ limit: 40, ...(before ? { before } : {}) });
      found.unshift(...page.map(({ text }) => text));
      if (page.length < 40) return found;
      before = page[0].id;
    }
  }, room);

/** Waits until a tab has every one of these messages; says which ones it lacks. */
async function lacksNone(tab, room, texts) {
  const lacks = async () => {
    const found = new Set(await everything(tab, room));
    return texts.filter((text) => !found.has(text));
  };
  for (const late = Date.now() + 90_000; ; ) {
    const lacking = await lacks();
    if (lacking.length === 0) return;
    if (Date.now() > late) {
      const missing = await tab.page.evaluate((room) => window.rooms[room].room.missing, room);
      assert.fail(`lacks ${lacking.length} of ${texts.length}, and knows of ${missing} missing: ${lacking.join(', ')}`);
    }
    await tab.page.waitForTimeout(200);
  }
}

/** Both relays of a tab are connected. */
const hasBoth = (tab) => tab.until(({ relays }) => relays.filter(({ state }) => state === 'connected').length === 2);
const numbered = (who, from, to) => Array.from({ length: to - from }, (_, index) => `${who} ${from + index}`);

scenario(
  'four tabs and two terminals at two relays talk while a relay is killed: nobody lacks a message, nor does who comes late',
  async (scene) => {
    const first = await scene.relay();
    const second = await scene.relay({ args: ['--join', first.url] });
    const tabs = await Promise.all([first, first, second, second].map((relay) => scene.joinedTab(relay)));
    const terminals = [first, second].map((relay, index) => {
      const other = relay === first ? second : first;
      return new Terminal(relay, 'lobby', ['--join', other.url, '--nick', `T${index}`]);
    });
    try {
      await Promise.all(tabs.map(hasBoth));
      await Promise.all(tabs.map((tab, index) => enter(tab, 'lobby', { nick: `N${index}` })));
      const others = (tab) => heard(tab, 'lobby', (event) => event.kind === 'joined' && event.member.nick === 'T1');
      await Promise.all(tabs.map(others));
      const talk = async (from, to) => {
        const speak = async (tab, index) => {
          for (const text of numbered(`tab ${index}`, from, to)) await say(tab, 'lobby', 'send', text);
        };
        for (const [index, terminal] of terminals.entries()) numbered(`terminal ${index}`, from, to).forEach((line) => terminal.say(line));
        await Promise.all(tabs.map(speak));
      };
      await talk(0, 5);
      const talking = talk(5, 12);
      await first.kill();
      await talking;
      await talk(12, 15);

      const said = [...tabs.flatMap((_, index) => numbered(`tab ${index}`, 0, 15)), ...terminals.flatMap((_, index) => numbered(`terminal ${index}`, 0, 15))];
      const looked = await Promise.allSettled(tabs.map((tab) => lacksNone(tab, 'lobby', said)));
      const lacking = looked.flatMap(({ reason }, index) => (reason ? [`tab ${index} ${reason.message}`] : []));
      assert.deepEqual(lacking, [], terminals.map((terminal) => terminal.complaints).join('\n'));
      for (const terminal of terminals) {
        for (const text of said) await terminal.heard(({ event, message }) => event === 'message' && message.text === text);
      }
      const order = await everything(tabs[0], 'lobby');
      assert.deepEqual([...order].sort(), [...said].sort(), 'each once');
      for (const tab of tabs.slice(1)) assert.deepEqual(await everything(tab, 'lobby'), order, 'everybody has one order');
      for (const who of ['tab 0', 'tab 3', 'terminal 1']) {
        assert.deepEqual(order.filter((text) => text.startsWith(who)), numbered(who, 0, 15), `${who} in its own order`);
      }

      const late = await scene.joinedTab(second);
      await enter(late, 'lobby', { nick: 'Late' });
      await lacksNone(late, 'lobby', said);
      assert.deepEqual(await everything(late, 'lobby'), order);
      assert.equal(await late.page.evaluate(() => window.rooms.lobby.room.missing), 0);
    } finally {
      for (const terminal of terminals) terminal.kill();
    }
  },
  PATIENCE,
);

scenario(
  'a wrong secret leads into another room: nothing is seen there, and nothing gets in',
  async (scene) => {
    const relay = await scene.relay({ args: ['--history'] });
    const [a, b, c] = await Promise.all([scene.joinedTab(relay), scene.joinedTab(relay), scene.joinedTab(relay)]);
    const { link, id } = await enter(a, 'club', { nick: 'Ada', private: true });
    await enter(b, link, { nick: 'Ben' });
    const wrong = link.replace(/.{4}$/, (end) => (end === 'aaaa' ? 'bbba' : 'aaaa'));
    const other = await enter(c, wrong, { nick: 'Eve' });
    assert.notEqual(other.id, id);
    await say(a, 'club', 'send', 'only for us');
    await heard(b, link, (event) => event.kind === 'message' && event.message.text === 'only for us');
    await say(c, wrong, 'send', 'let me in');
    // What comes after it is there, so it would be, too.
    await say(b, link, 'send', 'and now?');
    await heard(a, 'club', (event) => event.kind === 'message' && event.message.text === 'and now?');
    assert.deepEqual(await everything(a, 'club'), ['only for us', 'and now?']);
    assert.deepEqual(await everything(c, wrong), ['let me in']);
    assert.deepEqual(await say(c, wrong, 'members'), []);
    assert.deepEqual((await say(a, 'club', 'members')).map(({ nick }) => nick), ['Ben']);
  },
  PATIENCE,
);

scenario(
  'relay and tab are killed while they talk: what a tab was told to be kept is there again, and reaches the others',
  async (scene) => {
    const relay = await scene.relay();
    const a = await scene.joinedTab(relay);
    const context = await scene.visitor();
    let b = await scene.joinedTab(relay, { context });
    const author = await b.peer((peer) => peer.author);
    await Promise.all([enter(a, 'lobby', { nick: 'Ada' }), enter(b, 'lobby', { nick: 'Ben' })]);
    await heard(a, 'lobby', (event) => event.kind === 'joined');
    await a.peer((peer) => {
      window.received = [];
      (async () => {
        for await (const message of peer.messages) window.received.push(message.body);
      })();
    });
    const acknowledged = { room: [], direct: [] };
    let enough;
    const spoken = new Promise((resolve) => (enough = resolve));
    await b.page.exposeFunction('acknowledged', (kind, text) => {
      acknowledged[kind].push(text);
      if (acknowledged.room.length >= 25 && acknowledged.direct.length >= 25) enough();
    });
    await b.page.evaluate((to) => {
      const talk = async (kind, send) => {
        for (let number = 0; ; number += 1) {
          await send(`${kind} ${number}`);
          await window.acknowledged(kind, `${kind} ${number}`);
        }
      };
      void talk('room', (text) => window.rooms.lobby.room.send(text)).catch(() => {});
      void talk('direct', (text) => window.warren.peer.messages.send(to, text)).catch(() => {});
    }, await a.peer((peer) => peer.author));
    await spoken;
    await Promise.all([relay.kill(), b.crash()]);
    await relay.restart();

    // Nobody is there who could help it.
    await say(a, 'lobby', 'leave');
    b = await scene.joinedTab(relay, { context });
    assert.equal(await b.peer((peer) => peer.author), author, 'the same visitor');
    await enter(b, 'lobby', { nick: 'Ben' });
    const kept = new Set(await everything(b, 'lobby'));
    assert.deepEqual(acknowledged.room.filter((text) => !kept.has(text)), [], 'kept over the crash');
    await a.joined();
    await enter(a, 'lobby', { nick: 'Ada' });
    await lacksNone(a, 'lobby', acknowledged.room);
    // Its messages go on by themselves once it uses messages again.
    await b.peer((peer) => void peer.messages.receive().next().catch(() => {}));
    await a.page.waitForFunction((wanted) => wanted.every((text) => window.received.includes(text)), acknowledged.direct, { timeout: 90_000 });
    const received = await a.page.evaluate(() => window.received);
    assert.deepEqual(received, [...new Set(received)], 'each once');
    assert.deepEqual(received.slice(0, acknowledged.direct.length), acknowledged.direct, 'in order');
  },
  PATIENCE,
);
