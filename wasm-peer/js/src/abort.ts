// AbortSignal in the two forms that the package needs.
// Knows nothing about peers; every helper removes its listener when the work is over.

/** Options of every call that can be given up. */
export interface AbortOptions {
  /** Aborting rejects the call with `signal.reason` and tells the engine to stop the work. */
  signal?: AbortSignal | undefined;
}

/** Runs `listener` once on abort; returns the function that forgets it. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => {};
  const run = () => listener(signal.reason);
  signal.addEventListener('abort', run, { once: true });
  return () => signal.removeEventListener('abort', run);
}

/** Waits for `work`, or rejects with the signal's reason, whichever is first. `work` itself goes on. */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const forget = onAbort(signal, reject);
    work.then(resolve, reject).finally(forget);
  });
}
