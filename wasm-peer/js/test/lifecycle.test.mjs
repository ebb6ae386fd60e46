import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './support.mjs';

const { watchPage } = await load('lifecycle.ts');

/** A page in this state, for as long as the test runs. */
function page(t, { hidden, onLine }) {
  const document = Object.assign(new EventTarget(), { hidden });
  const fakes = { document, window: new EventTarget(), navigator: { onLine } };
  for (const [name, value] of Object.entries(fakes)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
  return fakes;
}

test('how the page is at the start is told at once', (t) => {
  page(t, { hidden: true, onLine: false });
  const hints = [];
  watchPage((kind) => hints.push(kind))();
  assert.deepEqual(hints, ['offline', 'hidden']);
});

test('a page as most are has nothing to tell until something changes', (t) => {
  const { document, window } = page(t, { hidden: false, onLine: true });
  const hints = [];
  const stop = watchPage((kind) => hints.push(kind));
  assert.deepEqual(hints, []);
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  window.dispatchEvent(new Event('offline'));
  stop();
  window.dispatchEvent(new Event('online'));
  assert.deepEqual(hints, ['hidden', 'offline']);
});
