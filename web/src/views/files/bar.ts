// How much of a file is there, drawn as it comes: each part of it at its place.

import type { FetchProgress } from 'warren-p2p';
import { h } from '../../dom.ts';
import { bytesWords } from './words.ts';

/** More parts are drawn without lines between them. */
const MOST_CELLS = 48;

type Known = Pick<FetchProgress, 'bytes' | 'size' | 'pieces'>;

export function bar(): HTMLElement {
  return h('div', { class: 'pieces', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' });
}

export function drawBar(element: HTMLElement, name: string, { bytes, size, pieces }: Known): void {
  const share = size === 0 ? 100 : (bytes / size) * 100;
  element.setAttribute('aria-label', `How much of ${name} is there`);
  element.setAttribute('aria-valuenow', String(Math.floor(share)));
  element.setAttribute('aria-valuetext', `${bytesWords(bytes)} of ${bytesWords(size)}`);
  element.style.setProperty('--there', pieces ? stops(pieces) : `linear-gradient(90deg, var(--bar) ${share}%, transparent 0)`);
  const cells = pieces && pieces.length > 1 && pieces.length <= MOST_CELLS ? pieces.length : 1;
  element.style.setProperty('--cells', String(cells));
}

/** Neighbours of one kind are drawn at once: no seams between them. */
function stops(pieces: readonly number[]): string {
  const drawn: string[] = [];
  for (let from = 0, to = 0; from < pieces.length; from = to) {
    for (to = from + 1; pieces[to] === pieces[from]; ) to += 1;
    const [begin, end] = [from, to].map((at) => `${(at / pieces.length) * 100}%`);
    drawn.push(`${colour(pieces[from] ?? 0)} ${begin} ${end}`);
  }
  return `linear-gradient(90deg, ${drawn.join(', ')})`;
}

function colour(share: number): string {
  if (share === 0) return 'transparent';
  // What is only begun is seen all the same.
  return share === 100 ? 'var(--bar)' : `color-mix(in oklab, var(--bar) ${20 + share * 0.6}%, transparent)`;
}
