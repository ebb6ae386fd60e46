// One Chromium for a test file, and what its pages said while they ran.
// Knows how to start the browser and how to collect its complaints; it does not know what is tested.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const PROGRAM = process.env.WARREN_CHROMIUM ?? '/usr/bin/chromium';
export const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  // Without mDNS on the machine, hidden local addresses cannot be resolved by the other tab.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
];

/** Why there is no browser, in words; `undefined` when there is one. */
export function browserMissing() {
  if (existsSync(PROGRAM)) return undefined;
  return `there is no Chromium at ${PROGRAM}: install it, or set WARREN_CHROMIUM`;
}

export async function launch(args = [], executablePath = PROGRAM) {
  const missing = browserMissing();
  if (missing) throw new Error(missing);
  return chromium.launch({ executablePath, headless: true, args: [...ARGUMENTS, ...args] });
}

/** A browser on another machine: `prefix` is what a command there begins with. It takes `folder` for its start. */
export function launchElsewhere(prefix, folder) {
  const program = join(folder, 'browser');
  writeFileSync(program, `#!/bin/sh\nexec ${[...prefix, PROGRAM].join(' ')} "$@"\n`, { mode: 0o755 });
  return launch([], program);
}

/** Everything a page complained about: console errors and warnings, uncaught errors, CSP violations. */
export class Complaints {
  /** Each complaint once, with how often it came. */
  #entries = new Map();
  #mayCrash = false;

  constructor(page) {
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const { url } = message.location();
      this.#add(`${message.type()}: ${message.text()}${url ? ` (${url})` : ''}`);
    });
    page.on('pageerror', (error) => this.#add(`uncaught: ${firstLines(error.stack ?? error.message)}`));
    page.on('crash', () => this.#mayCrash || this.#add('the page crashed'));
  }

  /** For tests that crash it themselves. */
  expectCrash() {
    this.#mayCrash = true;
  }

  get all() {
    return [...this.#entries].map(([text, times]) => (times === 1 ? text : `${text} (${times} times)`));
  }

  /** Errors that nobody caught, and crashes. */
  get uncaught() {
    return this.all.filter((text) => text.startsWith('uncaught:') || text.startsWith('the page crashed'));
  }

  #add(text) {
    this.#entries.set(text, (this.#entries.get(text) ?? 0) + 1);
  }
}

/** Where it happened; who called that is in the minified script anyway. */
function firstLines(stack) {
  return stack.split('\n').slice(0, 2).join(' ');
}
