// A small internet in network namespaces: a relay with an address of its own, and homes behind routers that translate
// addresses, each in its way. Needs root, `ip` and `nft`.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { namespacesMissing } from './namespace.mjs';

const find = (name) => [`/usr/sbin/${name}`, `/sbin/${name}`, `/usr/bin/${name}`].find((path) => existsSync(path));
const IP = find('ip');
const NFT = process.env.WARREN_NFT ?? find('nft');
const RELAY = '198.18.0.2';
let made = 0;

/** How a router chooses the port under which a computer behind it is seen. */
export const NATS = {
  /** The computer's own, if it is free. */
  'port-preserving': () => ['masquerade'],
  /** Another one, the same for everybody it talks to. */
  'port-translating': (outside) => [`meta l4proto udp snat to ${outside}:20000-29999`, 'masquerade'],
  /** A new one for everybody it talks to (a symmetric NAT). */
  random: () => ['masquerade fully-random'],
};

/** Why there can be none here; `undefined` when there can. */
export function natsMissing() {
  return namespacesMissing() ?? (NFT ? undefined : 'NATs need the program nft (Debian: apt-get install nftables)');
}

export class Internet {
  #names = [];
  #tag;

  constructor() {
    made += 1;
    this.#tag = `wn${process.pid}-${made}`;
    this.#space('wan', 'relay');
    this.#forward('wan');
    this.#cable(['wan', '198.18.0.1'], ['relay', RELAY], 'r');
  }

  /** Where the relay is seen. */
  get address() {
    return RELAY;
  }

  /** What to put in front of the relay's command. */
  get relay() {
    return this.#prefix('relay');
  }

  /** A home behind a NAT; what to put in front of a command that runs there, and how to lose UDP. */
  home(kind) {
    const number = this.#names.length;
    const [lan, router] = [`home${number}`, `nat${number}`];
    this.#space(lan, router);
    const outside = `198.18.${number}.2`;
    this.#cable(['wan', `198.18.${number}.1`], [router, outside], `w${number}`);
    this.#cable([router, `192.168.${number}.1`], [lan, `192.168.${number}.2`], `l${number}`);
    this.#forward(router);
    const wan = `w${number}b`;
    this.#rules(router, [
      'add table ip nat',
      'add chain ip nat out { type nat hook postrouting priority 100; }',
      ...NATS[kind](outside).map((rule) => `add rule ip nat out oifname "${wan}" ${rule}`),
      'add table ip filter',
      'add chain ip filter through { type filter hook forward priority 0; policy drop; }',
      `add rule ip filter through iifname != "${wan}" accept`,
      'add rule ip filter through ct state established,related accept',
      // Whoever knocks without being expected leaves no trace; it would take the very port that is about to be opened.
      'add chain ip filter local { type filter hook input priority 0; }',
      `add rule ip filter local iifname "${wan}" ct state new drop`,
    ]);
    return {
      prefix: this.#prefix(lan),
      loseUdp: () =>
        this.#rules(router, [
          'add table ip lost',
          'add chain ip lost through { type filter hook forward priority -10; }',
          'add rule ip lost through meta l4proto udp drop',
        ]),
      passUdp: () => this.#rules(router, ['delete table ip lost']),
    };
  }

  remove() {
    for (const name of this.#names.splice(0)) run(IP, 'netns', 'del', name);
  }

  #name(space) {
    return `${this.#tag}-${space}`;
  }

  #prefix(space) {
    return [IP, 'netns', 'exec', this.#name(space)];
  }

  #space(...spaces) {
    for (const space of spaces) {
      run(IP, 'netns', 'add', this.#name(space));
      this.#names.push(this.#name(space));
      // Its addresses come a moment after the cables; browsers drop what they are loading when an address comes.
      this.#inside(space, 'sh', '-c', 'for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $all; done');
      this.#inside(space, IP, 'link', 'set', 'lo', 'up');
    }
  }

  /** A cable between two spaces; whoever is not in the middle sends everything through it. */
  #cable([near, nearAddress], [far, farAddress], label) {
    const [a, b] = [`${label}a`, `${label}b`];
    run(IP, 'link', 'add', a, 'netns', this.#name(near), 'type', 'veth', 'peer', 'name', b, 'netns', this.#name(far));
    for (const [space, device, address] of [[near, a, nearAddress], [far, b, farAddress]]) {
      this.#inside(space, IP, 'addr', 'add', `${address}/24`, 'dev', device);
      this.#inside(space, IP, 'link', 'set', device, 'up');
    }
    this.#inside(far, IP, 'route', 'add', 'default', 'via', nearAddress);
  }

  #forward(space) {
    this.#inside(space, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  }

  #inside(space, ...command) {
    run(...this.#prefix(space), ...command);
  }

  #rules(space, rules) {
    const [program, ...args] = [...this.#prefix(space), NFT, '-f', '-'];
    execFileSync(program, args, { input: rules.join('\n'), stdio: ['pipe', 'ignore', 'inherit'] });
  }
}

function run(program, ...args) {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
