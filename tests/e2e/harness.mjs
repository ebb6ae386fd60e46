// What every end-to-end test starts from: relays and tabs that are gone when the test is over,
// and that say what they saw when it failed.

import { after, test } from 'node:test';
import { browserMissing, launch } from './browser.mjs';
import { Relay, within } from './relay.mjs';
import { Tab } from './tab.mjs';

export { Relay, temporaryFolder, within } from './relay.mjs';
export { Tab } from './tab.mjs';

/** The full counts take long; `WARREN_LONG=1` asks for them. */
export const LONG = process.env.WARREN_LONG === '1';

const SCENARIO_MS = 90_000;
const browsers = new Map();

after(async () => {
  for (const browser of browsers.values()) await (await browser).close();
});

/** One browser per set of arguments and test file. */
export function browser(args = []) {
  const key = args.join(' ');
  if (!browsers.has(key)) browsers.set(key, launch(args));
  return browsers.get(key);
}

/** What one test started. */
export class Scene {
  #relays = [];
  #tabs = [];
  #contexts = [];

  constructor(browserArguments = []) {
    this.browserArguments = browserArguments;
  }

  async relay(options) {
    const relay = new Relay(options);
    this.#relays.push(relay);
    await relay.start();
    return relay;
  }

  /** A visitor of its own: nothing shared with other contexts, no cache, no storage. */
  async visitor(options = {}) {
    const context = await (await browser(this.browserArguments)).newContext(options);
    this.#contexts.push(context);
    return context;
  }

  /** A tab of a new visitor, or of `context`. The page runs; it may not have joined yet. */
  async tab(relay, { query, context } = {}) {
    const page = await (context ?? (await this.visitor())).newPage();
    const tab = new Tab(page);
    this.#tabs.push(tab);
    await tab.goto(relay.url, query);
    return tab;
  }

  async joinedTab(relay, options) {
    return (await this.tab(relay, options)).joined();
  }

  /** Whatever a test is about: no page may have thrown what nobody caught. */
  checkUncaught() {
    const uncaught = this.#tabs.flatMap((tab) => tab.complaints.uncaught);
    if (uncaught.length > 0) throw new Error(`a page threw what nobody caught:\n${uncaught.join('\n')}`);
  }

  async report() {
    const parts = [];
    for (const tab of this.#tabs) parts.push(await tab.report().catch((error) => `no report: ${error.message}`));
    for (const relay of this.#relays) parts.push(`relay ${relay.ready?.http ?? ''}\n${relay.log()}`);
    return parts.join('\n---\n');
  }

  async end() {
    await Promise.allSettled(this.#contexts.map((context) => context.close()));
    await Promise.allSettled(this.#relays.map((relay) => relay.remove()));
  }
}

/** A test with a scene. `skip` gives the reason for leaving it out. */
export function scenario(name, run, { timeout = SCENARIO_MS, skip, browserArguments } = {}) {
  test(name, { skip: skip ?? browserMissing() ?? false }, async (t) => {
    const scene = new Scene(browserArguments);
    try {
      await within(timeout, `"${name}" did not end`, run(scene, t));
      scene.checkUncaught();
    } catch (error) {
      const seen = await within(5_000, 'the report did not come', scene.report()).catch(String);
      process.stderr.write(`\n=== what was seen in "${name}" ===\n${seen}\n===\n`);
      throw error;
    } finally {
      await scene.end();
    }
  });
}

/** The `code` with which `work` rejects; fails when it does not. */
export async function failure(work) {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('this should have failed, and did not');
}

/** For what a test measured but does not judge. */
export function tell(t, text) {
  t.diagnostic(text);
}
