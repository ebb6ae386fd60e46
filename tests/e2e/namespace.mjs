// A network namespace that the test made: another machine, one cable away. Needs root and `ip`.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { getuid } from 'node:process';

const IP = ['/usr/sbin/ip', '/sbin/ip', '/usr/bin/ip'].find((path) => existsSync(path));
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

  constructor() {
    made += 1;
    // Four addresses for each cable, in a corner that machines seldom use.
    const net = `10.213.${process.pid % 250}`;
    const low = made * 4;
    this.#name = `warren-${process.pid}-${made}`;
    this.here = `${net}.${low + 1}`;
    this.there = `${net}.${low + 2}`;
    const cable = [`wa${process.pid}-${made}`.slice(0, 15), `wb${process.pid}-${made}`.slice(0, 15)];
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

  remove() {
    ip('netns', 'del', this.#name);
  }

  #inside(...args) {
    ip('-n', this.#name, ...args);
  }
}

function ip(...args) {
  execFileSync(IP, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
