// How far something is, as the engine says it and as an application hears it.

import type { FetchProgress } from './files.ts';

/** What is wrong with a listener stops nothing here: it is reported, as if it listened to an event. */
export function tell<T>(listener: ((news: T) => void) | undefined, news: T): void {
  try {
    listener?.(news);
  } catch (error) {
    reportError(error);
  }
}

export function progressOf({ bytes, size, sources, pieces, paused }: FetchProgress): FetchProgress {
  return { bytes, size, sources, ...(pieces ? { pieces } : {}), paused };
}
