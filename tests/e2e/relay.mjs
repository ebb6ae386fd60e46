// One real relay process: start, end in several ways, start again on the same ports.
// Knows the command line and the ready line of `warren relay`; it does not know browsers.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
/** The program `warren`. */
export const BINARY = process.env.WARREN_BIN ?? program('warren');
const READY_MS = 20_000;
const ANY_PORT = '127.0.0.1:0';
const KEPT_LOG_LINES = 60;
/** Who a relay is, in its data directory. */
const IDENTITY = 'identity.key';
const SERVICES = ['http', 'tcp', 'udp', 'quic'];

/** A program that the tests are built with. */
export function program(name) {
  return join(TARGET, 'debug', name);
}

/** A folder that `remove()` deletes again. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), 'warren-e2e-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}

export class Relay {
  /** What the ready line said last: {peer, network, http, addresses}. */
  ready;
  /** Where each service listens; after the first start these are real ports. */
  #listen;
  #args;
  #prefix;
  #env;
  #folder = temporaryFolder();
  #child;
  #exited;
  #log = [];
  #watchers = new Set();

  /**
   * `http`, `tcp`, `udp`, `quic` may be given as ip:port or `off`; `args` are further arguments, `prefix` the
   * program that starts it, for instance in a namespace, `env` further variables.
   */
  constructor({ args = [], prefix = [], env = {}, ...listen } = {}) {
    this.#args = args;
    this.#env = env;
    this.#prefix = prefix;
    this.#listen = Object.fromEntries(SERVICES.map((name) => [name, listen[name] ?? ANY_PORT]));
  }

  static async start(options) {
    const relay = new Relay(options);
    await relay.start();
    return relay;
  }

  /** The address of the page. */
  get url() {
    return this.ready.http;
  }

  get id() {
    return this.ready.peer;
  }

  get pid() {
    return this.#child?.pid;
  }

  get running() {
    return this.#child !== undefined;
  }

  /** The multiaddrs it listens on that contain `part`, for instance `webrtc-direct`. */
  addresses(part) {
    return this.ready.addresses.filter((address) => address.split('/').includes(part));
  }

  /** Starts the process. Resolves with the ready line, on the ports of the first start. */
  async start() {
    if (this.running) throw new Error('this relay already runs');
    if (!existsSync(BINARY)) throw new Error(`there is no binary ${BINARY}: build it, or set WARREN_BIN`);
    const [program, ...args] = [...this.#prefix, BINARY, ...this.#commandLine()];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', RUST_BACKTRACE: '0', ...this.#env },
    });
    this.#child = child;
    this.#exited = once(child, 'exit').then(([code, signal]) => {
      this.#child = undefined;
      this.#remember(`(ended: ${signal ?? `status ${code}`})`);
    });
    createInterface(child.stderr).on('line', (line) => this.#remember(line));
    this.ready = await this.#readyLine(child);
    this.#rememberPorts();
    return this.ready;
  }

  /** As a power cut would: nothing is flushed, nobody is told. */
  kill() {
    return this.#end('SIGKILL');
  }

  /** As an operator would: it may say goodbye. */
  stop() {
    return this.#end('SIGTERM');
  }

  restart() {
    return this.start();
  }

  /** Ends it, lets it forget everything but who it is, and starts it with other arguments. */
  async becomes(args) {
    await this.kill();
    this.#empty((file) => file !== IDENTITY);
    this.#args = args;
    return this.start();
  }

  /** Copies what it stores, while it does not run. */
  backup(folder) {
    // What it listens on for its operator is no file that can be copied.
    const filter = (path) => !path.endsWith('.sock');
    cpSync(this.#folder.path, folder, { recursive: true, filter });
  }

  /** Puts a copy back: what came later never happened. */
  restore(folder) {
    this.#empty(() => true);
    cpSync(folder, this.#folder.path, { recursive: true });
  }

  #empty(which) {
    for (const file of readdirSync(this.#folder.path).filter(which)) {
      rmSync(join(this.#folder.path, file), { recursive: true, force: true });
    }
  }

  /** Ends it and deletes what it stored. */
  async remove() {
    await this.kill();
    this.#folder.remove();
  }

  /** The last lines it wrote to standard error. */
  log() {
    return this.#log.join('\n');
  }

  /** Resolves with the next line of its log that matches. */
  logged(pattern, ms = READY_MS) {
    let watcher;
    const line = new Promise((resolve) => {
      watcher = (line) => pattern.test(line) && resolve(line);
      this.#watchers.add(watcher);
    });
    return within(ms, `the relay did not log ${pattern}`, line).finally(() => this.#watchers.delete(watcher));
  }

  #commandLine() {
    const listen = SERVICES.flatMap((name) => [`--${name}`, this.#listen[name]]);
    return ['relay', ...listen, '--data-dir', this.#folder.path, '--json', ...this.#args];
  }

  async #readyLine(child) {
    const lines = createInterface(child.stdout);
    const ready = new Promise((resolve) => {
      lines.on('line', (line) => {
        const event = parsed(line);
        if (event?.event === 'ready') resolve(event);
        else this.#remember(line);
      });
    });
    const ended = this.#exited.then(() => Promise.reject(new Error(`the relay ended:\n${this.log()}`)));
    return within(READY_MS, 'the relay did not say that it is ready', Promise.race([ready, ended]));
  }

  #rememberPorts() {
    const keep = (name, address) => {
      if (this.#listen[name] !== 'off' && address) this.#listen[name] = address;
    };
    keep('http', new URL(this.ready.http).host);
    const socket = (pattern) =>
      this.ready.addresses.map((address) => pattern.exec(address)).find(Boolean)?.slice(1, 3).join(':');
    keep('tcp', socket(/^\/ip4\/([^/]+)\/tcp\/(\d+)(?:\/p2p\/[^/]+)?$/));
    keep('udp', socket(/^\/ip4\/([^/]+)\/udp\/(\d+)\/webrtc-direct/));
    keep('quic', socket(/^\/ip4\/([^/]+)\/udp\/(\d+)\/quic-v1/));
  }

  async #end(signal) {
    if (!this.#child) return;
    this.#child.kill(signal);
    await this.#exited;
  }

  #remember(line) {
    for (const watcher of this.#watchers) watcher(line);
    this.#log.push(line);
    if (this.#log.length > KEPT_LOG_LINES) this.#log.shift();
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Rejects with `what` when `work` takes longer. For things that should long have happened. */
export async function within(ms, what, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${ms / 1000} s`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
