// Plain words for what happens to files.

import type { FetchProgress, FileStorage, FoundFile } from 'warren-p2p';
import { count, duration } from '../../words.ts';

const UNITS = ['kB', 'MB', 'GB', 'TB'];

export const LOOKING = 'Looking for somebody who has it…';
export const READING = 'Reading it, and hashing what is read…';
export const TELLING = 'Telling others that it is here…';
export const NO_FOLDER_TO_SAVE = 'This browser cannot save into a folder: save the files one by one, or fetch all of them with "warren get".';
export const NOTHING_FOUND = 'Files are found by whole words, a moment after they were shared.';
export const KEPT_HERE = 'Whoever has the link gets it from this tab, for as long as the tab is open.';
export const NEEDS_PERMISSION = 'This file stays where it is on this device. Allow this page to read it, then others get it again.';
export const CHANGED = 'It has changed since it was shared, or is not where it was: nobody gets it from here any more. Share it again, or remove it.';
export const SHOWN_LATER = 'Shown here as soon as it can be.';
export const NOT_SHOWN = 'This browser cannot show it. Save it, and open it with another program.';

/** "12 bytes", "3.4 MB": number and unit stay in one line. */
export function bytesWords(bytes: number): string {
  if (bytes < 1000) return count(bytes, 'byte');
  let [value, unit] = [bytes / 1000, 0];
  while (value >= 999.5 && unit + 1 < UNITS.length) [value, unit] = [value / 1000, unit + 1];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}\u00a0${UNITS[unit]}`;
}

/** How far a file is, and when it will be there. */
export function progressWords({ bytes, size, sources, paused }: FetchProgress, rate: number | undefined): string {
  const far = `${bytesWords(bytes)} of ${bytesWords(size)}`;
  if (paused) return `Paused at ${far}`;
  if (sources === 0) return `${far}. ${LOOKING}`;
  const from = `${far} from ${count(sources, 'peer')}`;
  if (rate === undefined) return from;
  return rate < 1 ? `${from}, nothing comes at the moment` : `${from}, ${bytesWords(rate)}/s, ${duration(((size - bytes) / rate) * 1000)} left`;
}

/** Where files are, and how many more fit. */
export function roomWords({ kind, used, quota, persisted, reason }: FileStorage): string {
  const taken = `${bytesWords(used)} of ${bytesWords(quota)}`;
  if (kind === 'memory') return `In memory, ${taken}: they end with this tab.${reason ? ` Not on disk: ${reason}.` : ''}`;
  return `Kept by this browser, ${taken}, also when the page is loaded again.${persisted ? '' : ' When it is short of space it may take them all.'}`;
}

/** What is known of a file, or of a directory of so many, beside its name. */
export function aboutWords(size: number | undefined, media: string | undefined, files?: number): string {
  return [files === undefined ? '' : count(files, 'file'), size === undefined ? '' : bytesWords(size), media ?? ''].filter(Boolean).join(', ');
}

export function foundWords({ size, media, authors, holders }: FoundFile): string {
  const had = `${count(holders.length, 'peer')} ${holders.length === 1 ? 'has' : 'have'} it`;
  return `${aboutWords(size, media)}. ${had}, listed by ${count(authors, 'author')}.`;
}
