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

/** How far the range is that was asked for. */
export interface WireRange {
  start: number;
  end: number;
  bytes: number;
  pieces?: number[];
}

/** Of a range, it is how far that is. */
export function progressOf({ range, ...whole }: FetchProgress & { range?: WireRange }): FetchProgress {
  const { sources, paused } = whole;
  const { bytes, size, pieces } = range ? { ...range, size: range.end - range.start } : whole;
  return { bytes, size, sources, ...(pieces ? { pieces } : {}), paused };
}
