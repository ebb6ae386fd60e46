// Rooms in tests: entered in a tab through `peer.chat`, or on the command line with `warren chat`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BINARY } from './relay.mjs';

/** Enters a room in a tab, and writes down what happens in it; resolves with what it is called there. */
export const enter = (tab, room, options = {}) =>
  tab.peer(
    async (peer, [room, options]) => {
      const entered = await peer.chat.join(room, options);
      const events = [];
      window.rooms ??= {};
      window.rooms[room] = { room: entered, events };
      entered.on('event', (event) => events.push({ ...event, at: Date.now() }));
      return { id: entered.id, link: entered.link, private: entered.private, unread: entered.unread };
    },
    [room, options],
  );
/** Calls a method of a room that was entered. */
export const say = (tab, room, method, ...args) =>
  tab.peer((peer, [room, method, args]) => window.rooms[room].room[method](...args), [room, method, args]);
/** Waits for an event of a room. `wanted` runs in the page. */
export const heard = (tab, room, wanted, argument) =>
  tab.page.evaluate(
    async ({ source, room, argument, timeout }) => {
      const wanted = (0, eval)(`(${source})`);
      const { events } = window.rooms[room];
      const late = performance.now() + timeout;
      for (;;) {
        const found = events.find((event) => wanted(event, argument));
        if (found) return found;
        if (performance.now() > late) throw new Error(`not within ${timeout} ms: ${source}; ${JSON.stringify(events)}`);
        await new Promise((again) => setTimeout(again, 20));
      }
    },
    { source: String(wanted), room, argument, timeout: 40_000 },
  );
export const text = (tab, room, wanted) =>
  heard(tab, room, (event, wanted) => event.kind === 'message' && event.message.text === wanted, wanted);
export const texts = async (tab, room) => (await say(tab, room, 'history')).map(({ text }) => text);
/** Waits until the history of a room is as it should be. */
export const has = (tab, room, expected) =>
  tab.until(
    async (_snapshot, [room, expected]) => {
      const history = await window.rooms[room].room.history();
      return JSON.stringify(history.map(({ text }) => text)) === JSON.stringify(expected);
    },
    [room, expected],
  );

/** `warren chat`: lines in, JSON lines out. */
export class Terminal {
  #child;
  #events = [];
  #watchers = new Set();
  /** What it wrote to standard error. */
  complaints = '';

  constructor(relay, room, args = []) {
    this.#child = spawn(BINARY, ['chat', room, '--join', relay.url, '--json', ...args]);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#events.push(JSON.parse(line));
      for (const watch of this.#watchers) watch();
    });
    this.#child.stderr.on('data', (data) => (this.complaints += data));
  }

  say(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  heard(wanted) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.#events.find(wanted);
        if (!found) return;
        this.#watchers.delete(look);
        resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Everything of this kind so far. */
  all(event) {
    return this.#events.filter((one) => one.event === event);
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  async end() {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    return (await ended)[0];
  }
}
