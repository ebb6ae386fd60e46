// Firefox for the tests that need a second browser engine, driven over WebDriver BiDi.

import { existsSync } from 'node:fs';
import puppeteer from 'puppeteer-core';

const PROGRAM = process.env.WARREN_FIREFOX ?? '/usr/bin/firefox-esr';

/** Why there is no Firefox, in words; `undefined` when there is one. */
export function firefoxMissing() {
  if (existsSync(PROGRAM)) return undefined;
  return `there is no Firefox at ${PROGRAM}: install it, or set WARREN_FIREFOX`;
}

export function launchFirefox() {
  // Without mDNS on the machine, hidden local addresses cannot be resolved by the other tab.
  const extraPrefsFirefox = { 'media.peerconnection.ice.obfuscate_host_addresses': false };
  return puppeteer.launch({ browser: 'firefox', executablePath: PROGRAM, headless: true, extraPrefsFirefox });
}
