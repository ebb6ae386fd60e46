// What is needed less often in a room: its link in full, another name, the card of a file.

import type { Room } from 'warren-p2p';
import { h } from '../../dom.ts';
import { copyable } from '../../result.ts';

interface About {
  room: Room;
  link: string;
  nick: string;
  attempt(work: () => Promise<unknown>): Promise<boolean>;
  renamed(nick: string): void;
}

export function aboutRoom(about: About): HTMLElement {
  const who = about.room.private ? 'Whoever has this link reads and writes here. It holds the secret; send it only to those you mean.' : 'Anybody who knows the name of the room may enter. This link leads here:';
  return h(
    'details',
    { class: 'about' },
    h('summary', {}, 'About this room'),
    h('p', { class: 'hint' }, who),
    copyable(about.link, 'link to the room'),
    renameForm(about),
    fileForm(about),
  );
}

function renameForm({ room, nick, attempt, renamed }: About): HTMLElement {
  const input = h('input', { type: 'text', maxlength: '40', spellcheck: 'false' });
  input.value = nick;
  const form = h('form', { class: 'line', autocomplete: 'off' }, h('label', {}, 'Your name here', input), h('button', { type: 'submit', class: 'quiet' }, 'Change'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (await attempt(() => room.rename(name))) renamed(name);
  });
  return form;
}

function fileForm({ room, attempt }: About): HTMLElement {
  const cid = h('input', { type: 'text', required: true, spellcheck: 'false', autocapitalize: 'off' });
  const name = h('input', { type: 'text', required: true });
  const size = h('input', { type: 'number', required: true, min: '0' });
  const form = h(
    'form',
    { class: 'line', autocomplete: 'off' },
    h('label', {}, 'CID of a file', cid),
    h('label', {}, 'Its name', name),
    h('label', {}, 'Bytes', size),
    h('button', { type: 'submit', class: 'quiet' }, 'Speak of it'),
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const card = { cid: cid.value.trim(), name: name.value.trim(), size: Number(size.value) };
    if (await attempt(() => room.file(card))) form.reset();
  });
  return form;
}
