// A network namespace that the test made: another machine, one cable away. Needs root and `ip`.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { getuid } from 'node:process';

const IP = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'].find((path) => existsSync(path));
const TC = ['/usr/sbin/tc', '/sbin/tc', '/usr/bin/tc'].find((path) => existsSync(path));
let made = 0;

/** Why there can be no namespaces here; `undefined` when there can. */
export function namespacesMissing() {
  if (getuid?.() !== 0) return 'network namespaces need root';
  if (!IP) return 'network namespaces need the program ip (Debian: apt-get install iproute2)';
  return undefined;
}

export class Namespace {
  /** This end of the cable, and the other one. */
  here;
  there;
  #name;
  #cable;

  constructor() {
    made += 1;
    // Four addresses for each cable, in a corner that machines seldom use.
    const net = `10.213.${process.pid % 250}`;
    const low = made * 4;
    this.#name = `warren-${process.pid}-${made}`;
    this.here = `${net}.${low + 1}`;
    this.there = `${net}.${low + 2}`;
    const cable = [`wa${process.pid}-${made}`.slice(0, 15), `wb${process.pid}-${made}`.slice(0, 15)];
    this.#cable = cable[1];
    ip('netns', 'add', this.#name);
    ip('link', 'add', cable[0], 'type', 'veth', 'peer', 'name', cable[1], 'netns', this.#name);
    ip('addr', 'add', `${this.here}/30`, 'dev', cable[0]);
    ip('link', 'set', cable[0], 'up');
    this.#inside('addr', 'add', `${this.there}/30`, 'dev', cable[1]);
    this.#inside('link', 'set', cable[1], 'up');
    this.#inside('link', 'set', 'lo', 'up');
  }

  /** What to put in front of a command so that it runs in there, as the process that was started. */
  get prefix() {
    return [IP, 'netns', 'exec', this.#name];
  }

  /** Has another address of its own in there. */
  own(address) {
    this.#inside('addr', 'add', `${address}/32`, 'dev', 'lo');
  }

  /** Sends no more than so many bytes a second from in there. */
  cap(bytes) {
    if (!TC) throw new Error('a slow cable needs the program tc (Debian: apt-get install iproute2)');
    const bucket = ['tbf', 'rate', `${bytes * 8}bit`, 'burst', '32kb', 'latency', '200ms'];
    run(TC, '-n', this.#name, 'qdisc', 'add', 'dev', this.#cable, 'root', ...bucket);
  }

  remove() {
    ip('netns', 'del', this.#name);
  }

  #inside(...args) {
    ip('-n', this.#name, ...args);
  }
}

function ip(...args) {
  run(IP, ...args);
}

function run(program, ...args) {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
