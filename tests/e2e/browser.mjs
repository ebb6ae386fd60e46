// One Chromium for a test file, and what its pages said while they ran.
// Knows how to start the browser and how to collect its complaints; it does not know what is tested.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.WARREN_CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
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

export async function launch(args = []) {
  const missing = browserMissing();
  if (missing) throw new Error(missing);
  return chromium.launch({ executablePath: PROGRAM, headless: true, args: [...ARGUMENTS, ...args] });
}

/** Everything a page complained about: console errors and warnings, uncaught errors, CSP violations. */
export class Complaints {
  #entries = [];

  constructor(page) {
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      const { url } = message.location();
      this.#entries.push(`${message.type()}: ${message.text()}${url ? ` (${url})` : ''}`);
    });
    page.on('pageerror', (error) => this.#entries.push(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => this.#entries.push('the page crashed'));
  }

  get all() {
    return [...this.#entries];
  }

  /** Without warnings, which say what may become wrong one day. */
  get errors() {
    return this.#entries.filter((entry) => !entry.startsWith('warning:'));
  }
}
