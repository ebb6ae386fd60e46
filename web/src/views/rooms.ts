// Chat rooms: entering them, the list of those that this tab is in, and the one that is open.
// A link enters: `#room=<name>&secret=…`. Rooms of a stored identity are entered again at the next visit.

import type { JoinRoomOptions, Peer, Room } from 'warren-p2p';
import { byId, h, keyed, setText } from '../dom.ts';
import { errorCard, wireForm } from '../result.ts';
import { RoomPanel } from './rooms/panel.ts';
import { recall, remember } from './talk/kept.ts';
import { unreadIn } from './talk/title.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;
type Write = (author: string, nick: string) => void;

interface KeptRoom {
  link: string;
  nick: string;
}

export function wireRooms(joinedPeer: JoinedPeer, write: Write): void {
  new Rooms(joinedPeer, write).start();
}

class Rooms {
  readonly #joinedPeer: JoinedPeer;
  readonly #write: Write;
  readonly #panels = new Map<string, { panel: RoomPanel; nick: string }>();
  #open: string | undefined;
  #author = '';
  /** Where the rooms of this profile are remembered; nowhere for an identity that ends with the tab. */
  #place: string | undefined;
  readonly #form = byId<HTMLFormElement>('room-form');
  readonly #name = byId<HTMLInputElement>('room-name');
  readonly #nick = byId<HTMLInputElement>('room-nick');
  readonly #words = byId<HTMLInputElement>('room-words');
  readonly #list = h('ul', { class: 'choices', 'aria-label': 'Rooms this tab is in' });
  readonly #stage = h('div', { class: 'stage' });
  readonly #talk = h('div', { class: 'talk', hidden: true }, h('nav', { 'aria-label': 'Rooms' }, this.#list), this.#stage);

  constructor(joinedPeer: JoinedPeer, write: Write) {
    this.#joinedPeer = joinedPeer;
    this.#write = write;
  }

  start(): void {
    byId('rooms').append(this.#talk, h('p', { class: 'hint none' }, 'This tab is in no room yet.'));
    this.#nick.value = recall('nick', '');
    this.#form.addEventListener('change', () => this.#showWords());
    this.#showWords();
    wireForm(this.#form, byId('room-result'), async ({ signal, show }) => {
      await this.#enterTyped(signal, (text) => show(h('p', { class: 'busy' }, text)));
      show();
    });
    addEventListener('hashchange', () => this.#enterLinked());
    this.#enterLinked();
    void this.#enterKept();
  }

  #kind(): string {
    return String(new FormData(this.#form).get('room-kind'));
  }

  #showWords(): void {
    const wanted = this.#kind() === 'words';
    byId('room-words-field').hidden = !wanted;
    this.#words.required = wanted;
  }

  async #enterTyped(signal: AbortSignal, busy: (text: string) => void): Promise<void> {
    const nick = this.#nick.value.trim();
    const typed = this.#name.value.trim();
    const isLink = typed.includes('#room=');
    const peer = await this.#peer(signal);
    busy(this.#kind() === 'words' ? 'Making a key of the words; that takes a second or two…' : 'Entering…');
    const entered = await peer.chat.join(typed, { nick, ...this.#options(isLink) });
    remember('nick', nick);
    this.#name.value = this.#words.value = '';
    this.#form.querySelector<HTMLInputElement>('input[value=public]')?.click();
    await this.#entered(entered, nick, true);
  }

  #options(isLink: boolean): JoinRoomOptions {
    if (isLink) return {};
    const kind = this.#kind();
    return kind === 'words' ? { passphrase: this.#words.value } : { private: kind === 'private' };
  }

  async #peer(signal: AbortSignal): Promise<Peer> {
    const peer = await this.#joinedPeer(signal);
    this.#author = peer.author;
    this.#place = peer.identity.ephemeral ? undefined : `rooms:${peer.author}`;
    return peer;
  }

  async #entered(room: Room, nick: string, open: boolean): Promise<void> {
    if (this.#panels.has(room.id)) {
      room.leave();
      return this.#show(room.id, true);
    }
    const entry = { nick, panel: new RoomPanel(room, this.#host(room, nick)) };
    this.#panels.set(room.id, entry);
    this.#stage.append(entry.panel.element);
    entry.panel.element.hidden = true;
    this.#keep();
    if (open || this.#open === undefined) this.#show(room.id, open);
    this.#draw();
    await entry.panel.begin();
  }

  #host(room: Room, nick: string) {
    return {
      me: this.#author,
      nick,
      renamed: (nick: string) => {
        const entry = this.#panels.get(room.id);
        if (entry) entry.nick = nick;
        this.#keep();
      },
      changed: () => this.#draw(),
      write: this.#write,
      left: () => this.#left(room.id),
    };
  }

  #left(id: string): void {
    this.#panels.get(id)?.panel.element.remove();
    this.#panels.delete(id);
    unreadIn(`room ${id}`, 0);
    this.#keep();
    const [next] = this.#panels.keys();
    if (this.#open === id) this.#open = undefined;
    if (next !== undefined && this.#open === undefined) this.#show(next, true);
    this.#draw();
    if (next === undefined) this.#name.focus();
  }

  #show(id: string, focus: boolean): void {
    this.#open = id;
    for (const [each, { panel }] of this.#panels) panel.element.hidden = each !== id;
    this.#draw();
    const panel = this.#panels.get(id)?.panel;
    panel?.shown();
    if (!focus) return;
    panel?.focus();
    panel?.element.scrollIntoView({ block: 'nearest' });
  }

  #draw(): void {
    this.#talk.hidden = this.#panels.size === 0;
    const rooms = [...this.#panels.values()].map(({ panel }) => panel.room);
    keyed(this.#list, rooms, ({ id }) => id, (room) => this.#choice(room), (element, room) => {
      const button = element.firstElementChild as HTMLElement;
      button.setAttribute('aria-current', String(room.id === this.#open));
      const badge = button.querySelector('.badge') as HTMLElement;
      badge.hidden = room.unread === 0;
      setText(badge, room.unread > 99 ? '99+' : String(room.unread));
      setText(button.querySelector('.off-screen') as Element, room.unread > 0 ? `, ${room.unread} not read yet` : '');
      unreadIn(`room ${room.id}`, room.unread);
    });
  }

  #choice(room: Room): HTMLElement {
    const badge = h('span', { class: 'badge', 'aria-hidden': 'true' });
    const button = h('button', { type: 'button', class: 'pick' }, h('bdi', { class: 'label' }, room.name), room.private && h('span', { class: 'tag' }, 'private'), badge, h('span', { class: 'off-screen' }));
    button.addEventListener('click', () => this.#show(room.id, true));
    return h('li', {}, button);
  }

  #keep(): void {
    if (this.#place === undefined) return;
    const kept: KeptRoom[] = [...this.#panels.values()].map(({ panel, nick }) => ({ link: panel.room.link, nick }));
    remember(this.#place, kept);
  }

  async #enterKept(): Promise<void> {
    const peer = await this.#peer(new AbortController().signal).catch(() => undefined);
    if (!peer || this.#place === undefined) return;
    const kept = recall<KeptRoom[]>(this.#place, []);
    try {
      for (const { link, nick } of kept) await this.#entered(await peer.chat.join(link, { nick }), nick, false);
    } catch (error) {
      byId('room-result').replaceChildren(errorCard(error));
    }
  }

  #enterLinked(): void {
    if (!location.hash.startsWith('#room=')) return;
    this.#name.value = location.hash;
    this.#form.scrollIntoView({ block: 'center' });
    if (this.#nick.value === '') this.#nick.focus();
    else this.#form.requestSubmit();
  }
}
