// One message of a room, and what can be done about it.

import type { ChatMessage } from 'warren-p2p';
import { copyable } from '../../result.ts';
import { h } from '../../dom.ts';
import { withLinks } from '../talk/text.ts';
import { hourWords } from '../talk/times.ts';
import { disc, nameOf, nameTag } from '../talk/who.ts';

const MARKS: [mark: string, word: string][] = [
  ['👍', 'Thumbs up'],
  ['❤️', 'Heart'],
  ['😂', 'Laughing'],
];
const QUOTED = 160;

/** What a visitor does about a message. */
export interface Deeds {
  me: string;
  find(id: string): ChatMessage | undefined;
  show(id: string): void;
  reply(message: ChatMessage): void;
  edit(message: ChatMessage): void;
  remove(message: ChatMessage): void;
  react(message: ChatMessage, mark: string, on: boolean): void;
}

export function messageItem(): HTMLElement {
  return h('li', {});
}

/** Draws it anew only when it is another one: a selection in it survives. */
export function showMessage(item: HTMLElement, message: ChatMessage, follows: boolean, deeds: Deeds): void {
  const answered = message.replyTo === undefined ? undefined : deeds.find(message.replyTo);
  const drawn = JSON.stringify([message, follows, answered?.text, answered?.nick]);
  if (item.dataset['drawn'] === drawn) return;
  item.dataset['drawn'] = drawn;
  const open = item.querySelector('.more')?.getAttribute('aria-expanded') === 'true';
  const focused = item.contains(document.activeElement);
  item.className = `message${message.mine ? ' mine' : ''}${follows ? ' follows' : ''}`;
  const { file } = message;
  const { more, bar } = deedsOf(message, deeds, open);
  item.replaceChildren(
    disc(message.nick, message.author),
    h(
      'div',
      { class: 'body' },
      more,
      h('p', { class: 'by' }, nameTag(message.nick, message.author), time(message), message.edited && h('span', { class: 'edited' }, 'edited')),
      message.replyTo !== undefined && quote(message.replyTo, answered, deeds),
      file && h('p', { class: 'file' }, h('strong', {}, file.name), ` ${file.size.toLocaleString()} bytes `, copyable(file.cid, 'CID')),
      message.text !== '' && h('p', { class: 'text', dir: 'auto' }, ...withLinks(message.text)),
      marks(message, deeds),
      bar,
    ),
  );
  if (focused && !item.contains(document.activeElement)) more.focus({ preventScroll: true });
}

function time({ time }: ChatMessage): HTMLElement {
  return h('time', { datetime: time.toISOString(), title: time.toLocaleString() }, hourWords(time));
}

function quote(id: string, answered: ChatMessage | undefined, deeds: Deeds): HTMLElement {
  if (!answered) return h('blockquote', {}, 'Answers a message that is not here.');
  const words = answered.text || answered.file?.name || '';
  const to = h('button', { type: 'button', class: 'plain', title: 'Show that message' }, h('bdi', {}, `${nameOf(answered.nick, answered.author)}: ${words.slice(0, QUOTED)}`));
  to.addEventListener('click', () => deeds.show(id));
  return h('blockquote', {}, to);
}

/** One stop for the keyboard in each message; what can be done opens from there. */
function deedsOf(message: ChatMessage, deeds: Deeds, open: boolean): { more: HTMLElement; bar: HTMLElement } {
  const label = `What to do about the message of ${nameOf(message.nick, message.author)}`;
  const more = h('button', { type: 'button', class: 'more', 'aria-label': label }, '⋯');
  const bar = h('div', { class: 'deeds' });
  const turn = (on: boolean) => {
    more.setAttribute('aria-expanded', String(on));
    bar.hidden = !on;
  };
  fillBar(bar, message, deeds, () => turn(false));
  turn(open);
  more.addEventListener('click', () => {
    turn(Boolean(bar.hidden));
    if (!bar.hidden) bar.scrollIntoView({ block: 'nearest' });
  });
  bar.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    turn(false);
    more.focus();
  });
  return { more, bar };
}

function marks(message: ChatMessage, deeds: Deeds): HTMLElement | undefined {
  if (message.reactions.length === 0) return undefined;
  const put = message.reactions.map(({ mark, authors }) => {
    const mine = authors.includes(deeds.me);
    const label = `${mark}: ${authors.length}${mine ? ', with yours' : ''}`;
    const button = h('button', { type: 'button', class: 'mark', 'aria-pressed': String(mine), 'aria-label': label }, h('bdi', {}, mark), ` ${authors.length}`);
    button.addEventListener('click', () => deeds.react(message, mark, !mine));
    return button;
  });
  return h('div', { class: 'marks' }, ...put);
}

function fillBar(bar: HTMLElement, message: ChatMessage, deeds: Deeds, close: () => void): void {
  const add = (text: string, deed: () => void, label?: string) => {
    const element = h('button', { type: 'button', class: 'small', 'aria-label': label }, text);
    element.addEventListener('click', deed);
    bar.append(element);
    return element;
  };
  const then = (deed: () => void) => () => (close(), deed());
  add('Reply', then(() => deeds.reply(message)));
  for (const [mark, word] of MARKS) {
    if (!message.reactions.some((one) => one.mark === mark)) add(mark, then(() => deeds.react(message, mark, true)), word);
  }
  if (message.mine && message.file === undefined) add('Edit', then(() => deeds.edit(message)));
  if (message.mine) sureOf(add('Delete', () => {}), () => deeds.remove(message));
}

/** What cannot be undone takes two presses. */
function sureOf(button: HTMLElement, deed: () => void): void {
  button.addEventListener('click', () => {
    if (button.dataset['sure'] !== undefined) deed();
    button.dataset['sure'] = '';
    button.textContent = 'Really delete';
  });
  button.addEventListener('blur', () => {
    delete button.dataset['sure'];
    button.textContent = 'Delete';
  });
}
