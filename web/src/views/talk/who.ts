// How an author is shown: a name that anybody can take, beside the beginning of a key that nobody can.

import { h } from '../../dom.ts';

/** Enough of a key to tell two people of one name apart. */
const KEY_SHOWN = 6;

export function shortKey(author: string): string {
  return author.slice(0, KEY_SHOWN);
}

/** In one line of text. */
export function nameOf(nick: string, author: string): string {
  return nick === '' ? shortKey(author) : `${nick} (${shortKey(author)})`;
}

export function nameTag(nick: string, author: string): HTMLElement {
  const key = h('small', { class: 'key' }, shortKey(author));
  return h('span', { class: 'name', title: author }, nick !== '' && h('bdi', {}, nick), nick !== '' && ' ', key);
}

/** A disc in a colour of the author's own; it says nothing that the text beside it does not. */
export function disc(nick: string, author: string): HTMLElement {
  const [first] = nick === '' ? author : nick;
  const element = h('span', { class: 'disc', 'aria-hidden': 'true' }, (first ?? '').toUpperCase());
  element.style.setProperty('--hue', String(Number.parseInt(author.slice(0, 4), 16) % 360));
  return element;
}
