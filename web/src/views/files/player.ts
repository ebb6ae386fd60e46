// Pictures, sound and film in place, also while they come: the browser asks for what it shows, and that comes first.
// Where there is no service worker, they are shown when all of them is there.

import type { FetchedFile } from 'warren-p2p';
import { h } from '../../dom.ts';
import type { Kind } from './kinds.ts';
import { NOT_SHOWN, SHOWN_LATER } from './words.ts';

/** What the build puts beside the page: a service worker answers for what is below its place. */
const WORKER = '/warren-media.js';
/** How often something is asked for again that broke off: browsers stop service workers when they like. */
const MOST_TRIES = 3;

export interface Player {
  element: HTMLElement;
  /** Frees what it takes, and asks for nothing more. */
  close(): void;
}

export function player(file: FetchedFile, name: string, found: { kind: Kind; media: string }): Player {
  const element = h('div', { class: 'contents' }, h('p', { class: 'hint' }, SHOWN_LATER));
  let close = () => {};
  let closed = false;
  const show = async () => {
    const { src, free, tries } = await source(file, found.media);
    if (closed) return free();
    const view = viewOf(src, name, found.kind);
    let left = tries;
    let broke = 0;
    // What plays somewhere else has got over it.
    view.addEventListener('timeupdate', () => {
      if (Math.abs(placeOf(view) - broke) > 1) left = tries;
    });
    view.addEventListener('error', () => {
      if (closed) return;
      broke = placeOf(view);
      if (left-- > 0) again(view, src);
      else element.replaceChildren(h('p', { class: 'hint' }, NOT_SHOWN));
    });
    close = () => {
      view.removeAttribute('src');
      if (view instanceof HTMLMediaElement) view.load();
      free();
    };
    element.replaceChildren(view);
  };
  // Why it does not come is said where it is fetched.
  show().catch(() => element.replaceChildren(h('p', { class: 'hint' }, NOT_SHOWN)));
  return {
    element,
    close() {
      closed = true;
      close();
    },
  };
}

function viewOf(src: string, name: string, kind: Kind): HTMLElement {
  return kind === 'image' ? h('img', { src, alt: name }) : h(kind === 'audio' ? 'audio' : 'video', { src, controls: true, 'aria-label': name });
}

/** In seconds. */
function placeOf(view: HTMLElement): number {
  return view instanceof HTMLMediaElement ? view.currentTime : 0;
}

/** From where it was. */
function again(view: HTMLElement, src: string): void {
  const { currentTime = 0, paused = true } = view instanceof HTMLMediaElement ? view : {};
  view.setAttribute('src', src);
  if (!(view instanceof HTMLMediaElement)) return;
  view.currentTime = currentTime;
  if (!paused) view.play().catch(() => {}); // Its next error says why not.
}

async function source(file: FetchedFile, type: string): Promise<{ src: string; free: () => void; tries: number }> {
  try {
    return { src: await file.url({ worker: WORKER, type }), free: () => {}, tries: MOST_TRIES };
  } catch {
    // Whatever is missing for that: all of it can be shown at once.
    const src = URL.createObjectURL(await file.blob(type));
    return { src, free: () => URL.revokeObjectURL(src), tries: 0 };
  }
}
