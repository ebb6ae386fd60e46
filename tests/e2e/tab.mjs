// A browser tab with the page in it, spoken to through `window.warren`.
// Knows the public API of the peer; every wait is for an event or a condition, with a last moment.

import { Complaints } from './browser.mjs';

const WAIT_MS = 30_000;

export class Tab {
  constructor(page) {
    this.page = page;
    this.complaints = new Complaints(page);
  }

  /** `query` is what follows the `?`: transports=websocket, identity=memory. */
  static async open(context, url, query = {}) {
    const tab = new Tab(await context.newPage());
    await tab.goto(url, query);
    return tab;
  }

  async goto(url, query = {}) {
    const search = new URLSearchParams(query).toString();
    await this.page.goto(`${url}/${search ? `?${search}` : ''}`);
    await this.started();
  }

  /** The engine runs; joining may still go on. */
  async started() {
    // The script of the page is not waited for by the page itself.
    await this.page.waitForFunction(() => window.warren, undefined, { timeout: WAIT_MS }).catch((cause) => {
      throw new Error(`the script of the page did not start\n${this.complaints.all.join('\n')}`, { cause });
    });
    await this.page.evaluate(async () => void (await window.warren.ready));
  }

  /** Ends the tab's process, as when memory runs out. */
  async crash() {
    this.complaints.expectCrash();
    const devtools = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent('crash');
    devtools.send('Page.crash').catch(() => {});
    await crashed;
    await this.page.close();
  }

  /** Resolves once the peer is in `state`. */
  async state(state, timeout = WAIT_MS) {
    await this.page.waitForFunction((wanted) => window.warren.peer?.state === wanted, state, { timeout });
    return this;
  }

  joined(timeout) {
    return this.state('joined', timeout);
  }

  /** Joined, and reachable through a relay. */
  async reserved(timeout = WAIT_MS) {
    await this.page.waitForFunction(
      () => {
        const peer = window.warren.peer;
        return peer?.state === 'joined' && peer.relays.some((relay) => relay.reserved);
      },
      undefined,
      { timeout },
    );
    return this;
  }

  /** Waits until `condition(snapshot)` holds; it runs in the page. */
  async until(condition, argument, timeout = WAIT_MS) {
    const source = `async (peer, argument) => (${condition})(await peer.snapshot(), argument)`;
    await this.#answer(source, argument, timeout);
  }

  /** Asks in the page until there is an answer. (`waitForFunction` takes any promise for one.) */
  #answer(source, argument, timeout) {
    return this.page.evaluate(
      async ({ source, argument, timeout }) => {
        const ask = (0, eval)(`(${source})`);
        const late = performance.now() + timeout;
        for (;;) {
          const answer = await ask(window.warren.peer, argument);
          if (answer) return answer;
          if (performance.now() > late) throw new Error(`not within ${timeout} ms: ${source}`);
          await new Promise((again) => setTimeout(again, 100));
        }
      },
      { source: String(source), argument, timeout },
    );
  }

  /** Runs in the page with the peer as first argument. Errors come back with `code` and `remedy`. */
  async peer(work, argument) {
    const outcome = await this.page.evaluate(
      async ({ source, argument }) => {
        const work = (0, eval)(`(${source})`);
        try {
          return { value: await work(window.warren.peer, argument) };
        } catch (error) {
          const { name, code, message, remedy, retryable, details } = error;
          return { error: { name, code, message, remedy, retryable, details } };
        }
      },
      { source: String(work), argument },
    );
    if (outcome.error) throw Object.assign(new Error(outcome.error.message), outcome.error);
    return outcome.value;
  }

  /** What `id` published about itself, waited for: a peer is reserved a moment before its record has arrived. */
  untilFound(id, timeout = WAIT_MS) {
    const find = async (peer, id) => {
      const info = await peer.findPeer(id).catch((error) => {
        if (error.code !== 'NOT_FOUND') throw error;
      });
      return info?.addresses.length ? info : undefined;
    };
    return this.#answer(find, id, timeout);
  }

  snapshot() {
    return this.peer((peer) => peer.snapshot());
  }

  id() {
    return this.peer((peer) => peer.id);
  }

  /** Starts to write down the events of these names; `events()` tells them. */
  async record(...names) {
    await this.page.evaluate((names) => {
      window.recorded = [];
      for (const name of names) {
        window.warren.peer.on(name, (detail) => window.recorded.push({ name, detail, at: Date.now() }));
      }
    }, names);
  }

  events(name) {
    return this.page.evaluate((name) => window.recorded.filter((event) => event.name === name), name);
  }

  async nextEvent(name, timeout = WAIT_MS) {
    await this.page.waitForFunction((name) => window.recorded.some((event) => event.name === name), name, { timeout });
    return (await this.events(name))[0];
  }

  /** What is worth knowing after a failure. */
  async report() {
    const state = await this.snapshot().then(
      (snapshot) => JSON.stringify({ ...snapshot, routing: snapshot.routing.size }, null, 1),
      (error) => `no snapshot: ${error.message}`,
    );
    return [`page ${this.page.url()}`, state, ...this.complaints.all].join('\n');
  }
}
