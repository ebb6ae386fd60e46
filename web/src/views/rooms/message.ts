// One message, and what can be done about it.

import type { ChatMessage } from 'warren-p2p';
import { copyable } from '../../result.ts';
import { h } from '../../dom.ts';

const MARKS = ['👍', '❤️', '😂'];

/** What a visitor does about a message. */
export interface Deeds {
  find(id: string): ChatMessage | undefined;
  reply(message: ChatMessage): void;
  edit(message: ChatMessage): void;
  remove(message: ChatMessage): void;
  react(message: ChatMessage, mark: string, on: boolean): void;
}

/** Nicknames can be anybody's; the beginning of the key tells two of one name apart. */
export function nameOf(nick: string, author: string): string {
  const key = author.slice(0, 6);
  return nick === '' ? key : `${nick} (${key})`;
}

export function messageItem(message: ChatMessage, me: string, deeds: Deeds): HTMLElement {
  const item = h('li', { class: message.mine ? 'message mine' : 'message' });
  showMessage(item, message, me, deeds);
  return item;
}

/** Draws it anew only when it is another one: a selection in it survives. */
export function showMessage(item: HTMLElement, message: ChatMessage, me: string, deeds: Deeds): void {
  const answered = message.replyTo === undefined ? undefined : deeds.find(message.replyTo);
  const drawn = JSON.stringify([message, answered?.text]);
  if (item.dataset['drawn'] === drawn) return;
  item.dataset['drawn'] = drawn;
  const time = h('time', { datetime: message.time.toISOString() }, message.time.toLocaleTimeString([], { timeStyle: 'short' }));
  const { file } = message;
  item.replaceChildren(
    h('p', { class: 'by' }, h('strong', { title: message.author }, nameOf(message.nick, message.author)), ' ', time, message.edited && ' edited'),
    h(
      'div',
      { class: 'said' },
      message.replyTo !== undefined && h('blockquote', {}, answered?.text.slice(0, 160) ?? 'a message that is not here'),
      file && h('p', { class: 'file' }, `${file.name}, ${file.size.toLocaleString()} bytes `, copyable(file.cid, 'CID')),
      message.text !== '' && h('p', { class: 'text' }, message.text),
    ),
    marks(message, me, deeds),
    actions(message, deeds),
  );
}

function marks(message: ChatMessage, me: string, deeds: Deeds): HTMLElement {
  const put = message.reactions.map(({ mark, authors }) => {
    const mine = authors.includes(me);
    const button = h('button', { type: 'button', class: 'mark', 'aria-pressed': String(mine) }, `${mark} ${authors.length}`);
    button.addEventListener('click', () => deeds.react(message, mark, !mine));
    return button;
  });
  return h('div', { class: 'marks' }, ...put);
}

function actions(message: ChatMessage, deeds: Deeds): HTMLElement {
  const button = (label: string, deed: () => void) => {
    const element = h('button', { type: 'button', class: 'quiet' }, label);
    element.addEventListener('click', deed);
    return element;
  };
  const free = MARKS.filter((mark) => !message.reactions.some((one) => one.mark === mark));
  return h(
    'div',
    { class: 'deeds' },
    button('Reply', () => deeds.reply(message)),
    ...free.map((mark) => button(mark, () => deeds.react(message, mark, true))),
    message.mine && message.file === undefined && button('Edit', () => deeds.edit(message)),
    message.mine && button('Delete', () => deeds.remove(message)),
  );
}
