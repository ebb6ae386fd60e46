// Chat rooms: entering them, and one card for each that this tab is in. A link enters: `#room=<name>&secret=…`.

import type { Peer } from 'warren-p2p';
import { byId, h } from '../dom.ts';
import { wireForm } from '../result.ts';
import { RoomCard } from './rooms/card.ts';

const NICK = 'warren:nick';

export function wireRooms(joinedPeer: (signal: AbortSignal) => Promise<Peer>): void {
  const form = byId<HTMLFormElement>('room-form');
  const name = byId<HTMLInputElement>('room-name');
  const nick = byId<HTMLInputElement>('room-nick');
  const isPrivate = byId<HTMLInputElement>('room-private');
  const cards = new Map<string, RoomCard>();
  nick.value = recall();
  wireForm(form, byId('room-result'), async ({ signal, show }) => {
    const peer = await joinedPeer(signal);
    const room = await peer.chat.join(name.value.trim(), { nick: nick.value.trim(), private: isPrivate.checked });
    remember(nick.value.trim());
    show();
    const known = cards.get(room.id);
    if (known) {
      room.leave();
      known.element.querySelector('textarea')?.focus();
      return;
    }
    const card = new RoomCard(room, peer.author, () => cards.delete(room.id));
    cards.set(room.id, card);
    byId('rooms').prepend(card.element);
    name.value = '';
    isPrivate.checked = false;
    await card.begin();
  });
  const enterLinked = () => {
    if (!location.hash.startsWith('#room=')) return;
    name.value = location.hash;
    form.scrollIntoView({ block: 'center' });
    if (nick.value === '') nick.focus();
    else form.requestSubmit();
  };
  addEventListener('hashchange', enterLinked);
  enterLinked();
  byId('rooms').append(h('p', { class: 'hint none' }, 'This tab is in no room yet.'));
}

/** Some pages have no storage. */
function recall(): string {
  try {
    return localStorage.getItem(NICK) ?? '';
  } catch {
    return '';
  }
}

function remember(nick: string): void {
  try {
    localStorage.setItem(NICK, nick);
  } catch {
    // Typed again the next time.
  }
}
