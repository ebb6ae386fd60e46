// A trap in WebAssembly is only seen as an uncaught error; without this every call would wait for ever.

import { WarrenError } from './errors.ts';

/** Tells the other end of a port when the module at this address has crashed. Returns how to stop watching. */
export function reportCrashes(port: MessagePort, url: string): () => void {
  if (typeof window === 'undefined') return () => {};
  const watching = new AbortController();
  const report = (error: unknown) => {
    if (!isTrapOf(url, error)) return;
    const detail = new WarrenError('INTERNAL', `The engine stopped: ${error.message}`, {
      remedy: 'Reload the page; if it happens again, report it with the text on the console.',
    }).toJSON();
    port.postMessage({ event: 'crash', detail });
  };
  const { signal } = watching;
  window.addEventListener('error', (event) => report(event.error), { signal });
  window.addEventListener('unhandledrejection', (event) => report(event.reason), { signal });
  return () => watching.abort();
}

/** The page may run other WebAssembly; browsers name the file in each line of the stack. */
function isTrapOf(url: string, error: unknown): error is WebAssembly.RuntimeError {
  if (!(error instanceof WebAssembly.RuntimeError)) return false;
  const stack = error.stack ?? '';
  return stack.includes(url) || stack.includes('wasm://');
}
