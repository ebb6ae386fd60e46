// What is in a file: shown on the page, or saved.

import type { FetchedFile } from 'warren-p2p';
import { h } from '../../dom.ts';
import { kindOf } from './kinds.ts';
import { player } from './player.ts';
import { NOT_SHOWN, bytesWords } from './words.ts';

/** Of a long text the beginning. */
const MOST_TEXT = 64 * 1024;
/** How long a browser may take to begin with what it saves. */
const SAVING_MS = 60_000;

export interface Shown {
  element: HTMLElement;
  /** Frees what it takes. */
  close(): void;
}

export async function showContents(file: FetchedFile, name: string, media: string | undefined): Promise<Shown> {
  const found = kindOf(name, media);
  if (!found) return { element: h('p', { class: 'hint' }, NOT_SHOWN), close: () => {} };
  if (found.kind === 'text') return { element: await textView(file, name), close: () => {} };
  return player(file, name, found);
}

/** As text and nothing else, whatever it would be elsewhere. */
async function textView(file: FetchedFile, name: string): Promise<HTMLElement> {
  const text = await file.text({ end: MOST_TEXT });
  const more = file.size > MOST_TEXT && h('p', { class: 'hint' }, `The first ${bytesWords(MOST_TEXT)}. Save it to read on.`);
  return h('div', {}, h('pre', { class: 'value', tabindex: '0', 'aria-label': `Text of ${name}` }, text), more);
}

/** Has the browser save it, as bytes: what opens them is not decided here. */
export async function saveContents(file: FetchedFile, name: string): Promise<void> {
  const url = URL.createObjectURL(await file.blob('application/octet-stream'));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SAVING_MS);
}
