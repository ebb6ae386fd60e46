// What was written with one author: loaded as it is read, with what has become of each own message.

import type { DirectMessage, MessageState, Peer } from 'warren-p2p';
import { copyButton } from '../../copy.ts';
import { h, setText } from '../../dom.ts';
import { composer, type Composer } from '../talk/composer.ts';
import { PAGE, Scroller } from '../talk/scroller.ts';
import { disc, nameTag } from '../talk/who.ts';
import { messageItem, showMessage } from './message.ts';
import type { Person } from './people.ts';

type Shown = DirectMessage & { mine: boolean; author: string };

export interface ConversationHost {
  peer: Peer;
  /** Everything was read. */
  seen(person: Person): void;
  /** Something was written, so that answers are expected. */
  wrote(person: Person): void;
  closed(person: Person): void;
}

export class Conversation {
  readonly element: HTMLElement;
  readonly person: Person;
  readonly #host: ConversationHost;
  readonly #messages = new Map<string, Shown>();
  #ordered: Shown[] = [];
  readonly #watched = new Set<string>();
  readonly #ending = new AbortController();
  readonly #log: Scroller<Shown>;
  readonly #composer: Composer;
  readonly #blocked = h('p', { class: 'hint blocked', role: 'status' });
  readonly #block = h('button', { type: 'button', class: 'small' }, 'Block');
  #isBlocked = false;

  constructor(person: Person, host: ConversationHost) {
    this.person = person;
    this.#host = host;
    this.#log = this.#makeLog();
    this.#composer = composer('Message', (text) => this.#send(text));
    this.#block.addEventListener('click', () => void this.#composer.attempt(() => this.#turnBlock()));
    const close = h('button', { type: 'button', class: 'small' }, 'Close');
    close.addEventListener('click', () => (this.close(), host.closed(person)));
    const { nick, author } = person;
    this.element = h(
      'article',
      { class: 'conversation', 'data-author': author, 'aria-label': `Conversation with ${nick || author}` },
      h('header', {}, disc(nick, author), h('h3', {}, nameTag(nick, author)), h('div', { class: 'acts' }, copyButton(author, 'key', 'Copy key'), this.#block, close)),
      this.#blocked,
      this.#log.element,
      this.#composer.element,
    );
  }

  async begin(): Promise<void> {
    const blocked = this.#host.peer.messages.blocked();
    await this.#log.begin(this.person.unread);
    this.#showBlocked((await blocked).includes(this.person.author));
  }

  close(): void {
    this.#ending.abort();
    this.#log.close();
  }

  shown(): void {
    this.#log.shown(this.person.unread);
  }

  focus(): void {
    this.#composer.input.focus({ preventScroll: true });
  }

  /** Something has come from this author. */
  got(message: DirectMessage): void {
    this.#put([message]);
  }

  #makeLog(): Scroller<Shown> {
    return new Scroller<Shown>({
      label: 'Messages of this conversation',
      empty: 'Nothing was written yet.',
      entries: () => this.#ordered,
      older: () => this.#older(),
      make: messageItem,
      fill: showMessage,
      seen: () => this.person.unread > 0 && this.#host.seen(this.person),
    });
  }

  async #older(): Promise<boolean> {
    const before = this.#ordered[0]?.place;
    const page = { limit: PAGE, ...(before === undefined ? {} : { before }) };
    let found: DirectMessage[] = [];
    await this.#composer.attempt(async () => (found = await this.#host.peer.messages.history(this.person.author, page)));
    this.#put(found);
    return found.length === PAGE;
  }

  #put(messages: readonly DirectMessage[]): void {
    for (const message of messages) {
      const mine = message.sent;
      this.#messages.set(message.id, { ...message, mine, author: mine ? '' : message.from });
      if (mine && isOnItsWay(message.state)) void this.#watch(message.id);
    }
    this.#ordered = [...this.#messages.values()].sort((one, two) => one.place - two.place);
    this.#log.changed();
  }

  /** Follows a message until nothing more becomes of it. */
  async #watch(id: string): Promise<void> {
    if (this.#watched.has(id)) return;
    this.#watched.add(id);
    try {
      for await (const state of this.#host.peer.messages.states(id, { signal: this.#ending.signal })) {
        const known = this.#messages.get(id);
        if (known) this.#put([{ ...known, state }]);
      }
    } catch {
      this.#watched.delete(id);
    }
  }

  async #send(text: string): Promise<void> {
    const { peer } = this.#host;
    await peer.messages.send(this.person.author, text);
    // Its place and time are the engine's.
    this.#put(await peer.messages.history(this.person.author, { limit: 8 }));
    this.#log.follow();
    this.#host.wrote(this.person);
  }

  async #turnBlock(): Promise<void> {
    const { messages } = this.#host.peer;
    await (this.#isBlocked ? messages.unblock(this.person.author) : messages.block(this.person.author));
    this.#showBlocked(!this.#isBlocked);
  }

  #showBlocked(on: boolean): void {
    this.#isBlocked = on;
    setText(this.#block, on ? 'Unblock' : 'Block');
    setText(this.#blocked, on ? 'You take nothing from this author, and it is told so.' : '');
  }
}

function isOnItsWay(state: MessageState): boolean {
  return state === 'sending' || state === 'waiting';
}
