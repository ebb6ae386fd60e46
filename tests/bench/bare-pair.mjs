// Two pages with nothing but a data channel between them: what the browser gives. The bench carries the descriptions.

import { within } from '../e2e/relay.mjs';

const PATIENCE = 180_000;
export const MESSAGES = [16 * 1024, 64 * 1024];

/** Connects two pages that show `bare-page.mjs`. */
export async function connectBare(one, other) {
  for (const page of [one, other]) await page.waitForFunction(() => window.ready);
  const answer = await other.evaluate((sdp) => window.answer(sdp), await one.evaluate(() => window.offer()));
  await within(PATIENCE, 'the bare channel did not open', one.evaluate((sdp) => window.accept(sdp), answer));
}

/** The milliseconds that so many bytes take from one to the other, for the better of two message sizes. */
export async function bestBare(one, other, size) {
  const times = [];
  for (const message of MESSAGES) times.push(await bareTransfer(one, other, size, message));
  return Math.min(...times);
}

/** The milliseconds that so many bytes take in messages of one size. */
export async function bareTransfer(one, other, size, message) {
  const began = performance.now();
  const received = other.evaluate((bytes) => window.receive(bytes), size);
  await one.evaluate(({ bytes, message }) => window.send(bytes, message), { bytes: size, message });
  await within(PATIENCE, 'the bare channel did not finish', received);
  return performance.now() - began;
}
