// Tells the engine what happens to the page: network gone and back, hidden, woken from sleep.
// Only passes hints on; what to do about them is the engine's decision.

export type Hint = 'online' | 'offline' | 'visible' | 'hidden' | 'resume';

const TICK_MS = 5_000;
/** A visible page's timer is late by this much only when the computer slept. */
const SLEPT_VISIBLE_MS = 15_000;
/** Hidden pages get a timer once a minute. */
const SLEPT_HIDDEN_MS = 120_000;

/** Returns the function that stops watching. Does nothing outside a window. */
export function watchPage(hint: (kind: Hint) => void): () => void {
  if (typeof document === 'undefined' || typeof window === 'undefined') return () => {};
  const watching = new AbortController();
  const listen = (target: EventTarget, name: string, kind: (event: Event) => Hint | undefined) => {
    const run = (event: Event) => {
      const found = kind(event);
      if (found) hint(found);
    };
    target.addEventListener(name, run, { signal: watching.signal });
  };
  listen(window, 'online', () => 'online');
  listen(window, 'offline', () => 'offline');
  listen(window, 'pageshow', (event) => ((event as PageTransitionEvent).persisted ? 'resume' : undefined));
  listen(document, 'visibilitychange', () => (document.hidden ? 'hidden' : 'visible'));
  listen(document, 'freeze', () => 'hidden');
  listen(document, 'resume', () => 'resume');
  const stopClock = watchClock(() => hint('resume'));
  if (navigator.onLine === false) hint('offline');
  if (document.hidden) hint('hidden');
  return () => {
    watching.abort();
    stopClock();
  };
}

/** Notices sleep by a timer that fires much too late. */
function watchClock(slept: () => void): () => void {
  let last = Date.now();
  const timer = setInterval(() => {
    const late = Date.now() - last - TICK_MS;
    last = Date.now();
    if (late > (document.hidden ? SLEPT_HIDDEN_MS : SLEPT_VISIBLE_MS)) slept();
  }, TICK_MS);
  return () => clearInterval(timer);
}
