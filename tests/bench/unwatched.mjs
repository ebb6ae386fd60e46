// A browser that nobody watches. Playwright has every message of every WebSocket told to it, which costs a page that fetches a
// file by WebSocket a third of the machine and one that fetches it by WebRTC nothing: figures of transfers are those of a browser
// that is only asked to do something, and says what came of it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { ARGUMENTS, browserMissing, PROGRAM } from '../e2e/browser.mjs';
import { within } from '../e2e/relay.mjs';

const START_MS = 30_000;
const END_MS = 10_000;
const LOOK = 50;

/** What playwright says as well, so that pages behind others work as those in front do. */
const AWAKE = ['--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding'];

/** The only browser of a profile, which is in a folder: what its pages keep is on disk. */
export async function launchUnwatched(folder) {
  const missing = browserMissing();
  if (missing) throw new Error(missing);
  const own = [`--user-data-dir=${folder}`, '--remote-debugging-pipe', '--no-default-browser-check', '--password-store=basic', 'about:blank'];
  const program = spawn(PROGRAM, [...ARGUMENTS, ...AWAKE, ...own], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const browser = new Browser(program);
  try {
    await within(START_MS, 'the browser did not start', browser.send('Browser.getVersion'));
    return browser;
  } catch (error) {
    await browser.close();
    throw error;
  }
}

class Browser {
  #program;
  #ended;
  #pending = new Map();
  #last = 0;
  #rest = '';
  #over;

  constructor(program) {
    this.#program = program;
    this.#ended = once(program, 'exit').then(
      () => this.#fail('the browser has ended'),
      (error) => this.#fail(`the browser cannot be started: ${error.message}`),
    );
    program.stdio[3].on('error', () => {});
    program.stdio[4].setEncoding('utf8').on('data', (text) => this.#receive(text));
  }

  /** Messages end with a zero. */
  send(method, params = {}, sessionId) {
    if (this.#over) return Promise.reject(this.#over);
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#program.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  /** A page in a window of its own. */
  async newPage() {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', newWindow: true });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    await this.send('Emulation.setFocusEmulationEnabled', { enabled: true }, sessionId);
    return new Page(this, sessionId);
  }

  async close() {
    if (this.#program.exitCode === null && this.#program.pid !== undefined) {
      this.send('Browser.close').catch(() => {});
      await Promise.race([this.#ended, sleep(END_MS, undefined, { ref: false })]);
      this.#program.kill('SIGKILL');
    }
    await this.#ended;
  }

  #receive(text) {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop();
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) pending?.reject(new Error(error.message));
      else pending?.resolve(result);
    }
  }

  #fail(reason) {
    this.#over ??= new Error(reason);
    for (const { reject } of this.#pending.values()) reject(this.#over);
    this.#pending.clear();
  }
}

/** As much of playwright's as measurements use. */
class Page {
  #browser;
  #session;
  #url = 'about:blank';

  constructor(browser, session) {
    this.#browser = browser;
    this.#session = session;
  }

  url() {
    return this.#url;
  }

  async goto(url) {
    this.#url = url;
    const shown = this.#browser.send('Page.navigate', { url }, this.#session);
    const { errorText } = await within(START_MS, `${url} was not shown`, shown);
    if (errorText) throw new Error(`${url} cannot be shown: ${errorText}`);
  }

  /** Runs a function there, with what JSON can say. */
  async evaluate(work, argument) {
    const expression = `(${work})(${argument === undefined ? '' : JSON.stringify(argument)})`;
    const asked = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#browser.send('Runtime.evaluate', asked, this.#session);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Until it says so. A page that is being shown has no answers, and one that has crashed never has. */
  async waitForFunction(work, argument, { timeout = START_MS } = {}) {
    const end = Date.now() + timeout;
    const asked = () => Promise.race([this.evaluate(work, argument).catch(() => false), sleep(timeout, false, { ref: false })]);
    while (!(await asked())) {
      if (Date.now() > end) throw new Error(`${this.#url} is not ready`);
      await sleep(LOOK);
    }
  }
}
